"""How a key stands with those who may revoke it."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tee import revocation
from tee.api.serializers import (
    RevocationOut,
)
from tenants.api.base import ApiView
from tenants.permissions import CLIENT, OPERATORS, READERS


class Revocation(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=RevocationOut)
    def get(self, request: Request, reference: str) -> Response:
        """How a key stands with those who may revoke it.

        Of each version: its state, the last answer and when the device asks next. Whom it asks only the terms say.
        """
        versions = revocation.status(tenant=self.tenant, reference=reference)
        return Response(RevocationOut({"versions": versions}).data)


class RevocationCheck(ApiView):
    allowed = {"POST": CLIENT | OPERATORS}

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, reference: str) -> Response:
        """Have the device ask now whether a key may be used.

        Answered at once: the key's revocation says what came of it, once `checks` has grown.
        """
        revocation.check_now(tenant=self.tenant, reference=reference)
        return Response(status=202)
