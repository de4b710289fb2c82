"""Writes to the register: certifying devices, listing vendor keys, and changing the status of either."""

import logging
import sqlite3

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from manufacturer.hierarchy import Hierarchies, roots
from manufacturer.issuing import device_certificate
from manufacturer.selectors import Device, Status, VendorKey, get_device, get_vendor_key, standing_vendor_keys
from manufacturer.store import Store
from strongroom.protocol import jws, suites
from strongroom.protocol.certificates import Mode, device_id, verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement

logger = logging.getLogger("manufacturer")


def certify_device(
    *, store: Store, hierarchies: Hierarchies, request: bytes, mode: Mode, provider: str, now: int
) -> Device:
    """Certify the device that made this certificate request (PEM, RFC 2986) as one that `provider` bought.

    The same device, mode and provider again give the same certificate. Raises `Refused`: `malformed`,
    `signature-invalid`, `key-weak`, `development-refused`, and `conflict` for another mode or provider.
    """
    # 1. The request is signed by the very key that it holds, which is of the hierarchy's one kind.
    identity = _requested_key(request)
    if mode not in hierarchies:
        raise Refused("development-refused")
    if not provider.strip() or not provider.isprintable() or len(provider) > 100:
        raise Refused("malformed", "a provider's name has 1 to 100 printable characters")
    device = device_id(identity)
    with store.transaction() as register:
        # 2. A device is certified once.
        known = get_device(register, device)
        if known is not None:
            if (known.mode, known.provider) != (mode, provider):
                raise Refused("conflict", "the device is certified for another mode or provider")
            return known
        # 3. Its certificate and its line of the provider table are written together.
        certificate = device_certificate(identity, hierarchies[mode].root, now).public_bytes(Encoding.PEM).decode()
        certified = Device(
            device=device, provider=provider, mode=mode, certificate=certificate, status="in-force", certified_at=now
        )
        register.execute(
            "INSERT INTO devices VALUES (:device, :provider, :mode, :certificate, :status, :certified_at)",
            msgspec.structs.asdict(certified),
        )
    logger.log(
        logging.INFO if mode == "production" else logging.WARNING,
        "certified %s for provider %s in %s mode",
        device,
        provider,
        mode.upper(),
    )
    return certified


def list_vendor_key(*, store: Store, hierarchies: Hierarchies, endorsement: str, now: int) -> tuple[VendorKey, bool]:
    """List the vendor key of an `Endorsement` by a certified device in force; and whether it is newly listed.

    A listed key keeps its first endorsement and its status; a standing key retires those that the device endorsed
    before it. Raises `Refused`: `statement-malformed`, `certificate-invalid`, `signature-invalid`, `malformed`,
    `conflict`.
    """
    # 1. A device of this manufacturer signed it, of itself, about a vendor key.
    statement, certified = verify_statement(endorsement, Endorsement, roots(hierarchies), "device", now)
    if statement.device != certified.device_id:
        raise Refused("signature-invalid", "the signer is not the device that it names")
    if statement.purpose not in ("vendor-key", "single-use-vendor-key"):
        raise Refused("statement-malformed", "not an endorsement of a vendor key")
    if (statement.purpose == "single-use-vendor-key") != (statement.expires_at is not None):
        raise Refused("statement-malformed", "a single-use key has an expiry, and no other key has")
    # 2. The key is one that can be sealed to, and its id is bound to its bytes.
    key = suites.public_key(statement.suite, statement.public_key)
    key.seal(b"anything", info=b"")
    if statement.key_id != key.key_id("vk_"):
        raise Refused("malformed", "the key id does not belong to the key")
    with store.transaction() as register:
        # 3. The device is in force.
        device = get_device(register, statement.device)
        if device is None or device.status != "in-force":
            raise Refused("certificate-invalid", "the device is not in force")
        # 4. A key is listed once.
        known = get_vendor_key(register, statement.key_id)
        if known is not None:
            if known.device != device.device:
                raise Refused("conflict", "the key is listed for another device")
            return known, False
        # 5. A standing key takes the place of the one that the device rotated out.
        superseded = statement.expires_at is None and _is_superseded(register, statement)
        listed = VendorKey(
            key_id=statement.key_id,
            device=device.device,
            public_key=key.raw,
            endorsement=endorsement,
            status="retired" if superseded else "in-force",
            listed_at=now,
            expires_at=statement.expires_at,
        )
        register.execute(
            "INSERT INTO vendor_keys VALUES"
            " (:key_id, :device, :public_key, :endorsement, :status, :listed_at, :expires_at)",
            msgspec.structs.asdict(listed),
        )
    logger.info("listed vendor key %s of %s", listed.key_id, listed.device)
    return listed, True


def _is_superseded(register: sqlite3.Connection, fresh: Endorsement) -> bool:
    """Whether the device endorsed a listed key of this suite after `fresh`; if not, those before it are retired.

    The order is that of the device's own words: what it said earlier and is listed later retires nothing.
    """
    for key in standing_vendor_keys(register, fresh.device):
        other = jws.read_unverified(key.endorsement, Endorsement)
        if other.suite != fresh.suite or key.status != "in-force":
            continue
        if other.issued_at > fresh.issued_at:
            return True
        register.execute("UPDATE vendor_keys SET status = 'retired' WHERE key_id = ?", (key.key_id,))
        logger.info("retired vendor key %s: %s takes its place", key.key_id, fresh.key_id)
    return False


def set_device_status(*, store: Store, device: str, status: Status) -> None:
    """Raises `Refused`: `not-found`; `conflict`, because revoked is for ever."""
    with store.transaction() as register:
        known = get_device(register, device)
        _check_change(known, status)
        register.execute("UPDATE devices SET status = ? WHERE device = ?", (status, device))
    logger.warning("device %s is now %s", device, status)


def set_vendor_key_status(*, store: Store, key_id: str, status: Status) -> None:
    """Raises `Refused`: `not-found`; `conflict`, because revoked is for ever."""
    with store.transaction() as register:
        known = get_vendor_key(register, key_id)
        _check_change(known, status)
        register.execute("UPDATE vendor_keys SET status = ? WHERE key_id = ?", (status, key_id))
    logger.warning("vendor key %s is now %s", key_id, status)


def _check_change(known: Device | VendorKey | None, status: Status) -> None:
    if known is None:
        raise Refused("not-found")
    if known.status == "revoked" and status != "revoked":
        raise Refused("conflict", "what was revoked stays revoked")


def _requested_key(request: bytes) -> Ed25519PublicKey:
    try:
        parsed = x509.load_pem_x509_csr(request)
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("malformed", "not a certificate request in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Refused("key-weak", "a device's identity key is an Ed25519 key")
    if not parsed.is_signature_valid:
        raise Refused("signature-invalid", "the certificate request is not signed by its own key")
    return key
