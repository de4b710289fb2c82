"""What customers ask of the TEE through the portal, but for operations, which have a data plane of their own."""

import base64
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from strongroom.protocol import jws
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.statements import Receipt as ReceiptStatement
from tee import imports, manufacturer, partitions, public_keys, revocation, selectors, services, validation
from tee.api.serializers import (
    AccessIn,
    AccessOut,
    AttestationOut,
    ImportIn,
    ImportOut,
    KeyOut,
    ManufacturersValidationIn,
    NonceIn,
    OrderIn,
    OrderOut,
    PublicKeyIn,
    RandomIn,
    RandomOut,
    ReceiptOut,
    RevocationOut,
    SessionOut,
    SingleUseKeyIn,
    SingleUseKeyOut,
    TrustOut,
    ValidationIn,
    ValidationOut,
    VersionIn,
    VersionOut,
)
from tee.models import Import as ImportRow
from tenants.api.base import ApiView, PageView
from tenants.api.serializers import PartitionOut
from tenants.permissions import ADMINS, CLIENT, READERS


class Public(ApiView):
    authentication_classes = []
    permission_classes = [AllowAny]


class Trust(Public):
    @extend_schema(responses=TrustOut, auth=[])
    def get(self, request: Request) -> Response:
        """The devices with their endorsed keys, and the engine's keys.

        Check all of it against the manufacturer's root before relying on it: the provider only passes it on.
        """
        devices = selectors.trust()
        world = devices[0]["world"] if devices else ""
        trust = {"world": world, "devices": devices, "engine_keys": selectors.engine_keys()}
        return Response(TrustOut({"provider": settings.PROVIDER, **trust}).data)


class Validation(Public):
    @extend_schema(request=ValidationIn, responses=ValidationOut, auth=[])
    def post(self, request: Request) -> Response:
        """The provider's signed word on a provider key.

        The statement holds your nonce and says whether the key is in force, retired or unknown.
        """
        return Response({"statement": validation.validate_provider_key(**self.read(ValidationIn))})


class ManufacturersValidation(PageView):
    allowed = {"POST": READERS}

    @extend_schema(request=ManufacturersValidationIn, responses=ValidationOut)
    def post(self, request: Request) -> Response:
        """The manufacturer's signed word on a vendor key.

        The portal passes question and answer on, for a browser that cannot reach the manufacturer itself. The
        statement holds your nonce: check it against the manufacturer's root.
        """
        return Response({"statement": manufacturer.validate_vendor_key(**self.read(ManufacturersValidationIn))})


class Attestation(PageView):
    allowed = {"POST": READERS}

    @extend_schema(request=NonceIn, responses=AttestationOut)
    def post(self, request: Request, partition_id: str) -> Response:
        """The device's attestation of a partition, over your nonce.

        It is signed by the device and names the partition's owners, the access list in force and the last checkpoint.
        """
        token = selectors.attestation(tenant=self.tenant, partition_id=partition_id, **self.read(NonceIn))
        return Response({"attestation": token})


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

        `document` is an `AccessList` of the next version, signed by an owner: the device checks it.
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


class SingleUseKeys(ApiView):
    allowed = {"POST": CLIENT | ADMINS}

    @extend_schema(request=SingleUseKeyIn, responses={201: SingleUseKeyOut})
    def post(self, request: Request, partition_id: str) -> Response:
        """Have the device make a vendor key for one import.

        It is of suite RSA-AES-KWP, endorsed by the device, and gone after use or an hour.
        """
        endorsement = services.make_single_use_key(
            tenant=self.tenant, partition_id=partition_id, actor=self.caller.user.username, **self.read(SingleUseKeyIn)
        )
        return Response({"endorsement": endorsement}, status=201)


class Imports(PageView):
    allowed = {"POST": CLIENT | ADMINS}

    @extend_schema(
        request=ImportIn,
        responses={200: ImportOut, 201: ImportOut},
        examples=[
            OpenApiExample(
                "What `strongroom import` sends",
                {"partition": "pt_…", "header": "eyJ…", "material": "c2VhbGVk…", "terms": "c2VhbGVk…"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Import a key.

        `header` is the signed header, `material` and `terms` what was sealed under it. The same header again gets the
        same answer, with 200. Verify the receipt: the device's signed word that it holds the key under these terms.
        """
        body = self.read(ImportIn)
        partition_id, consent = body.pop("partition"), body.pop("consent")
        row, new = imports.import_key(
            tenant=self.tenant,
            partition_id=partition_id,
            envelope=Envelope(**body),
            consent=consent,
            secure=request.is_secure(),
            actor=self.caller.user.username,
        )
        return Response(_import_out(row), status=201 if new else 200)


class Import(PageView):
    allowed = {"GET": READERS}

    @extend_schema(responses=ImportOut)
    def get(self, request: Request, import_id: str) -> Response:
        """What has become of an import.

        After a failure on the way it is `received` until the device has been asked, then `complete` or `failed`.
        """
        row = selectors.find_import(tenant=self.tenant, import_id=import_id)
        return Response(_import_out(imports.settle(row)))


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


class Receipt(ApiView):
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
    allowed = {"POST": CLIENT | ADMINS}

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, reference: str) -> Response:
        """Have the device ask now whether a key may be used.

        Answered at once: the key's revocation says what came of it, once `checks` has grown.
        """
        revocation.check_now(tenant=self.tenant, reference=reference)
        return Response(status=202)


class Session(ApiView):
    allowed = {"GET": CLIENT}

    @extend_schema(parameters=[OpenApiParameter("partition", str, required=True)], responses=SessionOut)
    def get(self, request: Request) -> Response:
        """The device's session, which a signed instruction names.

        It changes when the device starts again.
        """
        reply = selectors.session(tenant=self.tenant, partition_id=request.query_params.get("partition", ""))
        return Response({"session": reply.session, "device": reply.device})


def _import_out(row: ImportRow) -> dict[str, Any]:
    receipt = jws.read_unverified(row.receipt, ReceiptStatement) if row.receipt else None
    return {
        "import_id": row.import_id,
        "status": row.status,
        "receipt": row.receipt or None,
        "code": row.code or None,
        "key_id": receipt.key_id if receipt else None,
        "name": receipt.name if receipt else None,
    }
