"""What changes the provider's picture of its devices, and the access lists inside them."""

import logging
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import transaction

from strongroom.protocol import certificates, jws, suites
from strongroom.protocol.access import client_principal
from strongroom.protocol.commands import (
    ListKeys,
    ListKeysReply,
    MakeRandom,
    MakeRandomReply,
    MakeSingleUseKey,
    MakeSingleUseKeyReply,
    OrderKey,
    OrderKeyReply,
    PublishKeys,
    PublishKeysReply,
    Status,
    StatusReply,
    UpdateAccess,
    UpdateAccessReply,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import KeyOrder
from strongroom.protocol.statements import Endorsement, Receipt
from tee import selectors
from tee.drivers import secure_module
from tee.imports import record_key
from tee.models import Device, Key, OperationsKey, ProviderKey, PublishedKey, PublishedStatus, VendorKey
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import defined_partition, only_partition
from tenants.signals import emit

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=PublishedKey)
_ORDERED = {
    "destroy": "customer:key:destroyed",
    "revoke": "customer:key:revoked",
    "minimum-version": "customer:key:minimum-set",
}


def register_device(*, known_only: bool = False) -> Device:
    """Ask the device for its certificate and the keys that it publishes, check them, and keep them. Idempotent.

    `known_only`: take no device that is not registered yet. Raises `Refused`: `wrong-device`, `certificate-invalid`,
    `signature-invalid`, `validation-failed`, and what the device says.
    """
    with transaction.atomic(using="provider"):
        # 1. What the device says of itself, to one process at a time: an older answer must not follow a newer one.
        known = {one.device_id for one in Device.objects.using("provider").select_for_update()}
        status = secure_module().call(Status(), StatusReply)
        published = secure_module().call(PublishKeys(), PublishKeysReply)
        if known_only and published.device not in known:
            raise Refused("wrong-device", "the device is not registered")
        # 2. Its certificate is for the key that names it. Whose root it leads to is what customers check, not we.
        certificate = x509.load_pem_x509_certificate(published.certificate.encode())
        identity = certificate.public_key()
        profile = certificates.profile_of(certificate)
        if not isinstance(identity, Ed25519PublicKey) or certificates.device_id(identity) != published.device:
            raise Refused("certificate-invalid", "the certificate is for another device")
        if profile.mode == "development" and not settings.DEVELOPMENT:
            raise Refused("certificate-invalid", "a development device serves only where STRONGROOM_ENV=development")
        # 3. It vouches for each key, whose id is bound to its bytes. They are public halves: nothing here is secret.
        vendor_keys = {_endorsed(one, identity, "vendor-key", "vk_"): one for one in published.vendor_keys}
        provider_keys = {_endorsed(one, identity, "provider-key", "pk_"): one for one in published.provider_keys}
        operations_keys = {_endorsed(one, identity, "operations-key", "ok_"): one for one in published.operations_keys}
        # 4. Keep them, and retire what the device no longer publishes.
        device, _ = Device.objects.using("provider").update_or_create(
            device_id=published.device,
            defaults={"world": status.world, "mode": profile.mode, "certificate": published.certificate},
        )
        _publish(VendorKey, device, vendor_keys)
        _publish(ProviderKey, device, provider_keys)
        _publish(OperationsKey, device, operations_keys)
    return device


def publish_rotated_keys() -> None:
    """Publish what officers have rotated in the registered device since, as far as it answers. Nothing else changes.

    Called on a schedule, and at once by whoever has executed a rotation.
    """
    try:
        register_device(known_only=True)
    except Refused as refused:
        logger.info("The device's keys were not read: %s", refused)


def update_access(*, tenant: Tenant, partition_id: str, document: str, actor: str) -> int:
    """Pass an owner-signed access list to the TEE, which alone decides. Returns the version in force.

    Raises `Refused("not-found")` and what the TEE says.
    """
    defined_partition(tenant=tenant, partition_id=partition_id)
    command = UpdateAccess(partition=partition_id, document=document)
    version = secure_module().call(command, UpdateAccessReply).version
    with tenant_scope(tenant):
        emit(tag="customer:access:changed", tenant=tenant, actor=actor, partition=partition_id, version=version)
    return version


def make_single_use_key(*, tenant: Tenant, partition_id: str, import_id: str, owner: str, actor: str) -> str:
    """Have the TEE make a vendor key for one import. Returns its endorsement, which the customer checks.

    Raises `Refused("not-found")` and what the TEE says.
    """
    defined_partition(tenant=tenant, partition_id=partition_id)
    command = MakeSingleUseKey(partition=partition_id, import_id=import_id, owner=owner)
    endorsement = secure_module().call(command, MakeSingleUseKeyReply).endorsement
    with tenant_scope(tenant):
        tag = "customer:single-use-key:made"
        emit(tag=tag, tenant=tenant, actor=actor, partition=partition_id, import_id=import_id)
    return endorsement


def make_random(*, tenant: Tenant, partition_id: str, length: int, client_id: str) -> tuple[str, bytes]:
    """(partition, bytes) that the TEE makes for an API client. No `partition_id`: the tenant's one defined partition.

    Raises `Refused`: `not-found`, `conflict` where the tenant has several partitions, and what the TEE says.
    """
    if partition_id:
        defined_partition(tenant=tenant, partition_id=partition_id)
    else:
        partition_id = only_partition(tenant=tenant)
    command = MakeRandom(partition=partition_id, principal=client_principal(client_id), length=length)
    return partition_id, secure_module().call(command, MakeRandomReply).random


def order_key(*, tenant: Tenant, reference: str, order: str, actor: str) -> dict[int, str]:
    """Pass an owner-signed order on a key to the TEE, which alone decides. Returns the state of each version then.

    Raises `Refused`: `not-found`, `conflict`, `statement-malformed`, `malformed` for an order on another key than is
    named, and what the TEE says.
    """
    key = selectors.key(tenant=tenant, reference=reference)
    ordered = jws.read_unverified(order, KeyOrder)
    if ordered.key != key.key_id:
        raise Refused("malformed", "the order is on another key")
    command = OrderKey(partition=key.partition.partition_id or "", order=order)
    states = secure_module().call(command, OrderKeyReply).states
    with tenant_scope(tenant):
        changed = [
            version
            for version, state in states.items()
            if Key.objects.filter(key_id=key.key_id, version=version).exclude(state=state).update(state=state)
        ]
        if changed:
            tag = _ORDERED[ordered.order]
            emit(tag=tag, tenant=tenant, actor=actor, key=key.key_id, versions=changed)
    return states


def refresh_keys(partition: Partition) -> None:
    """Bring the states of a partition's keys up to date, and learn keys that the database does not know.

    Raises what the TEE says.
    """
    with tenant_scope(partition.tenant):
        known = dict(Key.objects.filter(partition_id=partition.pk).values_list("receipt", "state"))
    after, more = "", True
    while more:
        command = ListKeys(partition=partition.partition_id or "", after=after)
        reply = secure_module().call(command, ListKeysReply)
        with tenant_scope(partition.tenant):
            for receipt, state in reply.keys:
                if known.get(receipt) != state:
                    record_key(tenant=partition.tenant, partition=partition, token=receipt, state=state)
                    if state == "deactivated" and receipt in known:
                        _tell_expired(partition, jws.read_unverified(receipt, Receipt))
        after, more = reply.last, bool(reply.last)


def _tell_expired(partition: Partition, receipt: Receipt) -> None:
    emit(
        tag="device:key:expired",
        tenant=partition.tenant,
        actor="",
        partition=partition.partition_id,
        keys=f"{receipt.name} version {receipt.version}",
        count=1,
    )


def refresh_all_keys() -> None:
    """`refresh_keys` for every tenant's partitions, as far as the TEE answers."""
    for partition in selectors.defined_partitions():
        try:
            refresh_keys(partition)
        except Refused as refused:
            logger.warning("Keys of %s were not refreshed: %s", partition, refused.code)
            if refused.problem.status == 503:
                return


def _endorsed(token: str, identity: Ed25519PublicKey, purpose: str, prefix: str) -> str:
    """The id of an endorsed key. Raises `Refused`."""
    endorsement = jws.verify(token, Endorsement, identity)
    if endorsement.purpose != purpose:
        raise Refused("validation-failed", f"a {endorsement.purpose} stands among the {purpose}s")
    if suites.public_key(endorsement.suite, endorsement.public_key).key_id(prefix) != endorsement.key_id:
        raise Refused("validation-failed", "a key's id is not that of its bytes")
    return endorsement.key_id


def _publish(model: type[M], device: Device, endorsements: dict[str, str]) -> None:
    keys = model._default_manager.using("provider")
    keys.filter(device=device, status=PublishedStatus.IN_FORCE).exclude(key_id__in=endorsements).update(
        status=PublishedStatus.RETIRED
    )
    for key_id, endorsement in endorsements.items():
        keys.get_or_create(key_id=key_id, defaults={"device": device, "endorsement": endorsement})
