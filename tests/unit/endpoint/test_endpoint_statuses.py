"""What the endpoint's list answers of a key, and what its owner may change of it."""

from pathlib import Path

import pytest

from strongroom.endpoint.store import Statuses
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import MAX_REASON, Answer, Check
from strongroom.protocol.statements import Receipt

FIRST, SECOND = "1" * 64, "2" * 64


def receipt(name: str = "invoices", version: int = 1, key: str = "") -> Receipt:
    return Receipt(
        device="dev_x",
        import_id="imp_x",
        header_digest="",
        tenant="acme",
        partition="pt_x",
        owner="",
        key_id=key or make_id("key_"),
        name=name,
        version=version,
        key_type="EC-P256",
        public_key="",
        check_value="",
        terms_digest="",
        log_position=1,
        imported_at=1,
    )


@pytest.fixture
def statuses(tmp_path: Path) -> Statuses:
    return Statuses(tmp_path)


def said(statuses: Statuses, key: str, digest: str = FIRST) -> str:
    return statuses.answers([Check(key=key, receipt=digest)])[0].status


def test_a_key_that_is_not_listed_is_unknown(statuses: Statuses) -> None:
    asked = Check(key="key_other", receipt=FIRST)
    assert statuses.answers([asked]) == [Answer(key="key_other", receipt=FIRST, status="unknown")]


def test_a_listed_key_is_active_with_each_of_its_own_receipts_and_no_other(statuses: Statuses) -> None:
    one, other = receipt(), receipt("payments")
    statuses.add([(one, FIRST)])
    statuses.add([(other, SECOND)])
    assert said(statuses, one.key_id, FIRST) == "active"
    assert said(statuses, one.key_id, SECOND) == "unknown"
    assert said(statuses, other.key_id, FIRST) == "unknown"
    statuses.add([(receipt(version=2, key=one.key_id), "3" * 64)])
    assert said(statuses, one.key_id, "3" * 64) == "active"
    assert [(found.name, found.versions) for found in statuses.listed()] == [("invoices", 2), ("payments", 1)]


def test_answers_stand_in_the_order_of_the_questions(statuses: Statuses) -> None:
    keys = [receipt(f"key-{number}") for number in range(50)]
    for number, one in enumerate(keys):
        statuses.add([(one, f"{number:064}")])
    asked = [Check(key=one.key_id, receipt=f"{number:064}") for number, one in reversed(list(enumerate(keys)))]
    assert [Check(key=one.key, receipt=one.receipt) for one in statuses.answers(asked)] == asked


def test_a_key_is_suspended_and_resumed(statuses: Statuses) -> None:
    key = statuses.add([(receipt(), FIRST)])[0].key
    statuses.change("invoices", "suspended", "an audit")
    [answer] = statuses.answers([Check(key=key, receipt=FIRST)])
    assert (answer.status, answer.reason) == ("suspended", "an audit")
    assert answer.at is not None
    statuses.change(key, "active")
    assert said(statuses, key) == "active"
    assert [one.status for one in statuses.changes(0)] == ["active", "suspended", "active"]


def test_a_revoked_key_is_revoked_for_ever(statuses: Statuses) -> None:
    one = receipt()
    statuses.add([(one, FIRST)])
    statuses.change("invoices", "revoked", "stolen")
    for status in ("active", "suspended"):
        with pytest.raises(Refused, match="conflict"):
            statuses.change("invoices", status)
    statuses.add([(one, FIRST)])
    statuses.add([(receipt(version=2, key=one.key_id), SECOND)])
    assert said(statuses, one.key_id, FIRST) == said(statuses, one.key_id, SECOND) == "revoked"
    # Whatever receipt is asked about: a version that was never listed is not let live.
    assert said(statuses, one.key_id, "9" * 64) == "revoked"
    statuses.change("invoices", "revoked", "again")
    assert [change.reason for change in statuses.changes(0)] == ["", "stolen"]


def test_a_key_can_be_revoked_by_its_id_before_it_is_listed(statuses: Statuses) -> None:
    one = receipt()
    statuses.change(one.key_id, "revoked")
    assert said(statuses, one.key_id) == "revoked"
    assert statuses.add([(one, FIRST)])[0].status == "revoked"


def test_a_key_that_is_not_listed_cannot_be_changed_by_name_or_made_active(statuses: Statuses) -> None:
    for reference, status in (("invoices", "revoked"), (make_id("key_"), "active")):
        with pytest.raises(Refused, match="not-found"):
            statuses.change(reference, status)
    assert statuses.listed() == []


def test_a_name_of_two_keys_is_refused(statuses: Statuses) -> None:
    one, other = receipt(), receipt()
    statuses.add([(one, FIRST)])
    statuses.add([(other, SECOND)])
    with pytest.raises(Refused, match="conflict"):
        statuses.change("invoices", "revoked")
    statuses.change(one.key_id, "revoked")
    assert said(statuses, other.key_id, SECOND) == "active"


def test_every_process_sees_a_change_at_once(statuses: Statuses, tmp_path: Path) -> None:
    key = statuses.add([(receipt(), FIRST)])[0].key
    Statuses(tmp_path).change(key, "revoked")
    assert said(statuses, key) == "revoked"
    assert (tmp_path / "statuses.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("reason", ["a" * (MAX_REASON + 1), "two\nlines"])
def test_a_reason_that_the_device_would_not_read_is_refused(statuses: Statuses, reason: str) -> None:
    statuses.add([(receipt(), FIRST)])
    with pytest.raises(Refused, match="malformed"):
        statuses.change("invoices", "suspended", reason)


def test_a_damaged_list_is_refused_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "statuses.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Refused, match="configuration"):
        Statuses(tmp_path)
