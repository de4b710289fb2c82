"""What all views of the REST interface have in common."""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from tenants.api.media import JsonParser, OnlyJson
from tenants.authentication import Caller
from tenants.models import Tenant

MAX_BODY = 512 * 1024


class ApiView(APIView):
    """A view that declares who may use which method (`tenants.permissions`)."""

    allowed: Mapping[str, frozenset[str] | None] = {}
    parser_classes = [JsonParser]
    content_negotiation_class = OnlyJson

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises `Refused`, `too-large` or `malformed`, before anything of the body is read."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            raise Refused("malformed", "the Content-Length is no number")
        if int(length) > MAX_BODY:
            raise Refused("too-large")
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """No cache keeps an answer: some hold a token that is shown once."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @property
    def caller(self) -> Caller:
        if not isinstance(self.request.auth, Caller):
            raise Refused("unauthenticated")
        return self.request.auth

    @property
    def tenant(self) -> Tenant:
        """The caller's tenant. Raises `Refused("forbidden")` for an officer, who has none."""
        if self.caller.tenant is None:
            raise Refused("forbidden")
        return self.caller.tenant

    def read(self, kind: type[serializers.Serializer]) -> dict[str, Any]:
        """The body as `kind` describes it, with no member that it does not name.

        Raises `Refused("malformed")`, or DRF's `ValidationError`, which becomes that.
        """
        body = self.request.data
        unknown = body.keys() - kind().fields.keys() if isinstance(body, dict) else set()
        if unknown:
            raise Refused("malformed", f"there is no member {min(unknown)[:40]!r}")
        return _valid(kind, body)

    def read_query(self, kind: type[serializers.Serializer]) -> dict[str, Any]:
        """The query as `kind` describes it. Raises as `read` does."""
        return _valid(kind, self.request.query_params)


def _valid(kind: type[serializers.Serializer], data: Any) -> dict[str, Any]:
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class CredentialField(serializers.JSONField):
    """An Ed25519 public key as a JWK (RFC 8037)."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            credential = msgspec.convert(data, PublicCredential)
            credential.public_key()
        except (msgspec.ValidationError, ValueError, Refused):
            raise serializers.ValidationError("Not an Ed25519 public JWK.") from None
        return credential

    def to_representation(self, value: Any) -> Any:
        return value
