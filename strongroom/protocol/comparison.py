"""What an action changes against what is in force, as far as the device's signed word (`Roster`) says it."""

from strongroom.protocol.action_table import (
    OFFICER_CLASSES,
    Body,
    ChangeOfficers,
    DestroyPartition,
    OfficerClass,
    SealDevice,
    SetRevocationBounds,
    UpdateLimits,
    Words,
    words,
)
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.security_keys import SecurityKey
from strongroom.protocol.statements import Roster


def against(body: Body, roster: Roster) -> Words:
    """In words; nothing for actions whose present the roster does not tell."""
    match body:
        case ChangeOfficers():
            theirs = {one.credential.fingerprint: f"a {kind(one.credential)} of {one.name}" for one in roster.officers}
            there = {(one.name, one.officer_class) for one in roster.officers}
            enrolled = [
                ("Enrols", f"another {kind(one.credential)} of {one.name}")
                for one in body.enrol
                if (one.name, one.officer_class) in there
            ]
            retired = [("Retires", f"{theirs.get(card, 'a card of nobody')}: {card}") for card in body.retire]
            rules = [(f"{name} officers", _change(body, roster, name)) for name in OFFICER_CLASSES]
            return [*enrolled, *retired, *rules]
        case DestroyPartition(consent=""):
            return [("Waiting time", f"{roster.limits.destruction_hours} hours")]
        case SealDevice():
            return [("Now", "operational"), ("Then unsealed by", _rule(roster, "security"))]
        case UpdateLimits():
            return [("Now", dict(words(roster.limits))["What"])]
        case SetRevocationBounds():
            return [("Now", dict(words(roster.revocation_bounds))["What"])]
    return []


def kind(credential: PublicCredential | SecurityKey) -> str:
    """What an officer signs with."""
    return "security key" if isinstance(credential, SecurityKey) else "card"


def _rule(roster: Roster, name: OfficerClass) -> str:
    there = {one.name for one in roster.officers if one.officer_class == name}
    return f"{roster.thresholds[name]} of {len(there)} {name} officers"


def _change(body: ChangeOfficers, roster: Roster, name: OfficerClass) -> str:
    before = [one for one in roster.officers if one.officer_class == name]
    after = {one.name for one in before if one.credential.fingerprint not in body.retire}
    after |= {one.name for one in body.enrol if one.officer_class == name}
    now = f"{roster.thresholds[name]} of {len({one.name for one in before})}"
    then = f"{body.thresholds.get(name, 0)} of {len(after)}"
    return f"{now}, unchanged" if now == then else f"now {now}, then {then}"
