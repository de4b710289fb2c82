"""Vendor and provider keys: made, endorsed, rotated, and used to open envelopes. Their private halves stay here."""

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.records import Changes
from strongroom.protocol import commands
from strongroom.protocol.encoding import b64u
from strongroom.protocol.envelope import IMPORT_ID, Envelope, ImportHeader, strip_provider_layer, unwrap
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement
from strongroom.protocol.suites import Suite, generate, private_key

SINGLE_USE_SECONDS = 3600
MOST_SINGLE_USE_KEYS = 100


def make_wrapping_key(device: Device, changes: Changes, purpose: str, suite: Suite) -> str:
    """Make a `vendor-key` or `provider-key` of `suite`, endorse it and keep it in force. Returns its id."""
    key = generate(suite)
    key_id = key.public().key_id("vk_" if purpose == "vendor-key" else "pk_")
    endorsement = Endorsement(
        device=device.device_id,
        purpose="vendor-key" if purpose == "vendor-key" else "provider-key",
        key_id=key_id,
        public_key=b64u(key.public().raw),
        suite=suite,
        issued_at=device.now(),
    )
    changes.put(f"world/{purpose}s/{key_id}", r.WrappingKey(key.raw, device.sign(endorsement), suite))
    return key_id


def rotate_wrapping_key(device: Device, changes: Changes, purpose: str, suite: Suite) -> str:
    """Retire the key of this purpose and suite that is in force and make its successor. Returns the successor's id."""
    for path in device.records.store.paths(f"world/{purpose}s/"):
        kept = device.records.need(path, r.WrappingKey)
        if kept.suite == suite and kept.in_force:
            # Nothing can be opened with a retired key any more, so its private half need not be kept.
            changes.put(path, r.replaced(kept, in_force=False, private_key=b""))
            changes.erases = True
    return make_wrapping_key(device, changes, purpose, suite)


def check_in_force(device: Device, purpose: str, key_id: str) -> None:
    """Raise `Refused("not-found")` unless the device has that key in force."""
    if not device.records.need(f"world/{purpose}s/{key_id}", r.WrappingKey).in_force:
        raise Refused("not-found", "the key is retired already")


def retire_wrapping_key(device: Device, changes: Changes, purpose: str, key_id: str) -> str:
    """Retire a key without a successor: its private half is gone."""
    path = f"world/{purpose}s/{key_id}"
    kept = device.records.need(path, r.WrappingKey)
    changes.put(path, r.replaced(kept, in_force=False, private_key=b""))
    changes.erases = True
    return key_id


@handles(commands.MakeSingleUseKey, states=OPERATIONAL, callers=PORTAL)
def make_single_use_key(device: Device, command: commands.MakeSingleUseKey) -> commands.MakeSingleUseKeyReply:
    """A vendor key for exactly one import: what the suite cannot bind into a ciphertext, the key itself is bound to."""
    # 1. It is for an import into this partition, by one of its owners.
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    if command.owner not in [owner.fingerprint for owner in partition.owners]:
        raise Refused("wrong-owner")
    if not IMPORT_ID.fullmatch(command.import_id):
        raise Refused("malformed", "not an import id")
    # 2. There is room for one more: the expired go, and beyond the limit the oldest, which means to wrap again.
    folder, now = f"partitions/{command.partition}/single-use/", device.now()
    ends = {path: device.records.need(path, r.SingleUseKey).expires_at for path in device.records.store.paths(folder)}
    by_age = sorted(ends, key=lambda path: ends[path])
    expired = [path for path in by_age if ends[path] <= now]
    leaving = by_age[: max(len(expired), len(by_age) + 1 - MOST_SINGLE_USE_KEYS)]
    # 3. The key, endorsed for that one import.
    key = generate("RSA-AES-KWP")
    key_id = key.public().key_id("vk_")
    endorsement = Endorsement(
        device=device.device_id,
        purpose="single-use-vendor-key",
        key_id=key_id,
        public_key=b64u(key.public().raw),
        suite="RSA-AES-KWP",
        import_id=command.import_id,
        partition=command.partition,
        owner=command.owner,
        expires_at=now + SINGLE_USE_SECONDS,
        issued_at=now,
    )
    with device.records.transaction() as changes:
        for path in leaving:
            changes.delete(path)
        kept = r.SingleUseKey(key.raw, command.import_id, command.owner, now + SINGLE_USE_SECONDS)
        changes.put(folder + key_id, kept)
    return commands.MakeSingleUseKeyReply(device.sign(endorsement))


def strip_with_own_key(device: Device, envelope: Envelope, header: ImportHeader) -> Envelope:
    """Take off the provider layer with the device's own provider key. Raises `Refused("provider-key-unknown")`."""
    kept = device.records.get(f"world/provider-keys/{header.provider_key}", r.WrappingKey)
    if kept is None or not kept.in_force or kept.suite != header.suite:
        raise Refused("provider-key-unknown")
    return strip_provider_layer(envelope, header, private_key(kept.suite, kept.private_key))


def open_vendor_layer(device: Device, envelope: Envelope, header: ImportHeader) -> tuple[bytes, bytes]:
    """(material, terms) in clear. Raises `Refused("vendor-key-unknown")`, and what `unwrap` does."""
    if header.suite == "RSA-AES-KWP":
        path = f"partitions/{header.partition}/single-use/{header.vendor_key}"
        single = device.records.get(path, r.SingleUseKey)
        if single is None or device.now() >= single.expires_at:
            raise Refused("vendor-key-unknown", "a key of this suite serves once, within an hour")
        if (single.import_id, single.owner) != (header.import_id, header.owner):
            raise Refused("vendor-key-unknown", "that key was made for another import")
        return unwrap(envelope, header, private_key(header.suite, single.private_key))
    kept = device.records.get(f"world/vendor-keys/{header.vendor_key}", r.WrappingKey)
    if kept is None or not kept.in_force or kept.suite != header.suite:
        raise Refused("vendor-key-unknown")
    return unwrap(envelope, header, private_key(kept.suite, kept.private_key))
