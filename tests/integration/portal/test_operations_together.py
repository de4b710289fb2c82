"""Short operations of a tenant that wait at once go to the TEE together, and each has its own answer."""

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support import outside
from tests.support.keys import import_material, p256_pkcs8, p256_terms
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer

TENANT = 1
SECONDS = 20


@pytest.fixture(scope="module")
def material() -> bytes:
    return p256_pkcs8()


@pytest.fixture(scope="module")
def key_id(acme: Organisation, acme_customer: Customer, material: bytes) -> str:
    made: str = import_material(acme, acme_customer, "together", material, p256_terms())["key_id"]
    return made


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many operations went together, as they went."""
    from tee.drivers.emulator import Emulator

    heard: list[int] = []
    operate = Emulator.operate_together

    def listen(self: Emulator, requests: list[OperationRequest]) -> Iterator[OperationReply]:
        heard.append(len(requests))
        return operate(self, requests)

    monkeypatch.setattr(Emulator, "operate_together", listen)
    return heard


def together(requests: list[OperationRequest]) -> list[OperationReply | Refused]:
    """What came of each: all wait at once, for a turn that is given when the last of them has come."""
    from portal.dataplane.company import Errand, operate
    from portal.dataplane.turns import Turns

    turns: Turns[Errand] = Turns(at_once=3, for_one=2, under_way=24)
    first = Errand(requests[0])
    turns.take(TENANT, first)
    outcomes: dict[int, OperationReply | Refused] = {}

    def run(number: int) -> None:
        try:
            outcomes[number] = operate(turns, TENANT, requests[number])
        except Refused as refused:
            outcomes[number] = refused

    threads = []
    for number in range(len(requests)):
        threads.append(threading.Thread(target=run, args=(number,), daemon=True))
        threads[-1].start()
        until(lambda number=number: turns.waiting(TENANT) == number + 1)
    turns.give(TENANT, first)
    for thread in threads:
        thread.join(SECONDS)
    return [outcomes[number] for number in range(len(requests))]


def until(holds: Callable[[], bool]) -> None:
    for _ in range(SECONDS * 100):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came about")


def test_each_has_its_own_answer_though_one_of_them_is_refused(
    acme_customer: Customer, key_id: str, material: bytes, sizes: list[int]
) -> None:
    requests = [acme_customer.request(key_id, "sign", b"%d" % n) for n in range(9)]
    requests[4] = acme_customer.request(key_id, "sign", b"no digest", parameters=Parameters(prehashed=True))
    outcomes = together(requests)
    assert sizes == [8]  # and the ninth by itself
    replies = [one for one in outcomes if isinstance(one, OperationReply)]
    assert [one.code for one in replies] == [""] * 4 + ["payload-invalid"] + [""] * 4
    for number in (0, 1, 2, 3, 5, 6, 7, 8):
        outside.verify("ECDSA-SHA256", material, replies[number].result, b"%d" % number)


def test_each_is_told_where_the_device_is_not_there(
    acme_customer: Customer, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.dataplane import company
    from tee.drivers.emulator import Emulator

    nobody = Emulator("/nowhere/hsm.sock")
    monkeypatch.setattr(company, "secure_module", lambda: nobody)
    outcomes = together([acme_customer.request(key_id, "sign", b"m")] * 5)
    assert [one.code for one in outcomes] == ["hsm-unreachable"] * 5


def test_many_at_once_over_rest_are_answered_each_its_own(acme: Organisation, key_id: str, material: bytes) -> None:
    client = acme.as_client()

    def sign(number: int) -> None:
        body = {"payload": base64.b64encode(b"%d" % number).decode(), "mechanism": "ECDSA-SHA256"}
        if number % 5 == 4:
            body["mechanism"] = "AES-GCM"
        response = client.post(f"keys/{key_id}/sign", json=body)
        if number % 5 == 4:
            assert code_of(response) == "mechanism-unsupported"
        else:
            assert response.status_code == 200, response.text
            signature = base64.b64decode(response.json()["result"])
            outside.verify("ECDSA-SHA256", material, signature, b"%d" % number)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(sign, range(120)))
