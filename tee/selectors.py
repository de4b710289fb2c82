"""Reads of devices, published keys, imports and keys; and what is asked of the device without changing anything."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from strongroom.protocol import jws
from strongroom.protocol.commands import (
    Attest,
    AttestReply,
    SessionReply,
    SessionRequest,
    ShowAccess,
    ShowAccessReply,
    Status,
    StatusReply,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement
from tee import at_rest, engine
from tee.drivers import secure_module
from tee.models import (
    Device,
    EngineKey,
    Import,
    Key,
    OperationsKey,
    ProviderKey,
    PublishedKey,
    PublishedStatus,
    VendorKey,
)
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import defined_partition

MOST_IMPORTS = 100


def device_state() -> str:
    """The device's state now. Raises `Refused("hsm-unreachable")`."""
    return secure_module().call(Status(), StatusReply).state


def trust() -> list[dict[str, Any]]:
    """The devices in force with their certificates and the endorsements of their published keys."""

    def endorsements(model: type[PublishedKey], device: Device) -> list[str]:
        keys = model._default_manager.filter(device=device, status=PublishedStatus.IN_FORCE)
        return list(keys.values_list("endorsement", flat=True))

    return [
        {
            "device": device.device_id,
            "world": device.world,
            "mode": device.mode,
            "certificate": device.certificate,
            "vendor_keys": endorsements(VendorKey, device),
            "provider_keys": endorsements(ProviderKey, device),
            "operations_keys": endorsements(OperationsKey, device),
        }
        for device in Device.objects.filter(status=PublishedStatus.IN_FORCE).order_by("id")
    ]


def operations_key(*, tenant: Tenant, partition_id: str) -> Endorsement:
    """The newest key that the device of a partition has published for sealed operations: known while it is away too.

    Raises `Refused`: `not-found`, `unavailable` where there is none.
    """
    partition = defined_partition(tenant=tenant, partition_id=partition_id)
    keys = OperationsKey.objects.filter(status=PublishedStatus.IN_FORCE, device__device_id=partition.device_id)
    token = keys.values_list("endorsement", flat=True).last()
    if token is None:
        raise Refused("unavailable", "the device has published no operations key")
    return jws.read_unverified(token, Endorsement)


def engine_keys() -> list[EngineKey]:
    """The provider keys in the engine's custody that are in force: none where the engine is not configured."""
    if not at_rest.is_configured():
        return []
    return list(EngineKey.objects.using(engine.ALIAS).filter(status=PublishedStatus.IN_FORCE))


def device_key(device_id: str) -> Ed25519PublicKey:
    """The identity key of a registered device. Raises `Refused("wrong-device")`."""
    device = Device.objects.filter(device_id=device_id).first()
    if device is None:
        raise Refused("wrong-device", "no such device is registered")
    key = x509.load_pem_x509_certificate(device.certificate.encode()).public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise Refused("certificate-invalid")
    return key


def attestation(*, tenant: Tenant, partition_id: str, nonce: str) -> str:
    """The device's attestation of a partition of the tenant. Raises `Refused("not-found")` and what the device says."""
    defined_partition(tenant=tenant, partition_id=partition_id)
    return secure_module().call(Attest(nonce=nonce, partition=partition_id), AttestReply).attestation


def access_list(*, tenant: Tenant, partition_id: str) -> dict[str, Any]:
    """The access list in force. Raises `Refused("not-found")` and what the device says."""
    defined_partition(tenant=tenant, partition_id=partition_id)
    reply = secure_module().call(ShowAccess(partition=partition_id), ShowAccessReply)
    owners = [msgspec.to_builtins(owner) for owner in reply.owners]
    return {"version": reply.version, "document": reply.document, "owners": owners}


def session(*, tenant: Tenant, partition_id: str) -> SessionReply:
    """The device's session for signed instructions to a partition of the tenant."""
    defined_partition(tenant=tenant, partition_id=partition_id)
    return secure_module().call(SessionRequest(), SessionReply)


def find_import(*, tenant: Tenant, import_id: str) -> Import:
    """One import as last known. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        row = Import.objects.select_related("partition").filter(tenant=tenant, import_id=import_id).first()
    if row is None:
        raise Refused("not-found")
    return row


def imports_to_look_at(*, tenant: Tenant, since: datetime) -> list[Import]:
    """Those that have waited for the device for a minute, and those that failed since then; the latest first."""
    waiting = Q(status=Import.Status.RECEIVED, received__lt=timezone.now() - timedelta(minutes=1))
    failed = Q(status=Import.Status.FAILED, received__gte=since)
    with tenant_scope(tenant):
        return list(Import.objects.filter(waiting | failed, tenant=tenant).order_by("-received")[:MOST_IMPORTS])


def keys(*, tenant: Tenant) -> list[Key]:
    """The newest version of each of the tenant's keys in all its partitions, oldest first."""
    with tenant_scope(tenant):
        newest = list(_with_minimum(tenant).order_by("key_id", "-version").distinct("key_id"))
    return sorted(newest, key=lambda one: (one.created, one.pk))


def key_names(*, tenant: Tenant) -> dict[str, str]:
    """Name by id of all the tenant's keys."""
    with tenant_scope(tenant):
        return dict(Key.objects.filter(tenant=tenant).values_list("key_id", "name").distinct())


def _with_minimum(tenant: Tenant) -> QuerySet[Key]:
    """Keys of the tenant, each with `minimum_version`: the owner has put all versions below it out of service."""
    below = Key.objects.filter(key_id=OuterRef("key_id"), state="below-minimum").order_by("-version")
    found = Key.objects.select_related("partition").filter(tenant=tenant)
    return found.annotate(minimum_version=Coalesce(Subquery(below.values("version")[:1]), 0) + 1)


def versions(*, tenant: Tenant, reference: str) -> list[Key]:
    """All versions, oldest first, of one key by its id, or by its name where only one partition has one of that name.

    Raises `Refused`: `not-found`, `conflict` for a name that several partitions use.
    """
    with tenant_scope(tenant):
        of_tenant = _with_minimum(tenant).order_by("version")
        found = list(of_tenant.filter(key_id=reference)) or list(of_tenant.filter(name=reference))
    if not found:
        raise Refused("not-found")
    if len({one.key_id for one in found}) > 1:
        raise Refused("conflict", "several partitions have a key of that name: use the key's id")
    return found


def key(*, tenant: Tenant, reference: str, version: int = 0) -> Key:
    """The newest version of a key, or that one. Raises `Refused` as `versions` does, and for an unknown version."""
    found = versions(tenant=tenant, reference=reference)
    if not version:
        return found[-1]
    for one in found:
        if one.version == version:
            return one
    raise Refused("not-found", "the key has no such version")


def suspended_keys(*, tenant: Tenant) -> list[Key]:
    """The versions that the TEE refuses for want of an answer in force, the latest first."""
    with tenant_scope(tenant):
        return list(Key.objects.filter(tenant=tenant, state="active", suspended__isnull=False).order_by("-suspended"))


def defined_partitions() -> list[Partition]:
    """Every tenant's defined partitions: the provider's own view."""
    of_all = Partition.objects.using("provider").select_related("tenant")
    return list(of_all.filter(status=Partition.Status.DEFINED))
