"""GET keys and what is there of each; orders of the owner."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tee import public_keys, revocation, selectors, services
from tee.api.serializers import (
    KeyOut,
    OrderIn,
    OrderOut,
    PublicKeyIn,
    ReceiptOut,
    VersionIn,
    VersionOut,
)
from tenants.api.base import ApiView, PageView
from tenants.permissions import ADMINS, CLIENT, READERS


class Keys(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=KeyOut(many=True))
    def get(self, request: Request) -> Response:
        """The keys, each with its newest version.

        The state is the device's, at most half a minute old.
        """
        return Response(KeyOut(selectors.keys(tenant=self.tenant), many=True).data)


class Key(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=KeyOut)
    def get(self, request: Request, reference: str) -> Response:
        """A key, with its newest version.

        The device is asked for its state now; where it does not answer, it is as last known.
        """
        return Response(KeyOut(revocation.newest(tenant=self.tenant, reference=reference)).data)


class Receipt(PageView):
    allowed = {"GET": READERS}

    @extend_schema(parameters=[VersionIn], responses=ReceiptOut)
    def get(self, request: Request, reference: str) -> Response:
        """The signed receipt of a key's version.

        Of the newest one, unless the query says otherwise.
        """
        key = selectors.key(tenant=self.tenant, reference=reference, **self.read_query(VersionIn))
        return Response({"receipt": key.receipt})


class PublicKey(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(
        parameters=[PublicKeyIn],
        responses={(200, media_type): bytes for media_type in public_keys.MEDIA_TYPES.values()},
    )
    def get(self, request: Request, reference: str) -> HttpResponse:
        """The public key, as PEM, DER or JWK.

        Of the newest version, or of the one that is named. The signed receipt is what proves it.
        """
        query = self.read_query(PublicKeyIn)
        key = selectors.key(tenant=self.tenant, reference=reference, version=query["version"])
        form = query["format"]
        return HttpResponse(public_keys.public_key(key=key, form=form), content_type=public_keys.MEDIA_TYPES[form])


class Versions(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=VersionOut(many=True))
    def get(self, request: Request, reference: str) -> Response:
        """The versions of a key, oldest first.

        The device is asked for their states now; where it does not answer, they are as last known.
        """
        return Response(VersionOut(revocation.versions(tenant=self.tenant, reference=reference), many=True).data)


class Order(ApiView):
    allowed = {"POST": CLIENT | ADMINS}

    @extend_schema(request=OrderIn, responses=OrderOut)
    def post(self, request: Request, reference: str) -> Response:
        """Destroy or revoke a key or version, or set its minimum, as an owner has ordered.

        `order` is the owner's signed `KeyOrder`: the device checks it. From destruction there is no way back.
        """
        states = services.order_key(
            tenant=self.tenant, reference=reference, actor=self.caller.user.username, **self.read(OrderIn)
        )
        return Response({"states": states})
