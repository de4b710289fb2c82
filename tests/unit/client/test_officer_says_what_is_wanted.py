"""`strongroom officer request-action`: options are the table's own fields, for every action of the table."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import WORLD
from simulator import Simulator
from typer.testing import CliRunner

from strongroom.cli.officer import app
from strongroom.client.connection import Connection
from strongroom.officer.actions import OpenedAction, decline, withdraw
from strongroom.officer.bodies import SHORT, make_body, options_of, read_face
from strongroom.officer.cards import new_card, open_card, write_card
from strongroom.protocol import jws
from strongroom.protocol.action_table import (
    ACTIONS,
    ChangeOfficers,
    DestroyPartition,
    RotateVendorKey,
    SealDevice,
    UpdateLimits,
)
from strongroom.protocol.admin_actions import AdminAction, Approval, Withdrawal, action_digest
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused

NOW = int(time.time())
PIN = "482915"
SECURITY, OTHER = (new_card(name, "security", PIN) for name in ("security1", "security2"))
RULES = {"domain": 2, "security": 2, "partition": 2}


def made(action: str, *given: tuple[str, str]) -> Any:
    return make_body(action, given, lambda: RULES)


def test_every_action_of_the_table_can_be_said() -> None:
    assert {name: options_of(name) for name in ACTIONS}["partition.destroy"] == ["--partition", "--reason", "--consent"]
    assert made("device.seal") == SealDevice()
    limits = made("limits.update", ("--action-hours", "24"), ("--destruction-hours", "240"))
    assert limits == UpdateLimits(action_hours=24, destruction_hours=240)
    assert set(SHORT.values()) <= set(ACTIONS)


def test_the_owners_consent_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "consent").write_text("a.b.c")
    given = [("--partition", "pt_1"), ("--reason", "over"), ("--consent", str(tmp_path / "consent"))]
    assert made("partition.destroy", *given) == DestroyPartition(partition="pt_1", reason="over", consent="a.b.c")


@pytest.mark.parametrize("as_shown", [False, True], ids=["the card file", "what `card show --json` prints"])
def test_a_change_of_officers_names_cards_and_only_the_thresholds_that_change(tmp_path: Path, as_shown: bool) -> None:
    card = new_card("dora", "domain", PIN)
    path = tmp_path / "card"
    write_card(path, card)
    if as_shown:
        path.write_text(CliRunner().invoke(app, ["card", "show", str(path), "--json"]).stdout)
    body = made(
        "officers.change", ("--enrol", str(path)), ("--retire", "f1"), ("--retire", "f2"), ("--threshold", "domain=3")
    )
    assert body == ChangeOfficers(enrol=[card.face.enrolment()], retire=["f1", "f2"], thresholds=RULES | {"domain": 3})
    assert read_face(path) == card.face


@pytest.mark.parametrize(
    ("action", "given", "hint"),
    [
        ("device.seal", [("--reason", "x")], "takes no options"),
        ("limits.update", [("--action-hours", "24")], "--destruction-hours"),
        ("limits.update", [("--action-hours", "many"), ("--destruction-hours", "1")], "--action-hours"),
        ("partition.destroy", [("--partition", "a"), ("--partition", "b")], "twice"),
        ("officers.change", [("--threshold", "domain")], "CLASS=K"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(action: str, given: list[tuple[str, str]], hint: str) -> None:
    with pytest.raises(Refused) as refused:
        made(action, *given)
    assert refused.value.code == "malformed"
    assert hint in refused.value.detail


def opened(requester: str) -> OpenedAction:
    raw = canonical_json(
        AdminAction(
            officer_class="security",
            action="vendor-key.rotate",
            body=RotateVendorKey(),
            world=WORLD,
            device="dev_one",
            nonce="n",
            officer_epoch=1,
            requester=requester,
            opened_at=NOW,
            expires_at=NOW + 3600,
        )
    )
    return OpenedAction(id=7, digest=action_digest(raw), action=raw, state="open")


def test_a_refusal_is_signed_with_its_reason(connection: Connection, provider: Simulator) -> None:
    asked = opened(SECURITY.face.fingerprint)
    provider.answers["POST /officer/actions/7/approvals"] = lambda: msgspec.structs.asdict(asked)
    card = open_card(OTHER, PIN)
    decline(connection, card, asked, "123456", NOW, reason="not tonight")
    said = jws.verify(provider.requests[-1][2]["approval"], Approval, card.signing_key.public_key())
    assert (said.decision, said.reason, said.action_digest) == ("decline", "not tonight", asked.digest)


def test_only_what_the_own_card_asked_for_is_taken_back(connection: Connection, provider: Simulator) -> None:
    asked = opened(SECURITY.face.fingerprint)
    provider.answers["POST /officer/actions/7/withdrawal"] = lambda: msgspec.structs.asdict(asked)
    with pytest.raises(Refused, match="officer-unknown"):
        withdraw(connection, open_card(OTHER, PIN), asked, NOW)
    assert not provider.requests
    card = open_card(SECURITY, PIN)
    withdraw(connection, card, asked, NOW)
    said = jws.verify(provider.requests[-1][2]["withdrawal"], Withdrawal, card.signing_key.public_key())
    assert said.action_digest == asked.digest
