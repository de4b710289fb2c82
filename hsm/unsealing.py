"""Unsealing: K officers' parts, each sealed to a fresh key of this start, give the world key back."""

import time

from hsm import records as r
from hsm import splitting
from hsm.device import Device, UnsealAttempt
from hsm.dispatch import ANYONE, handles
from hsm.keytree import KeyTree, storage_root
from hsm.sealed_operations import ensure_operations_key
from strongroom.protocol import commands
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import WORLD_LOG
from strongroom.protocol.sealing import RecipientPrivateKey

ATTEMPT_SECONDS = 900.0
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0


@handles(commands.BeginUnseal, states=("sealed",), callers=ANYONE)
def begin_unseal(device: Device, command: commands.BeginUnseal) -> commands.BeginUnsealReply:
    """The fresh unseal key, endorsed over this officer's nonce; the same key while an attempt is under way."""
    if not 16 <= len(command.nonce) <= 128:
        raise Refused("malformed", "a nonce has 16 to 128 characters")
    return commands.BeginUnsealReply(device.endorse_unseal_key(_attempt(device).key, command.nonce))


@handles(commands.GiveUnsealPart, states=("sealed",), callers=ANYONE)
def give_unseal_part(device: Device, command: commands.GiveUnsealPart) -> commands.GiveUnsealPartReply:
    """Take one part. With the K-th the device becomes operational. Wrong parts make everyone wait, longer each time."""
    # 1. Not while a wrong part is still being paid for.
    if time.monotonic() < device.wait_until:
        raise Refused("throttled", "a wrong part was given")
    unsealing = device.records.need("device/unsealing", r.Unsealing)
    attempt = _attempt(device)
    # 2. The part is one of this world's.
    try:
        if command.key_id != attempt.key.public().key_id("uk_") or command.card not in unsealing.names:
            raise Refused("unseal-part-refused", "another unseal key, or not a security officer's card")
        info = commands.unseal_part_info(device.world, command.card, command.key_id)
        part = attempt.key.open(command.part, info)
        if splitting.commitment(part, command.card, device.world) != unsealing.commitments[command.card]:
            raise Refused("unseal-part-refused")
    except Refused:
        device.wrong_parts += 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** (device.wrong_parts - 1), LONGEST_WAIT_SECONDS)
        device.wait_until = time.monotonic() + wait
        raise Refused("unseal-part-refused") from None
    attempt.parts[command.card] = part
    # 3. With K distinct officers' parts: the unseal secret, then the world key.
    progress = len({unsealing.names[card] for card in attempt.parts})
    if progress >= unsealing.threshold:
        secret = splitting.join(attempt.parts, unsealing.names, unsealing.threshold, unsealing.wraps, device.world)
        root_tree = KeyTree(device.device_secret(), storage_root(secret, device.device_secret()))
        unlocked = device.unlocked_records(root_tree.open("world-key", unsealing.world_key))
        # 4. On record, or not unsealed; the ceremony's answer has served.
        with unlocked.transaction() as changes:
            ensure_operations_key(device, unlocked, changes)
            cards = sorted(attempt.parts)
            changes.log(
                WORLD_LOG,
                epoch=device.boot_epoch,
                time=device.now(),
                event="world:unseal",
                details={"cards": cards, "measurement": device.measurement},
            )
            if unsealing.reply:
                forgotten = {"request": b"", "reply": b""}
                changes.put("device/unsealing", r.replaced(unsealing, **forgotten))
        device.unlock(unlocked)
        device.attempt, device.wrong_parts = None, 0
    return commands.GiveUnsealPartReply(progress, unsealing.threshold, device.state)


def _attempt(device: Device) -> UnsealAttempt:
    if device.attempt is None or time.monotonic() > device.attempt.expires:
        device.attempt = UnsealAttempt(RecipientPrivateKey.generate(), time.monotonic() + ATTEMPT_SECONDS)
    return device.attempt
