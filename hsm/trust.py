"""What the device says of itself and of its keys, for anyone to check before trusting it."""

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import ANYONE, INITIALISED, OPERATIONAL, PORTAL, handles
from hsm.records import log_head_path
from strongroom.protocol import commands
from strongroom.protocol.access import access_list_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation, PartitionEvidence


@handles(commands.PublishKeys, states=OPERATIONAL, callers=ANYONE)
def publish_keys(device: Device, _command: commands.PublishKeys) -> commands.PublishKeysReply:
    """Endorsements of the wrapping keys and the operations keys in force."""
    certificate = device.records.need("device/certificate", r.Certificate)
    published = (
        [key.endorsement for key in _in_force(device, folder).values()]
        for folder in ("world/vendor-keys/", "world/provider-keys/", "world/operations-keys/")
    )
    return commands.PublishKeysReply(device.device_id, certificate.certificate, *published)


@handles(commands.Attest, states=INITIALISED, callers=PORTAL)
def attest(device: Device, command: commands.Attest) -> commands.AttestReply:
    """An attestation over the asker's nonce; of a partition too, where the device is operational."""
    if not 16 <= len(command.nonce) <= 128:
        raise Refused("malformed", "a nonce has 16 to 128 characters")
    if command.partition and not device.unsealed:
        raise Refused("hsm-sealed")
    evidence = _partition_evidence(device, command.partition) if command.partition else None
    head = device.records.get(log_head_path(command.partition), r.Head) if device.unsealed else None
    statement = Attestation(
        nonce=command.nonce,
        device=device.device_id,
        mode=device.mode,
        state=device.state,
        world=device.world,
        officer_epoch=device.officers().epoch if device.unsealed else 0,
        measurement=device.measurement,
        boot_epoch=device.boot_epoch,
        vendor_keys=list(_in_force(device, "world/vendor-keys/")) if device.unsealed else [],
        provider_keys=list(_in_force(device, "world/provider-keys/")) if device.unsealed else [],
        partition=evidence,
        last_checkpoint=head.checkpoint if head else "",
        issued_at=device.now(),
    )
    return commands.AttestReply(device.sign(statement))


def _partition_evidence(device: Device, partition: str) -> PartitionEvidence:
    record = device.records.need(f"partitions/{partition}", r.Partition)
    return PartitionEvidence(
        partition=partition,
        owners=[owner.fingerprint for owner in record.owners],
        access_list_version=record.version,
        access_list_digest=access_list_digest(record.document or None),
        devices=[device.device_id],
        defined_by=record.defined_by,
    )


def _in_force(device: Device, folder: str) -> dict[str, r.WrappingKey]:
    found = {}
    for path in device.records.store.paths(folder):
        key = device.records.need(path, r.WrappingKey)
        if key.in_force:
            found[path.removeprefix(folder)] = key
    return found
