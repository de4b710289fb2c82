"""Officers as the world has them: listing, changing them by quorum, and sharing the unseal secret among them."""

import os
from collections.abc import Mapping

from hsm import records as r
from hsm import splitting
from hsm.device import Device
from hsm.dispatch import ANYONE, INITIALISED, OPERATIONAL, PORTAL, handles
from hsm.keytree import KeyTree, storage_root
from hsm.limits import limits
from hsm.revocation_bounds import bounds_in_force
from strongroom.protocol import commands
from strongroom.protocol.action_table import ChangeOfficers, OfficerEnrolment, SetRevocationBounds, UpdateLimits
from strongroom.protocol.admin_actions import Officer, check_thresholds
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import CeremonyTranscript, Roster


@handles(commands.ListOfficers, states=OPERATIONAL, callers=PORTAL)
def list_officers(device: Device, _command: commands.ListOfficers) -> commands.ListOfficersReply:
    enrolled = device.officers()
    return commands.ListOfficersReply(
        enrolled.epoch, device.world, enrolled.officers, enrolled.thresholds, make_roster(device)
    )


@handles(commands.ListUnsealParts, states=INITIALISED, callers=ANYONE)
def list_unseal_parts(device: Device, _command: commands.ListUnsealParts) -> commands.ListUnsealPartsReply:
    """The parts of the last change of officers, to a sealed device's officers too; the ceremony's are in its answer."""
    kept = device.records.need("device/unseal-parts", r.UnsealParts)
    return commands.ListUnsealPartsReply(device.world, kept.parts, kept.transcript)


def make_roster(device: Device) -> str:
    """The officers enrolled now, signed: with it anyone can count an action's approvals again."""
    enrolled, kept, (shortest, longest) = device.officers(), limits(device), bounds_in_force(device)
    return device.sign(
        Roster(
            device=device.device_id,
            world=device.world,
            epoch=enrolled.epoch,
            officers=enrolled.officers,
            thresholds=enrolled.thresholds,
            limits=UpdateLimits(action_hours=kept.action_hours, destruction_hours=kept.destruction_hours),
            revocation_bounds=SetRevocationBounds(shortest=shortest, longest=longest),
            issued_at=device.now(),
        )
    )


def changed_officers(device: Device, body: ChangeOfficers) -> r.Officers:
    """The officers as `body` would leave them. Raises `Refused("officer-unknown" | "quorum-rule-refused")`."""
    before = device.officers()
    cards = {one.credential.fingerprint for one in before.officers}
    if not set(body.retire) <= cards:
        raise Refused("officer-unknown", "a card to be retired is not enrolled")
    officers = [one for one in before.officers if one.credential.fingerprint not in body.retire]
    officers += [
        Officer(
            name=one.name,
            officer_class=one.officer_class,
            credential=one.credential,
            enrolled_epoch=before.epoch + 1,
            sealing_key=one.sealing_key,
        )
        for one in body.enrol
    ]
    check_thresholds(officers, body.thresholds, development=device.mode == "development")
    after = r.Officers(before.epoch + 1, officers, body.thresholds)
    if _security(after) != _security(before):
        splitting.check_sets(_names(after), after.thresholds["security"])
        for one in after.officers:
            if one.officer_class == "security":
                RecipientPublicKey.from_text(one.sealing_key)
    return after


def check_officers(device: Device, body: ChangeOfficers) -> None:
    """Raise `Refused` where `body` would leave officers that cannot be."""
    changed_officers(device, body)


def change_officers(device: Device, changes: r.Changes, body: ChangeOfficers) -> str:
    """Put the changed officers in force, in a new epoch, and share the unseal secret anew where that concerns them.

    Returns the epoch.
    """
    before, after = device.officers(), changed_officers(device, body)
    changes.put("world/officers", after)
    if _security(after) != _security(before):
        kept = device.records.need("device/unsealing", r.Unsealing)
        shared, parts = share_unseal_secret(device, device.world_key(), device.world, after)
        changes.put("device/unsealing", r.replaced(shared, request=kept.request, reply=kept.reply))
        transcript = device.sign(make_transcript(device, device.world, after))
        changes.put("device/unseal-parts", r.UnsealParts(parts, transcript))
        # An older sharing of the secret must not stay in the store's history.
        changes.erases = True
    return str(after.epoch)


def share_unseal_secret(
    device: Device, world_key: bytes, world: str, enrolled: r.Officers
) -> tuple[r.Unsealing, dict[str, bytes]]:
    """A fresh unseal secret over `world_key`: (what the device keeps of it, each security card's part sealed to it).

    Raises `Refused("quorum-rule-refused")` where there would be too many sets.
    """
    secret, names, threshold = os.urandom(32), _names(enrolled), enrolled.thresholds["security"]
    parts, wraps = splitting.split(secret, names, threshold, world)
    root_tree = KeyTree(device.device_secret(), storage_root(secret, device.device_secret()))
    unsealing = r.Unsealing(
        world=world,
        threshold=threshold,
        wraps=wraps,
        commitments={card: splitting.commitment(part, card, world) for card, part in parts.items()},
        names=names,
        world_key=root_tree.seal("world-key", world_key),
        request=b"",
        reply=b"",
    )
    return unsealing, _sealed_parts(enrolled, parts, world)


def enrol_first(enrolments: list[OfficerEnrolment], thresholds: dict[str, int]) -> r.Officers:
    """The officers of a ceremony, in epoch 1."""
    return r.Officers(
        1,
        [
            Officer(
                name=one.name,
                officer_class=one.officer_class,
                credential=one.credential,
                enrolled_epoch=1,
                sealing_key=one.sealing_key,
            )
            for one in enrolments
        ],
        thresholds,
    )


def make_transcript(device: Device, world: str, enrolled: r.Officers) -> CeremonyTranscript:
    """What was made, whose cards, which software, K and N: for everyone present."""
    return CeremonyTranscript(
        device=device.device_id,
        mode=device.mode,
        world=world,
        officers={one.credential.fingerprint: one.officer_class for one in enrolled.officers},
        thresholds=enrolled.thresholds,
        measurement=device.measurement,
        issued_at=device.now(),
    )


def _sealed_parts(enrolled: r.Officers, parts: Mapping[str, bytes], world: str) -> dict[str, bytes]:
    """Each part goes to its card, sealed to the card's own key."""
    return {
        one.credential.fingerprint: RecipientPublicKey.from_text(one.sealing_key).seal(
            parts[one.credential.fingerprint], commands.unseal_part_info(world, one.credential.fingerprint)
        )
        for one in enrolled.officers
        if one.officer_class == "security"
    }


def _names(enrolled: r.Officers) -> dict[str, str]:
    """Security cards and whose they are."""
    return {one.credential.fingerprint: one.name for one in enrolled.officers if one.officer_class == "security"}


def _security(enrolled: r.Officers) -> tuple[dict[str, str], int]:
    return _names(enrolled), enrolled.thresholds["security"]
