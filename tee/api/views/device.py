"""What is asked of the device beside operations: its session, and random bytes."""

import base64

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tee import selectors, services
from tee.api.serializers import (
    RandomIn,
    RandomOut,
    SessionOut,
)
from tenants.api.base import ApiView
from tenants.permissions import CLIENT


class Random(ApiView):
    allowed = {"POST": CLIENT}

    @extend_schema(request=RandomIn, responses=RandomOut)
    def post(self, request: Request) -> Response:
        """Random bytes, made in the device.

        For an API client that a partition's access list gives any right; on record in that partition's log. The
        partition may be left out where the tenant has one. They pass through the provider: make no keys of them.
        """
        body = self.read(RandomIn)
        partition, found = services.make_random(
            tenant=self.tenant,
            partition_id=body["partition"],
            length=body["length"],
            client_id=self.caller.user.username,
        )
        return Response({"bytes": base64.b64encode(found).decode(), "partition": partition})


class Session(ApiView):
    allowed = {"GET": CLIENT}

    @extend_schema(parameters=[OpenApiParameter("partition", str, required=True)], responses=SessionOut)
    def get(self, request: Request) -> Response:
        """The device's session, which a signed instruction names.

        It changes when the device starts again.
        """
        reply = selectors.session(tenant=self.tenant, partition_id=request.query_params.get("partition", ""))
        return Response({"session": reply.session, "device": reply.device})
