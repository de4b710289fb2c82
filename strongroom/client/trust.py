"""Validation before encryption (DESIGN §5): nothing is sealed to a key before everyone who can know of it agreed."""

import msgspec

from strongroom.client import access
from strongroom.client.connection import Connection
from strongroom.client.evidence import (
    EndorsedKey,
    Evidence,
    Purpose,
    Signed,
    check_endorsement,
    check_validation,
    new_nonce,
)
from strongroom.protocol import jws
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation, ValidationStatement


class PublishedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device and the endorsements of its wrapping keys, as the portal publishes them: not believed unchecked."""

    device: str
    vendor_keys: list[str]
    provider_keys: list[str]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """GET /trust, as far as it is used."""

    devices: list[PublishedDevice]


class _StatementAnswer(msgspec.Struct, frozen=True):
    statement: str


def validate(connection: Connection, now: int, partition: str = "") -> Evidence:
    """Ask everyone who can know about the keys, each over a fresh nonce; return the evidence if all agree.

    With `partition`, the device that holds it must attest that its owner is this folder's owner and that the access
    list in force is the one that the owner signed. Raises `Refused`: `validation-failed`, `owner-mismatch`,
    `nonce-mismatch`, `stale`, `certificate-invalid`, `signature-invalid`, `hsm-sealed`, `unavailable`.
    """
    # 1. What the provider publishes: devices, and the keys that they endorse.
    published = connection.portal.get("trust", Published).devices
    # 2. The partition's device attests that the partition is ours.
    attestation = None
    if partition:
        attestation = access.attested(connection, access.in_force(connection, partition), partition, now)
    device = _choose(published, attestation)
    # 3. Vendor key and provider key are endorsed by that device, which has them in force.
    vendor = _endorsed(connection, device, "vendor-key", attestation, now)
    provider = _endorsed(connection, device, "provider-key", attestation, now)
    # 4. The manufacturer issued this vendor key to a device of this provider, and it is in force.
    manufacturer_says = _ask_manufacturer(connection, vendor, now)
    # 5. The provider's own validator stands by its provider key.
    provider_says = _ask_provider(connection, provider, now)
    # 6. All agreed.
    return Evidence(vendor.mode, device.device, vendor, provider, manufacturer_says, provider_says, attestation)


def _choose(published: list[PublishedDevice], attestation: Signed[Attestation] | None) -> PublishedDevice:
    for one in published:
        if attestation is None or one.device == attestation.says.device:
            return one
    raise Refused("validation-failed", "the provider publishes no keys of the device")


def _endorsed(
    connection: Connection, device: PublishedDevice, purpose: Purpose, attested: Signed[Attestation] | None, now: int
) -> EndorsedKey:
    roots = connection.home.manufacturer_roots()
    for token in device.vendor_keys if purpose == "vendor-key" else device.provider_keys:
        key = check_endorsement(token, purpose, roots, now)
        if key.key.suite != "HPKE-XWING":
            continue
        if key.endorsement.device != device.device:
            raise Refused("validation-failed", f"the {purpose} is another device's")
        if attested is None:
            return key
        in_force = attested.says.vendor_keys if purpose == "vendor-key" else attested.says.provider_keys
        if key.key_id in in_force:
            return key
    raise Refused("validation-failed", f"the provider publishes no {purpose} that its device has in force")


def _ask_manufacturer(connection: Connection, key: EndorsedKey, now: int) -> Signed[ValidationStatement]:
    nonce = new_nonce()
    question = {"nonce": nonce, "subject": "vendor-key", "key_id": key.key_id, "mode": key.mode}
    with connection.manufacturer() as manufacturer:
        token = manufacturer.post("/v1/validation", question, _StatementAnswer).statement
    roots = connection.home.manufacturer_roots()
    says, certified = verify_statement(token, ValidationStatement, roots, "statement", now)
    check_validation(says, key, nonce, connection.home.config().provider, now)
    if certified.mode != key.mode:
        raise Refused("validation-failed", "the manufacturer answered for another mode than the device's")
    return Signed(says, token, certified.mode)


def _ask_provider(connection: Connection, key: EndorsedKey, now: int) -> Signed[ValidationStatement]:
    nonce = new_nonce()
    token = connection.portal.post("validation", {"nonce": nonce, "key_id": key.key_id}, _StatementAnswer).statement
    says = jws.verify(token, ValidationStatement, connection.home.provider_validation().public_key())
    check_validation(says, key, nonce, connection.home.config().provider, now)
    return Signed(says, token)
