"""The log's pages: looked through, exported, compared with the device; and the counts that are kept of it."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from strongroom.protocol.log import Entry, check_lane
from strongroom.protocol.statements import LaneHead
from tests.support.keys import import_p256
from tests.support.pages import Visitor, as_role, text
from tests.support.portal import Organisation
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_p256(acme, acme_customer, "in-the-log")


@pytest.fixture
def use(acme: Organisation, key: dict[str, Any]) -> Callable[[int, int], None]:
    """Have so many signatures made, and so many refused, and copy the log."""

    def used(done: int, refused: int = 0) -> None:
        from portal.audit.services import copy_log

        client = acme.as_client()
        for _ in range(done):
            assert client.post("keys/in-the-log/sign", json={"payload": "YQ=="}).status_code == 200
        for _ in range(refused):
            assert client.post("keys/in-the-log/encrypt", json={"payload": "YQ=="}).status_code == 400
        copy_log(wait=True)

    return used


def exported(who: Visitor, query: str) -> str:
    response = who.get(f"/log/export?{query}")
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def entries(who: Visitor, query: str) -> list[Entry]:
    lines = exported(who, f"{query}&format=jsonl").splitlines()
    return [msgspec.json.decode(one, type=Entry) for one in lines]


def test_entries_are_found_by_kind_who_key_outcome_and_time(
    alice: Visitor, acme: Organisation, key: dict[str, Any], use: Callable[..., None]
) -> None:
    use(2, 1)
    of_key = f"key={key['key_id']}"
    assert {one.event for one in entries(alice, of_key)} >= {"key:import", "key:sign", "key:encrypt"}
    assert {one.event for one in entries(alice, f"{of_key}&event=key:sign")} == {"key:sign"}
    refused = entries(alice, f"{of_key}&outcome=refused")
    assert {(one.event, one.result) for one in refused} == {("key:encrypt", "mechanism-unsupported")}
    assert {one.result for one in entries(alice, f"{of_key}&outcome=done")} == {"ok"}
    app = f"client:{acme.client_id}"
    assert {one.principal for one in entries(alice, f"{of_key}&principal={app}")} == {app}
    assert {one.principal for one in entries(alice, f"{of_key}&principal=app")} == {app}
    assert entries(alice, f"{of_key}&principal=nobody") == []
    assert '<option value="app"></option>' in text(alice.get("/log/"))
    assert entries(alice, f"{of_key}&since=2100-01-01T00:00") == []
    assert entries(alice, f"{of_key}&until=2000-01-01T00:00") == []
    assert len(entries(alice, f"{of_key}&since=2000-01-01T00:00&until=2100-01-01T00:00")) >= 4
    page = text(alice.get(f"/log/?{of_key}&outcome=refused"))
    assert "mechanism-unsupported" in page
    assert "key:sign" not in page.split("<tbody>")[1]
    assert "Nothing is like that" in text(alice.get(f"/log/?{of_key}&until=2000-01-01T00:00"))
    assert "valid date/time" in text(alice.get("/log/?since=yesterday"))


def test_older_entries_keep_what_is_looked_for(alice: Visitor, key: dict[str, Any], use: Callable[..., None]) -> None:
    import re

    use(101)
    query = f"key={key['key_id']}&event=key%3Asign"
    older = re.search(r'href="(\?[^"]+before=\d+)" rel="next"', text(alice.get(f"/log/?{query}")))
    assert older is not None
    assert query in older.group(1)
    page = text(alice.get(f"/log/{older.group(1)}"))
    assert "key:sign" in page
    assert "key:import" not in page.split("<tbody>")[1]


def test_json_lines_are_the_exact_bytes_that_the_chain_is_over(
    alice: Visitor, acme_customer: Customer, device: SealedDevice, use: Callable[..., None]
) -> None:
    from strongroom.protocol import jws
    from strongroom.protocol.commands import MakeCheckpoint, MakeCheckpointReply
    from strongroom.protocol.statements import Checkpoint
    from tests.support.sealed import nonce

    use(1)
    command = MakeCheckpoint(partition=acme_customer.partition, nonce=nonce())
    checkpoint = jws.read_unverified(device.line().call(command, MakeCheckpointReply).checkpoint, Checkpoint)
    use(0)
    lanes: dict[str, list[bytes]] = {}
    for line in exported(alice, "format=jsonl").encode().splitlines():
        entry = json.loads(line)
        if entry["partition"] == acme_customer.partition:
            lanes.setdefault(entry["lane"], []).append(line)
    for lane, head in checkpoint.lanes.items():
        if head.count:
            check_lane(lane, lanes[lane][: head.count], acme_customer.partition, LaneHead(head.count, head.head))


def test_a_spreadsheet_has_names_and_no_formulas(
    alice: Visitor, acme: Organisation, key: dict[str, Any], use: Callable[..., None]
) -> None:
    from portal.audit.models import LogEntry
    from portal.pages.export import csv_lines
    from portal.pages.selectors import Names

    use(1)
    rows = list(csv.DictReader(io.StringIO(exported(alice, f"format=csv&key={key['key_id']}&event=key:sign"))))
    assert {(one["key_name"], one["principal_name"], one["result"]) for one in rows} == {("in-the-log", "app", "ok")}
    assert alice.get("/log/export?format=xls").status_code == 400
    entry = LogEntry.objects.using("provider").filter(key=key["key_id"], event="key:sign")[0]
    names = Names({f"client:{acme.client_id}": "=HYPERLINK(1)"}, {})
    assert b",'=HYPERLINK(1)," in b"".join(csv_lines([entry], names))


def test_the_copy_is_compared_with_the_device_and_a_changed_entry_is_seen(
    alice: Visitor, acme_customer: Customer, use: Callable[..., None]
) -> None:
    from portal.audit.models import LogEntry

    use(1)
    page = text(alice.post("/log/verify", page="/log/"))
    assert "exactly what the device counted" in page
    assert "strongroom log verify" in page
    row = LogEntry.objects.using("provider").filter(partition=acme_customer.partition).order_by("-pk").first()
    assert row is not None
    LogEntry.objects.using("provider").filter(pk=row.pk).update(entry=bytes(row.entry) + b" ")
    try:
        assert "The copy is not what the device counts" in text(alice.post("/log/verify", page="/log/"))
    finally:
        LogEntry.objects.using("provider").filter(pk=row.pk).update(entry=bytes(row.entry))
    assert "exactly what the device counted" in text(alice.post("/log/verify", page="/log/"))


def test_a_log_that_is_too_long_to_wait_for_is_for_the_command(
    alice: Visitor, monkeypatch: pytest.MonkeyPatch, use: Callable[..., None]
) -> None:
    use(1)
    monkeypatch.setattr("portal.audit.verification.MOST_ENTRIES", 1)
    assert "the command verifies a log of any length" in text(alice.post("/log/verify", page="/log/"))


def test_what_is_copied_is_counted_once_by_the_hour(
    acme: Organisation, key: dict[str, Any], use: Callable[..., None]
) -> None:
    from datetime import UTC, datetime

    from portal.audit.selectors import activity

    def counted() -> dict[bool, int]:
        found = {True: 0, False: 0}
        for one in activity(tenant=acme.tenant, since=datetime(2000, 1, 1, tzinfo=UTC)):
            assert one.hour.minute == one.hour.second == 0
            found[one.ok] += one.count
        return found

    use(0)
    before = counted()
    use(7, 2)
    use(0)
    after = counted()
    assert after[True] - before[True] == 7
    assert after[False] - before[False] == 2


def test_the_portals_own_events_are_found_by_kind_and_who(alice: Visitor, fresh_name: str) -> None:
    alice.post("/clients/", name=fresh_name)
    page = text(alice.get("/log/portal/?tag=person:client:created&actor=alice"))
    assert fresh_name in page
    rows = page.split("<tbody>")[1]
    assert "made an API client" in rows
    assert "logged in" not in rows
    assert "Nothing is like that" in text(alice.get("/log/portal/?actor=nobody"))


def test_the_code_of_a_refusal_is_coloured_as_one(alice: Visitor, use: Callable[..., None]) -> None:
    use(1, 1)
    results = re.findall(r'data-label="Result">(.*?)</td>', text(alice.get("/log/")))
    assert {'<span class="state good">ok</span>', '<span class="state bad">mechanism-unsupported</span>'} <= set(
        results
    )
    assert '<span class="state bad">not-found</span>' in alice.get("/keys/nothing/").content.decode()


def test_an_officer_of_the_provider_is_called_that_and_told_from_another_by_a_fingerprint(
    alice: Visitor, acme_customer: Customer
) -> None:
    from portal.audit.services import copy_log

    copy_log(wait=True)
    defined = next(one for one in entries(alice, "event=action:execute") if one.partition == acme_customer.partition)
    called = f"an officer of the provider, {defined.principal[:12]}…"
    page = text(alice.get("/log/?event=action:execute"))
    assert f'<td data-label="Who"><span title="{defined.principal}">{called}</span></td>' in page
    rows = csv.DictReader(io.StringIO(exported(alice, "event=action:execute&format=csv")))
    assert (defined.principal, called) in [(row["principal"], row["principal_name"]) for row in rows]


def test_every_event_is_looked_for_under_what_it_is_about_and_in_words(alice: Visitor, acme: Organisation) -> None:
    from portal.audit.tags import EventTag

    for page in (alice.get("/log/portal/"), as_role(acme.tenant, "support").get("/officer/log/portal/")):
        groups = re.findall(r'<optgroup label="([^"]+)">(.*?)</optgroup>', text(page), re.DOTALL)
        options = [one for _, group in groups for one in re.findall(r'value="([^"]+)">\s*(.*?)</option>', group)]
        assert sorted(tag for tag, _ in options) == sorted(tag.value for tag in EventTag)
        for tag, words in options:
            assert re.fullmatch(rf"[\w' -]+ \({tag}\)", words.strip())
        about = {tag: subject for subject, group in groups for tag in re.findall(r'value="([^"]+)"', group)}
        assert about["person:token:created"] == "API clients and tokens"


def test_charlie_gets_nothing_of_acmes_log(
    charlie: Visitor, acme_customer: Customer, key: dict[str, Any], use: Callable[..., None]
) -> None:
    use(1)
    for form in ("jsonl", "csv"):
        assert acme_customer.partition not in exported(charlie, f"format={form}")
        assert charlie.get(f"/log/export?format={form}&key={key['key_id']}").status_code == 400
    of_the_key = text(charlie.get(f"/log/?key={key['key_id']}"))
    assert acme_customer.partition not in of_the_key
    assert "in-the-log" not in of_the_key
    assert acme_customer.partition not in text(charlie.get("/log/"))
    assert "in-the-log" not in text(charlie.get("/log/"))
    assert "alice" not in text(charlie.get("/log/portal/?actor=alice")).split("</form>")[-1]
