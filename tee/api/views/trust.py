"""GET trust, POST validation, partitions/{id}/attestation: what a customer checks before it sends a key."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from tee import manufacturer, selectors, validation
from tee.api.serializers import (
    AttestationOut,
    ManufacturersValidationIn,
    NonceIn,
    TrustOut,
    ValidationIn,
    ValidationOut,
)
from tenants.api.base import ApiView, PageView
from tenants.permissions import READERS


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
