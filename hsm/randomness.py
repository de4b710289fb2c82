"""Random bytes for those on a partition's access list."""

import os

from hsm import records as r
from hsm.access import Access
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from strongroom.protocol import commands
from strongroom.protocol.errors import Refused


@handles(commands.MakeRandom, states=OPERATIONAL, callers=PORTAL)
def make_random(device: Device, command: commands.MakeRandom) -> commands.MakeRandomReply:
    """`length` bytes of the operating system's generator, on record."""
    if not 1 <= command.length <= commands.MOST_RANDOM:
        raise Refused("malformed", f"1 to {commands.MOST_RANDOM} bytes")
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    Access(partition).check_listed(command.principal)
    with device.records.transaction() as changes:
        changes.log(
            command.partition,
            epoch=device.boot_epoch,
            time=device.now(),
            event="random:make",
            principal=command.principal,
            details={"bytes": command.length},
        )
    return commands.MakeRandomReply(os.urandom(command.length))
