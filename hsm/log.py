"""Commands on the log: reading lanes in bulk, and checkpoints signed over all lanes of a partition."""

import logging
import re

from hsm import lanes
from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.records import log_head_path
from strongroom.protocol import commands
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, GENESIS, WORLD_LOG
from strongroom.protocol.statements import Checkpoint, LaneHead

MAX_ENTRIES = 10_000
logger = logging.getLogger("hsm")
_CURSOR = re.compile(r"\d{1,18}", re.ASCII)


@handles(commands.ListLanes, states=OPERATIONAL, callers=PORTAL)
def list_lanes(device: Device, _command: commands.ListLanes) -> commands.ListLanesReply:
    return commands.ListLanesReply([ADMIN_LANE, *lanes.lane_names(device.folder / "lanes")])


@handles(commands.ReadLane, states=OPERATIONAL, callers=PORTAL)
def read_lane(device: Device, command: commands.ReadLane) -> commands.ReadLaneReply:
    """Entries in the order written, of all partitions: what the portal copies. Nothing in them is secret."""
    limit = max(1, min(command.limit, MAX_ENTRIES))
    if command.lane != ADMIN_LANE:
        folder = device.folder / "lanes"
        if command.lane not in lanes.lane_names(folder):
            raise Refused("not-found")
        return lanes.read_lane(folder, command.lane, device.records.keys.lane_key(), command.cursor, limit)
    cursor = command.cursor or "0"
    if not _CURSOR.fullmatch(cursor):
        raise Refused("malformed", "not a cursor of this lane")
    entries: list[commands.LoggedEntry] = []
    size = 0
    for position, partition, n, body in device.records.store.entries_after(int(cursor)):
        entries.append(commands.LoggedEntry(partition, n, body))
        cursor, size = str(position), size + len(body)
        if len(entries) >= limit or size >= lanes.READ_BYTES:
            return commands.ReadLaneReply(entries, cursor, more=True)
    return commands.ReadLaneReply(entries, cursor)


@handles(commands.MakeCheckpoint, states=OPERATIONAL, callers=PORTAL)
def make_checkpoint(device: Device, command: commands.MakeCheckpoint) -> commands.MakeCheckpointReply:
    """Sign every lane's count and head of one partition's log at this moment, of lanes without a worker too."""
    if not 16 <= len(command.nonce) <= 128:
        raise Refused("malformed", "a nonce has 16 to 128 characters")
    if command.partition != WORLD_LOG:
        device.records.need(f"partitions/{command.partition}", r.Partition)
    path = log_head_path(command.partition)
    head = device.records.get(path, r.Head) or r.Head()
    heads = {ADMIN_LANE: LaneHead(head.count, head.head.hex())}
    worked = device.worker_heads(command.partition)
    for lane in lanes.lane_names(device.folder / "lanes"):
        count, lane_head = worked.get(lane) or _idle_head(device, lane, command.partition)
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


def _idle_head(device: Device, lane: str, partition: str) -> tuple[int, bytes]:
    """From its files the head in a lane that no worker has open: left out, its last entries could be hidden."""
    found = lanes.recover(device.folder / "lanes", lane, device.records.keys.lane_key())
    return found.heads.get(partition, (0, GENESIS))


def log_recovery(device: Device, lane: str, gap: int) -> None:
    """Put on record that a lane's end was cut off when it was opened: a torn write, or an altered file."""
    logger.warning(
        "lane %s: its last %d bytes cannot be read and are left behind (a torn write, or an altered file); "
        "the world's log has it as lane:recover",
        lane,
        gap,
    )
    with device.records.transaction() as changes:
        changes.log(
            WORLD_LOG,
            epoch=device.boot_epoch,
            time=device.now(),
            event="lane:recover",
            details={"lane": lane, "bytes": gap},
        )
