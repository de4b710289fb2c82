"""Officers' approvals in a log, counted again: by nothing but its entries and the manufacturer's root."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509

from strongroom.protocol.action_table import ChangeOfficers
from strongroom.protocol.admin_actions import (
    AdminAction,
    Officer,
    action_digest,
    count_approvals,
    read_action,
    security_key_counters,
)
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry
from strongroom.protocol.statements import Roster


@dataclass(frozen=True)
class Decided:
    """An action that was carried out, with who was enrolled when it was, and which of them approved it."""

    entry: Entry
    action: AdminAction
    roster: Roster
    approvers: list[Officer]

    def name_of(self, card: str) -> str:
        return next((one.name for one in self.roster.officers if one.credential.fingerprint == card), card)


def count_again(entry: Entry, roots: list[x509.Certificate], counters: Mapping[str, int] = {}) -> Decided:
    """The action of an `action:execute` entry, if K distinct officers of its class had approved exactly its bytes.

    `counters` are those that security keys had come to before.

    Raises `Refused`: `log-inconsistent`, `action-altered`, `officer-unknown`, and what `count_approvals` and
    `verify_statement` do.
    """
    # 1. The action's own bytes.
    raw = from_b64u(text(entry, "action"), "action-altered")
    action = read_action(raw)
    if entry.digest != action_digest(raw) or entry.principal != action.requester:
        raise Refused("action-altered", "the action in the log is not the one that was carried out")
    # 2. The officers enrolled then, as the device names them.
    roster, certified = verify_statement(text(entry, "roster"), Roster, roots, "device", entry.time)
    if (roster.device, roster.world, roster.epoch) != (certified.device_id, action.world, action.officer_epoch):
        raise Refused("officer-unknown", "the list of officers is of another world or time")
    # 3. Their approvals.
    approvals = texts(entry, "approvals")
    counted = count_approvals(raw, approvals, roster.officers, roster.thresholds, entry.time, counters=counters)
    if sorted(one.credential.fingerprint for one in counted) != texts(entry, "approvers"):
        raise Refused("log-inconsistent", f"entry {entry.n} names other approvers than those who signed")
    return Decided(entry, action, roster, counted)


def check_actions(entries: Iterable[Entry], roots: list[x509.Certificate]) -> list[Decided]:
    """Every action that a log says was carried out. Raises as `count_again` does, and names the entry."""
    decided: list[Decided] = []
    counters: dict[str, int] = {}
    for entry in entries:
        if entry.event == "action:execute":
            try:
                decided.append(count_again(entry, roots, counters))
                counters |= security_key_counters(texts(entry, "approvals"))
            except Refused as refused:
                raise Refused(refused.code, f"entry {entry.n}: {refused.detail or refused.problem.sentence}") from None
    return decided


def check_succession(decided: list[Decided]) -> None:
    """Raise `Refused("officer-unknown")` unless officers changed by the actions in the world's log alone."""
    for before, after in pairwise(decided):
        changed = before.action.body
        cards, rules, epoch = _cards(before.roster), before.roster.thresholds, before.roster.epoch
        if isinstance(changed, ChangeOfficers):
            cards = {card: name for card, name in cards.items() if card not in changed.retire}
            cards |= {one.credential.fingerprint: (one.name, one.officer_class) for one in changed.enrol}
            rules, epoch = changed.thresholds, epoch + 1
        if (_cards(after.roster), after.roster.thresholds, after.roster.epoch) != (cards, rules, epoch):
            raise Refused("officer-unknown", f"entry {after.entry.n}: the officers are others than the log left them")


def _cards(roster: Roster) -> dict[str, tuple[str, str]]:
    return {one.credential.fingerprint: (one.name, one.officer_class) for one in roster.officers}


def text(entry: Entry, name: str) -> str:
    """A detail of an entry. Raises `Refused("log-inconsistent")` where there is none."""
    value = entry.details.get(name)
    if not isinstance(value, str):
        raise Refused("log-inconsistent", f"entry {entry.n} has no {name}")
    return value


def texts(entry: Entry, name: str) -> list[str]:
    """As `text`, a list."""
    value = entry.details.get(name)
    if not isinstance(value, list):
        raise Refused("log-inconsistent", f"entry {entry.n} has no {name}")
    return value
