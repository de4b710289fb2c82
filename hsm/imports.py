"""The import: from an envelope to a key in a partition, with a receipt. Each step refuses before the next is tried."""

import re
from dataclasses import dataclass

from hsm import material as m
from hsm import records as r
from hsm.access import Access
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.records import log_head_path
from strongroom.protocol import commands, jws
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import (
    Envelope,
    ImportHeader,
    check_header,
    check_sizes,
    header_digest,
    unwrap,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, read_terms

LISTED_KEYS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IMPORT_ID = re.compile(r"imp_[a-z2-7]{32}")


@handles(commands.ImportKey, states=OPERATIONAL, callers=PORTAL)
def import_key(device: Device, command: commands.ImportKey) -> commands.ImportKeyReply:
    """Open an envelope into its partition. The same header sent again returns the same receipt."""
    # 1. Its size is that of an envelope.
    envelope = Envelope(header=command.header, material=command.material, terms=command.terms)
    check_sizes(envelope)
    # 2. A device on the partition's access list, with the right to import, signed the header.
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    signer = Access(partition).device(jws.signer(envelope.header), "import")
    header = check_header(envelope, signer.public_key())
    # 3. It is for this device, partition and tenant.
    _check_addressee(device, command, partition, header)
    # 4. It was not seen before (or it was: then this is the answer again), names an owner in force, and a free name.
    kept = device.records.get(_import_path(command.partition, header.import_id), r.Import)
    if kept is not None:
        if kept.header_digest != header_digest(envelope.header):
            raise Refused("import-replayed")
        return commands.ImportKeyReply(kept.receipt)
    if header.owner not in [owner.fingerprint for owner in partition.owners]:
        raise Refused("wrong-owner")
    if device.records.get(f"partitions/{command.partition}/names/{header.name}", r.Name) is not None:
        raise Refused("name-taken")
    # 5. Both layers come off, with keys that are in force, and hold what the header states.
    vendor_key = _wrapping_key(device, f"world/vendor-keys/{header.vendor_key}", "vendor-key-unknown")
    provider_key = _wrapping_key(device, f"world/provider-keys/{header.provider_key}", "provider-key-unknown")
    material, terms_bytes = unwrap(envelope, header, vendor_key, provider_key)
    # 6. The terms are ones that this device enforces, and the key is what they say and works.
    terms = _read_sealed_terms(terms_bytes)
    key = m.load(terms.key_type, material, checked=False)
    m.self_test(key)
    # 7. Key, name, import, receipt and log entry are written together.
    content = _Content(key, terms, terms_bytes, material)
    return commands.ImportKeyReply(
        _store(device, header, sent=header_digest(envelope.header), signer=signer.fingerprint, content=content)
    )


@handles(commands.FindImport, states=OPERATIONAL, callers=PORTAL)
def find_import(device: Device, command: commands.FindImport) -> commands.ImportKeyReply:
    """The receipt of an import that may have been interrupted before its answer arrived."""
    return commands.ImportKeyReply(
        device.records.need(_import_path(command.partition, command.import_id), r.Import).receipt
    )


@handles(commands.ListKeys, states=OPERATIONAL, callers=PORTAL)
def list_keys(device: Device, command: commands.ListKeys) -> commands.ListKeysReply:
    """Receipt and state of each key: what the portal needs to rebuild its own list."""
    device.records.need(f"partitions/{command.partition}", r.Partition)
    folder = f"partitions/{command.partition}/keys/"
    paths = [path for path in device.records.store.paths(folder) if path > folder + command.after]
    keys: list[tuple[str, str]] = []
    for path in paths[:LISTED_KEYS]:
        stored = device.records.need(path, r.StoredKey)
        keys.append((stored.receipt, read_terms(stored.terms).state_at(device.now())))
    last = paths[LISTED_KEYS - 1].removeprefix(folder) if len(paths) > LISTED_KEYS else ""
    return commands.ListKeysReply(keys, last)


def _check_addressee(device: Device, command: commands.ImportKey, partition: r.Partition, header: ImportHeader) -> None:
    if header.device != device.device_id:
        raise Refused("wrong-device")
    if header.partition != command.partition:
        raise Refused("wrong-partition")
    if not header.tenant == command.tenant == partition.tenant:
        raise Refused("wrong-tenant")
    if not _NAME.fullmatch(header.name) or not _IMPORT_ID.fullmatch(header.import_id):
        raise Refused("malformed", "a name has 1 to 64 letters, digits, dots, hyphens and underscores")
    # Terms permit translation to a key by its name or id: no key may be named like the id of another.
    if header.name.startswith("key_"):
        raise Refused("malformed", "a name does not begin with 'key_', as ids do")


def _read_sealed_terms(terms: bytes) -> Terms:
    """As `read_terms`, without a word on what is wrong: the answer passes the provider, who may not learn of terms."""
    try:
        return read_terms(terms)
    except Refused as error:
        raise Refused(error.code) from None


def _wrapping_key(device: Device, path: str, code: str) -> RecipientPrivateKey:
    kept = device.records.get(path, r.WrappingKey)
    if kept is None or not kept.in_force:
        raise Refused(code)
    return RecipientPrivateKey(kept.private_key)


@dataclass(frozen=True)
class _Content:
    """What an envelope held, checked."""

    key: m.Key
    terms: Terms
    terms_bytes: bytes
    material: bytes


def _store(device: Device, header: ImportHeader, *, sent: str, signer: str, content: _Content) -> str:
    """Write the key and all that goes with it; `sent` is the header's digest. Returns the receipt."""
    folder = f"partitions/{header.partition}"
    with device.records.transaction() as changes:
        head = device.records.get(log_head_path(header.partition), r.Head) or r.Head()
        statement = Receipt(
            import_id=header.import_id,
            key_id=make_id("key_"),
            name=header.name,
            version=1,
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
        stored = r.StoredKey(receipt, header.name, 1, content.terms_bytes, content.material)
        changes.put(f"{folder}/keys/{statement.key_id}", stored)
        changes.put(f"{folder}/names/{header.name}", r.Name(statement.key_id))
        changes.put(_import_path(header.partition, header.import_id), r.Import(statement.header_digest, receipt))
        changes.log(
            header.partition,
            epoch=device.boot_epoch,
            time=statement.imported_at,
            event="key:import",
            principal=f"device:{signer}",
            key=statement.key_id,
            digest=statement.header_digest,
            details={"name": header.name, "terms_digest": header.terms_digest, "import_id": header.import_id},
        )
    return receipt


def _import_path(partition: str, import_id: str) -> str:
    return f"partitions/{partition}/imports/{import_id}"
