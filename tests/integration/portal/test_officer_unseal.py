"""officer/unseal, officer/unseal/begin and officer/unseal/parts: the device comes back by its officers' parts."""

from collections.abc import Iterator
from typing import Any

import pytest

from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.commands import unseal_part_info
from strongroom.protocol.encoding import b64u
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.officers import Officer
from tests.support.pages import visitor
from tests.support.portal import Organisation, code_of
from tests.support.sealed import SealedDevice, nonce, now


@pytest.fixture
def sealed(device: SealedDevice, officers: dict[str, Officer]) -> Iterator[SealedDevice]:
    """The device after a restart: sealed. Operational again when the test is over."""
    device.stop()
    device.start()
    yield device
    if device.status().state == "sealed":
        # A new start, because the device waits a while after a wrong part.
        device.restart()


def part(officer: Officer, device: SealedDevice) -> dict[str, str]:
    """What `strongroom officer unseal` sends, but for the code."""
    mine = nonce()
    begun = officer.portal.post("officer/unseal/begin", json={"nonce": mine}).json()["endorsement"]
    endorsement, _ = verify_statement(begun, Endorsement, [device.factory.root], "device", now())
    assert endorsement.nonce == mine
    info = unseal_part_info(device.world, officer.card.fingerprint, endorsement.key_id)
    given = RecipientPublicKey.from_text(endorsement.public_key).seal(officer.card.part, info)
    return {"key_id": endorsement.key_id, "card": officer.card.fingerprint, "part": b64u(given)}


def give(officer: Officer, body: dict[str, str], **changes: Any) -> Any:
    return officer.portal.post("officer/unseal/parts", json=body | {"otp": officer.code()} | changes)


def test_two_security_officers_unseal_it(sealed: SealedDevice, officers: dict[str, Officer]) -> None:
    portal = officers["domain1"].portal
    empty = {"state": "sealed", "progress": 0, "threshold": 2, "given": [], "wait_seconds": 0}
    assert portal.get("officer/unseal").json() == empty
    first = give(officers["security1"], part(officers["security1"], sealed)).json()
    assert first == empty | {"progress": 1, "given": ["security1"]}
    # The others see who it was, on the page too.
    assert portal.get("officer/unseal").json() == first
    assert "1 of 2: security1" in visitor(officers["domain1"].user).get("/officer/").content.decode()
    second = give(officers["security3"], part(officers["security3"], sealed)).json()
    assert second["state"] == "operational"
    assert portal.get("officer/unseal").json()["state"] == "operational"


def test_other_classes_give_no_parts(sealed: SealedDevice, officers: dict[str, Officer]) -> None:
    body = {"nonce": nonce()}
    assert code_of(officers["partition1"].portal.post("officer/unseal/begin", json=body)) == "forbidden"
    mine = part(officers["security1"], sealed)
    assert code_of(give(officers["partition1"], mine)) == "forbidden"


def test_an_officer_gives_the_own_cards_part_alone(sealed: SealedDevice, officers: dict[str, Officer]) -> None:
    stolen = part(officers["security1"], sealed)
    assert code_of(give(officers["security2"], stolen)) == "officer-unknown"


def test_a_wrong_code_gives_nothing(sealed: SealedDevice, officers: dict[str, Officer]) -> None:
    officer = officers["security1"]
    wrong = "000000" if officer.code() != "000000" else "000001"
    assert code_of(give(officer, part(officer, sealed), otp=wrong)) == "otp-refused"
    assert officer.portal.get("officer/unseal").json()["progress"] == 0


def test_a_part_that_is_not_the_cards_is_refused(sealed: SealedDevice, officers: dict[str, Officer]) -> None:
    officer = officers["security1"]
    altered = part(officer, sealed)
    altered["part"] = b64u(bytes(1200))
    assert code_of(give(officer, altered)) in {"unseal-part-refused", "envelope-unopenable"}
    # Everyone sees how long the device takes none, which doubles: on a busy machine the first second may be over.
    waits = []
    while not any(waits) and len(waits) < 4:
        waits.append(officers["domain1"].portal.get("officer/unseal").json()["wait_seconds"])
        give(officer, altered)
    assert any(waits)


def test_while_it_is_sealed_officers_and_customers_are_told_to_wait(
    sealed: SealedDevice, officers: dict[str, Officer], acme: Organisation, asked: dict[str, Any]
) -> None:
    for response in (
        officers["partition1"].portal.get("officer/world"),
        officers["partition1"].open(sealed.world, asked),
    ):
        assert code_of(response) == "hsm-sealed"
        assert (response.status_code, int(response.headers["retry-after"]) > 0) == (503, True)
    # What needs no device still answers.
    assert acme.as_owner().get("partitions").status_code == 200
