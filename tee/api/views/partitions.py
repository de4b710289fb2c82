"""A partition's access list, and what its owner orders of the whole."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tee import partitions, selectors, services
from tee.api.serializers import (
    AccessIn,
    AccessOut,
    OrderIn,
)
from tenants.api.base import ApiView, PageView
from tenants.api.serializers import PartitionOut
from tenants.permissions import ADMINS, CLIENT, READERS


class Access(PageView):
    allowed = {"GET": READERS, "PUT": READERS}

    @extend_schema(responses=AccessOut)
    def get(self, request: Request, partition_id: str) -> Response:
        """The access list in force.

        `document` is empty before the first one. The device's owners are those in `owners`.
        """
        return Response(selectors.access_list(tenant=self.tenant, partition_id=partition_id))

    @extend_schema(request=AccessIn, responses=AccessOut)
    def put(self, request: Request, partition_id: str) -> Response:
        """Put a new access list in force.

        `document` is an `AccessList` of the next version, signed by an owner, or by a security key that an owner lets
        change who is listed: the device checks it.
        """
        services.update_access(
            tenant=self.tenant, partition_id=partition_id, actor=self.caller.user.username, **self.read(AccessIn)
        )
        return self.get(request, partition_id)


class Keep(ApiView):
    allowed = {"POST": CLIENT | ADMINS}

    @extend_schema(request=OrderIn, responses=PartitionOut)
    def post(self, request: Request, partition_id: str) -> Response:
        """Cancel the destruction of the partition that is waiting.

        `order` is a `PartitionOrder` to keep it, signed by an owner: the device checks it.
        """
        kept = partitions.keep_partition(
            tenant=self.tenant, partition_id=partition_id, actor=self.caller.user.username, **self.read(OrderIn)
        )
        return Response(PartitionOut(kept).data)
