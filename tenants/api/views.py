"""Client devices, API clients with their tokens, and partitions of the caller's tenant."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.api.base import ApiView, PageView
from tenants.api.serializers import (
    ClientOut,
    DeviceOut,
    NewClient,
    NewDevice,
    NewPartition,
    NewQuota,
    NewToken,
    PartitionOut,
    TokenOut,
    UsageOut,
    client_out,
    device_out,
)
from tenants.permissions import ADMINS, OPERATORS, READERS


class Devices(PageView):
    allowed = {"GET": READERS, "POST": OPERATORS}

    @extend_schema(responses=DeviceOut(many=True))
    def get(self, request: Request) -> Response:
        """The client devices, oldest first."""
        return Response([device_out(one) for one in selectors.devices(tenant=self.tenant)])

    @extend_schema(request=NewDevice, responses={201: DeviceOut})
    def post(self, request: Request) -> Response:
        """Enrol a client device.

        It may do nothing until an owner puts it on a partition's access list: see `next_step`.
        """
        device = services.enrol_device(tenant=self.tenant, actor=self.caller.user.username, **self.read(NewDevice))
        return Response(device_out(device, new=True), status=201)


class Device(ApiView):
    allowed = {"DELETE": ADMINS}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, fingerprint: str) -> Response:
        """Remove a client device.

        It stays on the access list until an owner takes it off there.
        """
        services.remove_device(tenant=self.tenant, fingerprint=fingerprint, actor=self.caller.user.username)
        return Response(status=204)


class Clients(ApiView):
    allowed = {"GET": READERS, "POST": ADMINS}

    @extend_schema(responses=ClientOut(many=True))
    def get(self, request: Request) -> Response:
        """The API clients, oldest first."""
        return Response([client_out(one) for one in selectors.clients(tenant=self.tenant)])

    @extend_schema(
        request=NewClient,
        responses={201: ClientOut},
        examples=[OpenApiExample("A client", {"name": "billing"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Make an API client.

        It has no token yet, and may do nothing until an owner puts it on a partition's access list: see `next_step`.
        """
        client = services.create_client(tenant=self.tenant, actor=self.caller.user.username, **self.read(NewClient))
        return Response(client_out(client, new=True), status=201)


class Client(ApiView):
    allowed = {"DELETE": ADMINS}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, client_id: str) -> Response:
        """Remove an API client.

        Its tokens are refused within a second.
        """
        services.revoke_client(tenant=self.tenant, client_id=client_id, actor=self.caller.user.username)
        return Response(status=204)


class ClientQuota(ApiView):
    allowed = {"PUT": ADMINS}

    @extend_schema(
        request=NewQuota,
        responses={204: None},
        examples=[OpenApiExample("A thousand requests", {"requests": 1000, "items": None}, request_only=True)],
    )
    def put(self, request: Request, client_id: str) -> Response:
        """Limit what an API client may ask in a minute.

        `requests` are all it sends, `items` those of its operations: a single operation has one. The tenant's own
        limits hold beside it.
        """
        services.set_client_quota(
            tenant=self.tenant, client_id=client_id, actor=self.caller.user.username, **self.read(NewQuota)
        )
        return Response(status=204)


class Usage(ApiView):
    allowed = {"GET": READERS}
    counts = False

    @extend_schema(responses=UsageOut(many=True))
    def get(self, request: Request) -> Response:
        """The caller's limits, and what is left of them in this minute.

        It costs nothing, and is answered also where nothing is left. The headers
        `RateLimit-Policy` and `RateLimit` of every answer say the same. Web processes take a hundredth
        of a limit at once, and learn what others took when they take their next: `remaining` is as exact as that.
        """
        quota = self.caller.quota
        return Response(quota.usage() if quota else [])


class Tokens(ApiView):
    allowed = {"POST": ADMINS}
    answers_secret = True

    @extend_schema(
        request=NewToken,
        responses={201: TokenOut},
        examples=[
            OpenApiExample("For a quarter", {"days": 90}, request_only=True),
            OpenApiExample(
                "A token",
                {"token": "str_…", "token_key": "str_Zx81kQ2m", "expiry": "2026-04-30T12:00:00Z"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request, client_id: str) -> Response:
        """Make a token for an API client.

        It is shown this once, in this answer.
        """
        token, plaintext = services.create_token(
            tenant=self.tenant, client_id=client_id, actor=self.caller.user.username, **self.read(NewToken)
        )
        out = TokenOut({"token": plaintext, "token_key": token.token_key, "expiry": token.expiry})
        return Response(out.data, status=201)


class Token(ApiView):
    allowed = {"DELETE": ADMINS}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, client_id: str, token_key: str) -> Response:
        """Revoke a token.

        It is refused within a second.
        """
        services.revoke_token(
            tenant=self.tenant, client_id=client_id, token_key=token_key, actor=self.caller.user.username
        )
        return Response(status=204)


class Partitions(PageView):
    allowed = {"GET": READERS, "POST": ADMINS}

    @extend_schema(responses=PartitionOut(many=True))
    def get(self, request: Request) -> Response:
        """The partitions, oldest first, with those that are only asked for."""
        return Response(PartitionOut(selectors.partitions(tenant=self.tenant), many=True).data)

    @extend_schema(request=NewPartition, responses={201: PartitionOut})
    def post(self, request: Request) -> Response:
        """Ask for a partition.

        It belongs to `owner` for ever. The provider's officers define it: until then its status is `requested`.
        """
        partition = services.request_partition(
            tenant=self.tenant, actor=self.caller.user.username, **self.read(NewPartition)
        )
        return Response(PartitionOut(partition).data, status=201)


class Partition(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=PartitionOut)
    def get(self, request: Request, partition_id: str) -> Response:
        """A partition, by its id or its request's."""
        return Response(PartitionOut(selectors.partition(tenant=self.tenant, reference=partition_id)).data)
