"""An officer approves exactly the bytes that were read here; the portal's words about them count for nothing."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import WORLD
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulator import Simulator
from typer.testing import CliRunner

from strongroom.cli.officer import app
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.officer.actions import OpenedAction, PartitionRequest, approve, define_partition, request_action, review
from strongroom.officer.cards import CardFile, new_card, open_card, write_card
from strongroom.protocol.action_table import DefinePartition, RotateProviderKey, RotateVendorKey, action_name
from strongroom.protocol.admin_actions import (
    ActionRequest,
    AdminAction,
    Officer,
    action_digest,
    check_request,
    count_approvals,
    describe,
)
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused

PIN = "482915"
NOW = int(time.time())
CARDS = [new_card(f"partition{number}", "partition", PIN) for number in (1, 2, 3)]
SECURITY = new_card("security1", "security", PIN)
OWNER, STRANGER = (public_credential(Ed25519PrivateKey.generate()) for _ in range(2))
ASKED = PartitionRequest(request="pr_1", tenant="acme", label="main", owner=OWNER)


def officer(card: CardFile) -> Officer:
    face = card.face
    return Officer(name=face.name, officer_class=face.officer_class, credential=face.credential, enrolled_epoch=1)


def action(**change: Any) -> bytes:
    opened = AdminAction(
        officer_class="partition",
        action="partition.define",
        body=DefinePartition(tenant=ASKED.tenant, label=ASKED.label, owner=ASKED.owner),
        world=WORLD,
        device="dev_one",
        nonce="n",
        officer_epoch=1,
        requester=CARDS[0].face.fingerprint,
        opened_at=NOW,
        expires_at=NOW + 3600,
    )
    return canonical_json(msgspec.structs.replace(opened, **change))


def kept(raw: bytes, digest: str = "") -> OpenedAction:
    return OpenedAction(id=7, digest=digest or action_digest(raw), action=raw, state="open")


def as_json(opened: OpenedAction) -> dict[str, Any]:
    return msgspec.structs.asdict(opened)


def test_the_request_is_signed_by_the_card_over_what_the_customer_asked(
    connection: Connection, provider: Simulator
) -> None:
    provider.answers["GET /officer/world"] = lambda: {"world": WORLD}
    provider.answers["POST /officer/actions"] = lambda: as_json(kept(action()))
    card = open_card(CARDS[0], PIN)
    request_action(connection, card, define_partition(ASKED), NOW, partition_request=ASKED.request)
    body = provider.requests[-1][2]
    request, by = check_request(body["request"], [officer(one) for one in CARDS], WORLD)
    assert by.name == "partition1"
    assert isinstance(request, ActionRequest)
    assert request.body == DefinePartition(tenant="acme", label="main", owner=ASKED.owner)
    assert body["partition_request"] == "pr_1"


@pytest.mark.parametrize("body", [RotateVendorKey(), RotateProviderKey(suite="RSA-AES-KWP")], ids=action_name)
def test_a_rotation_is_requested_without_any_customer(
    connection: Connection, provider: Simulator, body: RotateVendorKey | RotateProviderKey
) -> None:
    raw = action(officer_class="security", action=action_name(body), body=body, requester=SECURITY.face.fingerprint)
    provider.answers["GET /officer/world"] = lambda: {"world": WORLD}
    provider.answers["POST /officer/actions"] = lambda: as_json(kept(raw))
    request_action(connection, open_card(SECURITY, PIN), body, NOW)
    sent = provider.requests[-1][2]
    request, by = check_request(sent["request"], [officer(SECURITY)], WORLD)
    assert (by.name, request.action, request.body) == ("security1", action_name(body), body)
    assert "partition_request" not in sent


@pytest.mark.parametrize(
    "what", [["rotate-provider-key"], ["rotate-vendor-key", "--suite", "HPKE-XWING"], ["pr_1", "--suite", "HPKE-XWING"]]
)
def test_a_suite_is_named_for_a_provider_key_and_for_nothing_else(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: list[str]
) -> None:
    monkeypatch.setenv("STRONGROOM_HOME", str(home.path))
    write_card(tmp_path / "card", SECURITY)
    result = CliRunner().invoke(app, ["request-action", *what, "--card", str(tmp_path / "card")])
    assert isinstance(result.exception, Refused)
    assert (result.exception.code, "--suite" in result.exception.detail) == ("malformed", True)


def test_a_rotation_is_shown_in_words_from_its_signed_bytes() -> None:
    body = RotateProviderKey(suite="RSA-AES-KWP")
    raw = action(officer_class="security", action=action_name(body), body=body)
    shown = dict(describe(review(kept(raw), new_card("security2", "security", PIN).face, NOW)))
    assert shown["What"] == "make a new provider key of suite RSA-AES-KWP in the device and retire the one in force"
    assert shown["Class"] == "security"


def test_an_action_that_was_opened_for_something_else_is_noticed(connection: Connection, provider: Simulator) -> None:
    other = DefinePartition(tenant="acme", label="main", owner=STRANGER)
    provider.answers["GET /officer/world"] = lambda: {"world": WORLD}
    provider.answers["POST /officer/actions"] = lambda: as_json(kept(action(body=other)))
    with pytest.raises(Refused, match="action-altered"):
        request_action(connection, open_card(CARDS[0], PIN), define_partition(ASKED), NOW)


def test_two_officers_approvals_make_a_quorum_over_exactly_these_bytes(
    connection: Connection, provider: Simulator
) -> None:
    raw = action()
    provider.answers["POST /officer/actions/7/approvals"] = lambda: as_json(kept(raw))
    for card in CARDS[1:]:
        approve(connection, open_card(card, PIN), kept(raw), "123456", NOW)
    bodies = [body for _, path, body in provider.requests if path.endswith("/approvals")]
    approvals = [body["approval"] for body in bodies]
    officers, thresholds = [officer(one) for one in CARDS], {"partition": 2}
    assert len(count_approvals(raw, approvals, officers, thresholds, NOW)) == 2
    with pytest.raises(Refused, match="action-altered"):
        count_approvals(action(nonce="other"), approvals, officers, thresholds, NOW)


@pytest.mark.parametrize(
    ("opened", "card", "code"),
    [
        (kept(action(), digest="0" * 64), CARDS[1], "action-altered"),
        (kept(b"{}"), CARDS[1], "action-altered"),
        (kept(b"not json"), CARDS[1], "action-altered"),
        (kept(action(expires_at=NOW)), CARDS[1], "action-expired"),
        (kept(action()), SECURITY, "officer-unknown"),
        (kept(action()), CARDS[0], "requester-cannot-approve"),
    ],
    ids=["another digest", "no action", "rubbish", "expired", "another class", "one's own"],
)
def test_what_this_card_may_not_approve_is_refused_before_it_signs(
    connection: Connection, provider: Simulator, opened: OpenedAction, card: CardFile, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        approve(connection, open_card(card, PIN), opened, "123456", NOW)
    assert refused.value.code == code
    assert not provider.requests


def test_a_card_that_knows_its_world_approves_nothing_of_another() -> None:
    face = msgspec.structs.replace(CARDS[1].face, world="wd_other")
    with pytest.raises(Refused, match="another world"):
        review(kept(action()), face, NOW)
