"""The import: from an envelope to a key in a partition, with a receipt. Each step refuses before the next is tried."""

import re
from dataclasses import dataclass

from hsm import material as m
from hsm import records as r
from hsm.access import Access
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.making import make_material
from hsm.records import log_head_path
from hsm.revocation_bounds import bounds_in_force, check_revocation_here
from hsm.wrapping_keys import open_vendor_layer, strip_with_own_key
from hsm.x509_chain import check_chain
from strongroom.protocol import commands, jws
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import (
    IMPORT_ID,
    ORIGIN_EVENTS,
    Envelope,
    ImportHeader,
    check_header,
    check_sizes,
    header_digest,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import VersionConsent, check_owner
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import MADE_SIZES, Terms, check_not_looser, check_sealed_at, read_terms

MAX_CONSENT = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@handles(commands.ImportKey, states=OPERATIONAL, callers=PORTAL)
def import_key(device: Device, command: commands.ImportKey) -> commands.ImportKeyReply:
    """Open an envelope into its partition. The same header sent again returns the same receipt."""
    # 1. Its size is that of an envelope.
    envelope = Envelope(header=command.header, material=command.material, terms=command.terms)
    check_sizes(envelope)
    if len(command.consent) > MAX_CONSENT:
        raise Refused("too-large")
    # 2. A device on the partition's access list, with the right to import, signed the header.
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    signer = jws.signer(envelope.header)
    header = check_header(envelope, Access(partition).device(signer, "import"))
    # 3. It is for this device, partition and tenant.
    _check_addressee(device, command, partition, header)
    # 4. It was not seen before (or it was: then this is the answer again), names an owner in force, and a free version.
    kept = device.records.get(import_path(command.partition, header.import_id), r.Import)
    if kept is not None:
        if kept.header_digest != header_digest(envelope.header):
            raise Refused("import-replayed")
        return commands.ImportKeyReply(kept.receipt)
    if header.owner not in [owner.fingerprint for owner in partition.owners]:
        raise Refused("wrong-owner")
    before = _version_before(device, header)
    # 5. The provider layer comes off, where the TEE is to take it off, and then the vendor layer.
    if header.transport == "tee":
        envelope = strip_with_own_key(device, envelope, header)
    material, terms_bytes = open_vendor_layer(device, envelope, header)
    # 6. The terms are ones that this device enforces, and not looser than before unless the owner consents.
    terms = _read_sealed_terms(device, terms_bytes, header.created_at)
    consent = _check_succession(terms, before, header, partition, command.consent) if before else ""
    # 7. The key (which may be made now) is what the terms say and works, and its certificates are its own.
    material = _material(header, terms, material, before)
    key = m.load(terms, material, checked=False)
    m.self_test(key)
    check_chain(terms.certificates, m.public_key_der(key))
    # 8. Key, name, import, receipt and log entry are written together.
    key_id = before.key_id if before else make_id("key_")
    named = r.replaced(before.named, current=header.version) if before else r.NamedKey(header.name, header.version)
    content = _Content(key, terms, terms_bytes, material, key_id, named, consent)
    return commands.ImportKeyReply(
        _store(device, header, sent=header_digest(envelope.header), signer=signer, content=content)
    )


@handles(commands.FindImport, states=OPERATIONAL, callers=PORTAL)
def find_import(device: Device, command: commands.FindImport) -> commands.ImportKeyReply:
    """The receipt of an import that may have been interrupted before its answer arrived."""
    return commands.ImportKeyReply(
        device.records.need(import_path(command.partition, command.import_id), r.Import).receipt
    )


def _check_addressee(device: Device, command: commands.ImportKey, partition: r.Partition, header: ImportHeader) -> None:
    if header.device != device.device_id:
        raise Refused("wrong-device")
    if header.partition != command.partition:
        raise Refused("wrong-partition")
    if not header.tenant == command.tenant == partition.tenant:
        raise Refused("wrong-tenant")
    if not _NAME.fullmatch(header.name) or not IMPORT_ID.fullmatch(header.import_id):
        raise Refused("malformed", "a name has 1 to 64 letters, digits, dots, hyphens and underscores")
    # Terms permit translation to a key by its name or id: no key may be named like the id of another.
    if header.name.startswith("key_"):
        raise Refused("malformed", "a name does not begin with 'key_', as ids do")


@dataclass(frozen=True)
class _Before:
    """The key that a new version follows, and its newest version."""

    key_id: str
    named: r.NamedKey
    stored: r.StoredKey


def _version_before(device: Device, header: ImportHeader) -> _Before | None:
    """What the header's version follows: nothing for the first. Raises `Refused("name-taken" | "conflict")`."""
    folder = f"partitions/{header.partition}"
    name = device.records.get(f"{folder}/names/{header.name}", r.Name)
    if name is None:
        if header.version != 1:
            raise Refused("conflict", "there is no key of this name to make a new version of")
        return None
    if header.version == 1:
        raise Refused("name-taken")
    named = device.records.need(f"{folder}/keys/{name.key}", r.NamedKey)
    if header.version != named.current + 1:
        raise Refused("conflict", f"version {named.current} is the newest")
    if named.destroyed:
        raise Refused("conflict", "the key was destroyed; choose another name")
    return _Before(name.key, named, device.records.need(f"{folder}/keys/{name.key}/{named.current}", r.StoredKey))


def _check_succession(terms: Terms, before: _Before, header: ImportHeader, partition: r.Partition, consent: str) -> str:
    """The owner's consent where the terms need it, else empty. Raises `Refused("terms-looser")` without it."""
    try:
        check_not_looser(terms, read_terms(before.stored.terms))
    except Refused as looser:
        if not consent:
            raise Refused(looser.code) from None  # which term it is, the provider may not learn
        given = check_owner(consent, VersionConsent, partition.owners)
        wanted = (header.partition, header.import_id, header.name, header.version, header.terms_digest)
        if (given.partition, given.import_id, given.name, given.version, given.terms_digest) != wanted:
            raise Refused("terms-looser", "the owner's consent is to another import") from None
        return consent
    return ""


def _material(header: ImportHeader, terms: Terms, imported: bytes, before: _Before | None) -> bytes:
    """Of an import what it brought; of the others a fresh key, or that of the version before."""
    if (header.origin == "made" and terms.key_type in MADE_SIZES) != (terms.size is not None):
        raise Refused("terms-refused")
    if header.origin == "made":
        return make_material(terms)
    if header.origin == "imported":
        return imported
    if before is None or before.stored.destroyed:
        raise Refused("conflict", "there is no key of a version before to keep")
    return before.stored.material


def _read_sealed_terms(device: Device, terms: bytes, sealed_at: int) -> Terms:
    """As `read_terms`, without a word on what is wrong: the answer passes the provider, who may not learn of terms.

    What it says of refused terms is true whatever is wrong: the device's own bounds, which a client cannot know
    beforehand. With any other code that would mislead, and the code says enough.
    """
    try:
        read = read_terms(terms)
        check_revocation_here(device, read)
        check_sealed_at(read, sealed_at)
        return read
    except Refused as error:
        if error.code != "terms-refused":
            raise Refused(error.code) from None
        shortest, longest = bounds_in_force(device)
        detail = f"whatever it was: a revocation interval has {shortest} to {longest} seconds on this device"
        raise Refused(error.code, detail) from None


@dataclass(frozen=True)
class _Content:
    """What an envelope held, checked, and the key that it becomes (a version of)."""

    key: m.Key
    terms: Terms
    terms_bytes: bytes
    material: bytes
    key_id: str
    named: r.NamedKey
    consent: str


def _store(device: Device, header: ImportHeader, *, sent: str, signer: str, content: _Content) -> str:
    """Write the key and all that goes with it; `sent` is the header's digest. Returns the receipt."""
    folder = f"partitions/{header.partition}"
    with device.records.transaction() as changes:
        head = device.records.get(log_head_path(header.partition), r.Head) or r.Head()
        statement = Receipt(
            import_id=header.import_id,
            key_id=content.key_id,
            name=header.name,
            version=header.version,
            origin=header.origin,
            key_type=content.terms.key_type,
            public_key=m.public_key_pem(content.key),
            check_value=m.check_value(content.key),
            terms_digest=header.terms_digest,
            header_digest=sent,
            tenant=header.tenant,
            partition=header.partition,
            owner=header.owner,
            device=device.device_id,
            log_position=head.count + 1,
            imported_at=device.now(),
        )
        receipt = device.sign(statement)
        stored = r.StoredKey(receipt, header.name, header.version, content.terms_bytes, content.material)
        changes.put(f"{folder}/keys/{content.key_id}", content.named)
        changes.put(f"{folder}/keys/{content.key_id}/{header.version}", stored)
        changes.put(f"{folder}/names/{header.name}", r.Name(content.key_id))
        changes.put(import_path(header.partition, header.import_id), r.Import(statement.header_digest, receipt))
        if header.suite == "RSA-AES-KWP":
            changes.delete(f"{folder}/single-use/{header.vendor_key}")
        changes.log(
            header.partition,
            epoch=device.boot_epoch,
            time=statement.imported_at,
            event=ORIGIN_EVENTS[header.origin],
            principal=f"device:{signer}",
            key=content.key_id,
            digest=statement.header_digest,
            details={
                "name": header.name,
                "version": header.version,
                "terms_digest": header.terms_digest,
                "import_id": header.import_id,
                "transport": header.transport,
                "suite": header.suite,
            }
            | ({"consent": content.consent} if content.consent else {}),
        )
    return receipt


def import_path(partition: str, import_id: str) -> str:
    return f"partitions/{partition}/imports/{import_id}"
