"""What all views of the REST interface have in common."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from tenants import idempotency
from tenants.api.media import JsonParser, OnlyJson, check_length
from tenants.authentication import BearerToken, Caller, PersonAtAPage
from tenants.models import Tenant
from tenants.quotas import Quota

MAX_BODY = 512 * 1024


class _Answered(Exception):
    """The request was carried out before."""

    def __init__(self, answer: idempotency.Answer) -> None:
        self.answer = answer


class ApiView(APIView):
    """A view that declares who may use which method (`tenants.permissions`)."""

    allowed: Mapping[str, frozenset[str] | None] = {}
    max_body = MAX_BODY
    counts = True
    """Whether a request counts against the caller's quota."""
    answers_secret = False
    """Whether a success of POST holds a secret that is shown once, which is then kept for no repetition."""
    _claim: idempotency.Claim | None = None
    _quota: Quota | None = None
    parser_classes = [JsonParser]
    content_negotiation_class = OnlyJson

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises `Refused`, `too-large` or `malformed`, before anything of the body is read."""
        super().initial(request, *args, **kwargs)
        check_length(request.META, self.max_body)
        self._quota = request.auth.quota if isinstance(request.auth, Caller) else None
        if self._quota and self.counts:
            self._quota.spend(requests=1)
        self._begin_once(request)

    def _begin_once(self, request: Request) -> None:
        """Heed an `Idempotency-Key` of a tenant's POST. Officers' actions are bound by nonces, and need none."""
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST" or not isinstance(request.auth, Caller) or not request.auth.tenant:
            return
        asked = request.get_full_path().encode() + b"\n" + request.body
        found = idempotency.claim(
            tenant=request.auth.tenant, principal=request.auth.user.username, key=key, request=asked
        )
        if isinstance(found, idempotency.Answer):
            raise _Answered(found)
        self._claim = found

    def handle_exception(self, exc: Exception) -> Response | HttpResponse:  # type: ignore[override]  # or a repetition
        if isinstance(exc, _Answered):
            headers = {"Idempotency-Replayed": "true"}
            headers |= {"Location": exc.answer.location} if exc.answer.location else {}
            body = exc.answer.body
            return HttpResponse(body, status=exc.answer.status, content_type="application/json", headers=headers)
        try:
            return super().handle_exception(exc)
        except Exception:
            if self._claim is not None:
                self._claim.release()
            raise

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """No cache keeps an answer: some hold a token that is shown once."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self._claim is not None:
            self._end_once(self._claim, answer)
        answer.headers["Cache-Control"] = "no-store"
        for name, value in self._quota.headers() if self._quota else ():
            answer.headers[name] = value
        return answer

    def _end_once(self, claim: idempotency.Claim, answer: Response) -> None:
        if answer.status_code >= 300:
            claim.release()
            return
        body = "" if answer.data is None else JSONRenderer().render(answer.data).decode()
        kept = idempotency.Answer(answer.status_code, body, answer.headers.get("Location", ""))
        claim.keep(kept, secret=self.answers_secret)

    @property
    def caller(self) -> Caller:
        if not isinstance(self.request.auth, Caller):
            raise Refused("unauthenticated")
        return self.request.auth

    @property
    def quota(self) -> Quota:
        """What the caller may ask. Raises `Refused("forbidden")` for an officer, who is under none."""
        if self._quota is None:
            raise Refused("forbidden")
        return self._quota

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


class PageView(ApiView):
    """A view that the script of a page calls too, for the person who is logged in there."""

    authentication_classes = [BearerToken, PersonAtAPage]


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
