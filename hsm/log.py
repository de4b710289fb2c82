"""Commands on the log: reading lanes in bulk, and checkpoints signed over all lanes of a partition."""

from hsm import lanes
from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.records import log_head_path
from strongroom.protocol import commands
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, WORLD_LOG
from strongroom.protocol.statements import Checkpoint, LaneHead

MAX_ENTRIES = 10_000


@handles(commands.ListLanes, states=OPERATIONAL, callers=PORTAL)
def list_lanes(device: Device, _command: commands.ListLanes) -> commands.ListLanesReply:
    return commands.ListLanesReply([ADMIN_LANE, *worker_lanes(device)])


@handles(commands.ReadLane, states=OPERATIONAL, callers=PORTAL)
def read_lane(device: Device, command: commands.ReadLane) -> commands.ReadLaneReply:
    """Entries in the order written, of all partitions: what the portal copies. Nothing in them is secret."""
    limit = max(1, min(command.limit, MAX_ENTRIES))
    if command.lane != ADMIN_LANE:
        if command.lane not in worker_lanes(device):
            raise Refused("not-found")
        key = device.records.keys.lane_key()
        return commands.ReadLaneReply(
            *lanes.read_lane(device.folder / "lanes", command.lane, key, command.cursor, limit)
        )
    try:
        after = int(command.cursor or "0")
    except ValueError:
        raise Refused("malformed", "not a cursor of this lane") from None
    rows = device.records.store.entries_after(after, limit)
    entries = [commands.LoggedEntry(partition, n, body) for _, partition, n, body in rows]
    return commands.ReadLaneReply(entries, str(rows[-1][0] if rows else after))


@handles(commands.MakeCheckpoint, states=OPERATIONAL, callers=PORTAL)
def make_checkpoint(device: Device, command: commands.MakeCheckpoint) -> commands.MakeCheckpointReply:
    """Sign every lane's count and head of one partition's log at this moment."""
    if command.partition != WORLD_LOG:
        device.records.need(f"partitions/{command.partition}", r.Partition)
    path = log_head_path(command.partition)
    head = device.records.get(path, r.Head) or r.Head()
    heads = {ADMIN_LANE: LaneHead(head.count, head.head.hex())}
    for lane, (count, lane_head) in device.worker_heads(command.partition).items():
        if count:
            heads[lane] = LaneHead(count, lane_head.hex())
    checkpoint = device.sign(
        Checkpoint(
            device=device.device_id,
            world=device.world,
            partition=command.partition,
            boot_epoch=device.boot_epoch,
            lanes=heads,
            nonce=command.nonce,
            issued_at=device.now(),
        )
    )
    with device.records.transaction() as changes:
        changes.put(path, r.replaced(head, checkpoint=digest(checkpoint.encode())))
    return commands.MakeCheckpointReply(checkpoint)


def worker_lanes(device: Device) -> list[str]:
    """Names of the workers' lanes, also of those that no worker writes any more."""
    return sorted({path.name.rpartition("-")[0] for path in (device.folder / "lanes").glob("*.log")})


def log_recovery(device: Device, lane: str, gap: int) -> None:
    """Put on record that a lane's end was cut off when it was opened: a torn write, or an altered file."""
    with device.records.transaction() as changes:
        changes.log(
            WORLD_LOG,
            epoch=device.boot_epoch,
            time=device.now(),
            event="lane:recover",
            details={"lane": lane, "bytes": gap},
        )
