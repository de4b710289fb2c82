"""Officers enrolled, retired, asking, approving, declining and withdrawing in any order: K distinct ones or nothing.

A model that knows only the rule is compared with the device's own handlers after each step.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from hsm import ceremony, quorum, unsealing
from hsm.device import Device, open_device
from strongroom.protocol import admin_actions, certificates, commands, jws
from strongroom.protocol.action_table import (
    ACTIONS,
    Body,
    ChangeOfficers,
    DefinePartition,
    RotateVendorKey,
    UpdateLimits,
    action_name,
)
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.hardware import Card, Factory, nonce, now

CLASSES = ("domain", "security", "partition")
OWNER = public_credential(Ed25519PrivateKey.generate())
KINDS: dict[str, Body] = {
    "partition": DefinePartition(tenant="acme", label="main", owner=OWNER),
    "security": RotateVendorKey(),
    "limits": UpdateLimits(action_hours=24, destruction_hours=48),
}


@dataclass
class Opened:
    action: bytes
    body: Body
    requester: Card
    epoch: int
    approvals: list[tuple[Card, str, str]] = field(default_factory=list)
    settled: bool = False


def made_device(folder: Path, cards: list[Card], factory: Factory) -> Device:
    """A device in this process, certified for production, after its ceremony and unsealed."""
    device = open_device(folder)
    csr = ceremony.make_identity(device, commands.MakeIdentity()).csr
    install = commands.InstallCertificate(certificate=factory.certify(csr), root=factory.root_pem)
    ceremony.install_certificate(device, install)
    rules = dict.fromkeys(CLASSES, 2)
    command = commands.Initialise(officers=[card.enrolment() for card in cards], thresholds=rules)
    reply = ceremony.initialise(device, command)
    for card in [one for one in cards if one.officer_class == "security"][:2]:
        part = card.sealing.open(
            reply.parts[card.fingerprint], commands.unseal_part_info(reply.world, card.fingerprint)
        )
        begun = unsealing.begin_unseal(device, commands.BeginUnseal(nonce=nonce()))
        says, _ = certificates.verify_statement(begun.endorsement, Endorsement, [factory.root], "device", now())
        info = commands.unseal_part_info(reply.world, card.fingerprint, says.key_id)
        sealed = RecipientPublicKey.from_text(says.public_key).seal(part, info)
        give = commands.GiveUnsealPart(key_id=says.key_id, card=card.fingerprint, part=sealed)
        unsealing.give_unseal_part(device, give)
    return device


class Quorum(RuleBasedStateMachine):
    actions: Bundle[Opened] = Bundle("actions")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.cards = [Card(f"{kind}{n}", kind) for kind in CLASSES for n in (1, 2, 3)]
        self.enrolled = {card.fingerprint: 1 for card in self.cards}
        self.thresholds = dict.fromkeys(CLASSES, 2)
        self.epoch = 1
        self.executed = 0
        factory = Factory("production")
        self.device = made_device(Path(self.folder.name) / "hsm", self.cards, factory)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def open(self, requester: Card, body: Body) -> Opened | None:
        request = admin_actions.ActionRequest(
            action=action_name(body), body=body, world=self.device.world, nonce=nonce(), created_at=now()
        )
        command = commands.OpenAction(request=jws.sign(request, requester.signing))
        try:
            action = quorum.open_action(self.device, command).action
        except Refused as error:
            code = error.code
        else:
            assert requester.fingerprint in self.enrolled
            assert self.is_approvable(requester, body)
            return Opened(action, body, requester, self.epoch)
        wanted = (
            {"quorum-rule-refused"}
            if self.is_approvable(requester, body)
            else {
                "quorum-rule-refused",
                "requester-cannot-approve",
            }
        )
        assert requester.fingerprint not in self.enrolled or code in wanted
        return None

    def is_approvable(self, requester: Card, body: Body) -> bool:
        """The rule: K officers of the class are there besides whoever asks."""
        kind = ACTIONS[action_name(body)].officer_class
        there = {c.name for c in self.cards if c.officer_class == kind and c.fingerprint in self.enrolled}
        return len(there - {requester.name}) >= self.thresholds[kind]

    @rule(target=actions, data=st.data(), kind=st.sampled_from(sorted(KINDS)))
    def ask(self, data: st.DataObject, kind: str) -> object:
        opened = self.open(data.draw(st.sampled_from(self.cards)), KINDS[kind])
        return opened if opened is not None else multiple()

    @rule(target=actions, data=st.data(), name=st.sampled_from(["security1", "security9"]), k=st.integers(0, 4))
    def ask_to_enrol(self, data: st.DataObject, name: str, k: int) -> object:
        card = Card(name, "security")
        body = ChangeOfficers(enrol=[card.enrolment()], thresholds=self.thresholds | {"security": k})
        self.cards.append(card)
        opened = self.open(data.draw(st.sampled_from(self.cards)), body)
        return opened if opened is not None else multiple()

    @rule(target=actions, data=st.data())
    def ask_to_retire(self, data: st.DataObject) -> object:
        card = data.draw(st.sampled_from(self.cards))
        opened = (
            self.open(
                data.draw(st.sampled_from(self.cards)),
                ChangeOfficers(retire=[card.fingerprint], thresholds=self.thresholds),
            )
            if card.fingerprint in self.enrolled
            else None
        )
        return opened if opened is not None else multiple()

    @rule(opened=actions, data=st.data(), decision=st.sampled_from(["approve", "approve", "approve", "decline"]))
    def answer(self, opened: Opened, data: st.DataObject, decision: str) -> None:
        ours = [card for card in self.cards if card.officer_class == ACTIONS[action_name(opened.body)].officer_class]
        card = data.draw(st.sampled_from(ours + self.cards))
        approval = admin_actions.Approval(
            action_digest=admin_actions.action_digest(opened.action),
            decision=decision,  # type: ignore[arg-type]
            approved_at=now(),
        )
        opened.approvals.append((card, decision, jws.sign(approval, card.signing)))

    @rule(opened=actions, data=st.data())
    def some_of_the_class_approve_and_execute(self, opened: Opened, data: st.DataObject) -> None:
        kind = ACTIONS[action_name(opened.body)].officer_class
        cards = [card for card in self.cards if card.officer_class == kind and card.fingerprint in self.enrolled]
        answers = [(card, "approve", card.approve(opened.action)) for card in cards]
        opened.approvals += answers
        self.submit(opened, data.draw(st.lists(st.sampled_from(answers), min_size=2, max_size=3)))

    @rule(opened=actions, data=st.data())
    def withdraw(self, opened: Opened, data: st.DataObject) -> None:
        card = data.draw(st.sampled_from([opened.requester, *self.cards]))
        word = admin_actions.Withdrawal(action_digest=admin_actions.action_digest(opened.action), withdrawn_at=now())
        try:
            quorum.withdraw_action(self.device, commands.WithdrawAction(withdrawal=jws.sign(word, card.signing)))
        except Refused:
            assert opened.settled or card is not opened.requester or card.fingerprint not in self.enrolled
        else:
            assert card is opened.requester
            opened.settled = True

    @rule(opened=actions, other=actions, data=st.data())
    def execute(self, opened: Opened, other: Opened, data: st.DataObject) -> None:
        given = opened.approvals if data.draw(st.integers(0, 9)) else opened.approvals + other.approvals
        chosen = data.draw(st.lists(st.sampled_from(given), max_size=6)) if given else []
        self.submit(opened, chosen)

    def submit(self, opened: Opened, chosen: list[tuple[Card, str, str]]) -> None:
        before = opened.settled
        command = commands.ExecuteAction(action=opened.action, approvals=[token for _, _, token in chosen])
        try:
            quorum.execute_action(self.device, command)
        except Refused:
            done = False
        else:
            done = True
        if not before:
            assert done == self.suffices(opened, chosen)
            if done:
                self.carried_out(opened)

    @rule(opened=consumes(actions))
    def forget(self, opened: Opened) -> None:
        """An action that nobody comes back to."""

    def suffices(self, opened: Opened, chosen: list[tuple[Card, str, str]]) -> bool:
        """The rule: only valid approvals by enrolled cards of the class, K distinct officers, none the requester."""
        kind = ACTIONS[action_name(opened.body)].officer_class
        valid = all(
            decision == "approve"
            and card.fingerprint in self.enrolled
            and card.officer_class == kind
            and card.name != opened.requester.name
            and any(token == own for _, _, own in opened.approvals)
            for card, decision, token in chosen
        )
        officers = {card.name for card, _, _ in chosen}
        can_be = not isinstance(opened.body, ChangeOfficers) or self.can_be(opened.body)
        return valid and opened.epoch == self.epoch and len(officers) >= self.thresholds[kind] and can_be

    def can_be(self, body: ChangeOfficers) -> bool:
        """No card of those to be retired is gone already, and 2 ≤ K ≤ N afterwards."""
        left = [card for card in self.cards if card.fingerprint in self.enrolled.keys() - set(body.retire)]
        names = [(card.officer_class, card.name) for card in left] + [(o.officer_class, o.name) for o in body.enrol]
        counts = {kind: len({name for one, name in names if one == kind}) for kind in CLASSES}
        return all(2 <= body.thresholds[kind] <= counts[kind] for kind in CLASSES)

    def carried_out(self, opened: Opened) -> None:
        opened.settled = True
        self.executed += 1
        if isinstance(opened.body, ChangeOfficers):
            self.epoch += 1
            self.thresholds = dict(opened.body.thresholds)
            for card in opened.body.retire:
                del self.enrolled[card]
            for enrolment in opened.body.enrol:
                self.enrolled[enrolment.credential.fingerprint] = self.epoch

    @invariant()
    def the_device_has_the_same_officers(self) -> None:
        if hasattr(self, "device"):
            there = self.device.officers()
            assert {one.credential.fingerprint: one.enrolled_epoch for one in there.officers} == self.enrolled
            assert (there.epoch, there.thresholds) == (self.epoch, self.thresholds)


TestQuorum = Quorum.TestCase
TestQuorum.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
