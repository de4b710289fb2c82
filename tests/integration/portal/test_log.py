"""GET partitions/{partition}/log and POST partitions/{partition}/checkpoint: what a customer verifies offline."""

import base64
from typing import Any

import pytest

from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.log import check_extends, check_lane
from strongroom.protocol.statements import Checkpoint
from tests.support.keys import import_p256
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice, nonce, now


@pytest.fixture(scope="module")
def partition(acme: Organisation, acme_customer: Customer) -> str:
    """Acme's partition, with an import and a few signatures in its log."""
    key = import_p256(acme, acme_customer, "log-read")["key_id"]
    acme_customer.operations = acme_customer.hsm.line("operations")
    for _ in range(7):
        acme_customer.operate(key, "sign", b"message")
    return acme_customer.partition


def checkpoint(browser: Browser, partition: str, device: SealedDevice) -> Checkpoint:
    mine = nonce()
    token = browser.post(f"partitions/{partition}/checkpoint", json={"nonce": mine}).json()["checkpoint"]
    statement, _ = verify_statement(token, Checkpoint, [device.factory.root], "device", now())
    assert (statement.nonce, statement.partition) == (mine, partition)
    return statement


def entries(browser: Browser, partition: str, lane: str, limit: int = 3) -> list[bytes]:
    """A whole lane, page by page."""
    found: list[bytes] = []
    while True:
        query = {"lane": lane, "after": str(len(found)), "limit": str(limit)}
        page = browser.get(f"partitions/{partition}/log", params=query).json()["entries"]
        assert [one["n"] for one in page] == list(range(len(found) + 1, len(found) + 1 + len(page)))
        found += [base64.b64decode(one["entry"]) for one in page]
        if len(page) < limit:
            return found


def test_the_copy_is_what_the_checkpoint_counts_when_it_answers(
    acme: Organisation, partition: str, device: SealedDevice
) -> None:
    browser = acme.as_client()
    stated = checkpoint(browser, partition, device)
    lanes = browser.get(f"partitions/{partition}/log").json()["lanes"]
    assert set(lanes) == {lane for lane, head in stated.lanes.items() if head.count}
    for lane in lanes:
        decoded = check_lane(lane, entries(browser, partition, lane), partition, stated.lanes[lane])
        assert len(decoded) == stated.lanes[lane].count


def test_a_later_checkpoint_extends_an_earlier_one(
    acme: Organisation, acme_customer: Customer, partition: str, device: SealedDevice
) -> None:
    browser = acme.as_operator()
    older = checkpoint(browser, partition, device)
    import_p256(acme, acme_customer, "log-extended")
    newer = checkpoint(browser, partition, device)
    assert newer.lanes["admin"].count == older.lanes["admin"].count + 1
    check_extends(older, newer, {lane: entries(browser, partition, lane) for lane in newer.lanes})


def test_all_lanes_come_in_order(acme: Organisation, partition: str, device: SealedDevice) -> None:
    checkpoint(acme.as_auditor(), partition, device)
    page = acme.as_auditor().get(f"partitions/{partition}/log", params={"limit": "5000"}).json()["entries"]
    places = [(one["lane"], one["n"]) for one in page]
    assert places == sorted(places)


def test_charlie_finds_neither_log_nor_checkpoint(globex: Organisation, partition: str) -> None:
    for browser in (globex.as_owner(), globex.as_client()):
        assert code_of(browser.get(f"partitions/{partition}/log")) == "not-found"
        assert code_of(browser.post(f"partitions/{partition}/checkpoint", json={"nonce": nonce()})) == "not-found"


def test_it_is_the_same_as_a_partition_that_does_not_exist(globex: Organisation, partition: str) -> None:
    answers = [globex.as_owner().get(f"partitions/{one}/log") for one in (partition, "pt_none")]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    "query", [{"limit": "5001"}, {"limit": "0"}, {"after": "-1"}, {"after": "x"}, {"lane": "l" * 33}]
)
def test_a_query_outside_its_bounds_is_malformed(acme: Organisation, partition: str, query: dict[str, Any]) -> None:
    assert code_of(acme.as_client().get(f"partitions/{partition}/log", params=query)) == "malformed"


@pytest.mark.parametrize("short", ["", "tooshort", "n" * 129])
def test_a_checkpoint_needs_a_nonce(acme: Organisation, partition: str, short: str) -> None:
    response = acme.as_client().post(f"partitions/{partition}/checkpoint", json={"nonce": short})
    assert code_of(response) == "malformed"
