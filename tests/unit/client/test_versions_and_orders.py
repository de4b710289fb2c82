"""Versions of a key, and the owner's word where one is looser or is to be destroyed."""

from typing import Any

import msgspec
import pytest
from authorities import PARTITION
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simulator import Simulator

from strongroom.client import imports, orders, receipts
from strongroom.client.connection import Connection
from strongroom.client.material import read_material
from strongroom.client.operations import operate
from strongroom.protocol import jws, log
from strongroom.protocol.encoding import digest
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Instruction
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.owner_orders import KeyOrder, VersionConsent, check_owner
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt


def bring_in(connection: Connection, now: int, **more: Any) -> Receipt:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    material = read_material(key)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN])
    return imports.import_key(connection, material, "signer", terms, now, **more).receipt


def test_a_new_version_follows_the_newest_and_every_receipt_is_kept(listed: Connection, now: int) -> None:
    found = [bring_in(listed, now), *(bring_in(listed, now, new_version=True) for _ in range(2))]
    assert [one.version for one in found] == [1, 2, 3]
    assert len({one.key_id for one in found}) == 1
    home = listed.home
    assert receipts.verify_kept(home, "signer", now).receipt == found[2]
    for one in found:
        assert receipts.verify_kept(home, "signer", now, one.version).receipt == one
        assert receipts.verify_kept(home, "signer", now, one.version).compared
        assert receipts.find(listed, one.key_id, now, one.version) == one


def test_an_older_receipt_never_takes_the_place_of_a_newer_one(listed: Connection, now: int) -> None:
    bring_in(listed, now)
    first = receipts.kept(listed.home, "signer")
    bring_in(listed, now, new_version=True)
    receipts.keep(listed.home, first)
    assert receipts.verify_kept(listed.home, "signer", now).receipt.version == 2


def test_a_new_version_of_nothing_is_refused(listed: Connection, now: int) -> None:
    with pytest.raises(Refused, match="not-found"):
        bring_in(listed, now, new_version=True)


def test_a_portal_that_hides_the_newest_version_only_makes_the_import_fail(
    listed: Connection, provider: Simulator, now: int
) -> None:
    bring_in(listed, now)
    first = receipts.kept(listed.home, "signer")
    bring_in(listed, now, new_version=True)
    provider.answers["GET /keys/signer/receipt"] = lambda: {"receipt": first}
    with pytest.raises(Refused, match="name-taken"):
        bring_in(listed, now, new_version=True)
    assert receipts.verify_kept(listed.home, "signer", now).receipt.version == 2


@pytest.mark.parametrize("name", ["signer.v2", "key_signer", "x.v10"])
def test_a_name_that_looks_like_a_version_or_an_id_is_refused(listed: Connection, now: int, name: str) -> None:
    material = read_material(bytes(range(32)))
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.ENCRYPT])
    with pytest.raises(Refused, match="malformed"):
        imports.import_key(listed, material, name, terms, now)


def test_the_owner_consents_to_exactly_one_import(listed: Connection, provider: Simulator, now: int) -> None:
    bring_in(listed, now)
    assert provider.consents["signer"] == ""
    bring_in(listed, now, new_version=True, owner_consent=True)
    consent = check_owner(provider.consents["signer"], VersionConsent, provider.owners)
    sent = receipts.find_sent(listed.home, "signer", 2)
    assert sent is not None
    header = jws.read_unverified(sent.header, ImportHeader)
    wanted = (PARTITION, header.import_id, "signer", 2, header.terms_digest)
    assert (consent.partition, consent.import_id, consent.name, consent.version, consent.terms_digest) == wanted


def test_without_the_owners_key_there_is_no_consent(listed: Connection, now: int) -> None:
    bring_in(listed, now)
    (listed.home.path / "owner.pem").unlink()
    listed.home._keys.clear()
    with pytest.raises(Refused, match="configuration"):
        bring_in(listed, now, new_version=True, owner_consent=True)


def test_an_operation_uses_the_version_that_is_named(listed: Connection, provider: Simulator, now: int) -> None:
    key_id = bring_in(listed, now).key_id
    bring_in(listed, now, new_version=True)

    def refuse() -> dict[str, Any]:
        raise Refused("key-not-active")

    provider.answers[f"POST /keys/{key_id}/sign"] = refuse
    for version, wanted in ((1, 1), (2, 2), (0, 2)):
        with pytest.raises(Refused, match="key-not-active"):
            operate(listed, Usage.SIGN, "signer", b"hello", now=now, version=version)
        instruction = jws.read_unverified(provider.requests[-1][2]["instruction"], Instruction)
        assert instruction.version == wanted


# --- destroying ---


class Orders:
    """The device's side of an order: carried out and on record, or only said to be."""

    def __init__(self, provider: Simulator) -> None:
        self.provider = provider
        self.recorded = True

    def __call__(self) -> dict[str, Any]:
        token = self.provider.requests[-1][2]["order"]
        order = check_owner(token, KeyOrder, self.provider.owners)
        if self.recorded:
            entries = self.provider.entries.setdefault(log.ADMIN_LANE, [])
            entry = log.Entry(
                partition=PARTITION,
                lane=log.ADMIN_LANE,
                n=len(entries) + 1,
                epoch=1,
                time=1,
                event=f"key:{order.order}",
                key=order.key,
                digest=digest(token.encode()),
                details={"versions": ["1"]},
            )
            entries.append(msgspec.json.encode(entry))
        return {"states": {"1": "revoked" if order.order == "revoke" else "destroyed"}}


def test_a_key_is_destroyed_on_the_owners_signature_and_the_log_proves_it(
    listed: Connection, provider: Simulator, now: int
) -> None:
    receipt = bring_in(listed, now)
    provider.answers[f"POST /keys/{receipt.key_id}/order"] = Orders(provider)
    assert orders.destroy(listed, "signer", now) == {1: "destroyed"}
    order = check_owner(provider.requests[-3][2]["order"], KeyOrder, provider.owners)
    assert (order.key, order.version, order.partition) == (receipt.key_id, 0, PARTITION)


def test_a_key_is_revoked_on_the_owners_signature_with_the_reason(
    listed: Connection, provider: Simulator, now: int
) -> None:
    receipt = bring_in(listed, now)
    provider.answers[f"POST /keys/{receipt.key_id}/order"] = Orders(provider)
    assert orders.revoke(listed, receipt.key_id, now, reason="a laptop was stolen") == {1: "revoked"}
    order = check_owner(provider.requests[-3][2]["order"], KeyOrder, provider.owners)
    assert (order.order, order.key, order.reason) == ("revoke", receipt.key_id, "a laptop was stolen")


def test_a_portal_that_only_says_so_is_found_out(listed: Connection, provider: Simulator, now: int) -> None:
    receipt = bring_in(listed, now)
    provider.record(log.ADMIN_LANE, "key:import")
    answer = Orders(provider)
    answer.recorded = False
    provider.answers[f"POST /keys/{receipt.key_id}/order"] = answer
    with pytest.raises(Refused, match="does not show that the key was destroyed"):
        orders.destroy(listed, "signer", now)


def test_listed_versions_are_those_of_the_devices_receipts(listed: Connection, provider: Simulator, now: int) -> None:
    bring_in(listed, now)
    token = provider.receipts["signer"]
    provider.answers["GET /keys/signer/versions"] = lambda: [{"version": 1, "state": "active", "receipt": token}]
    assert [one.version for one in orders.versions(listed, "signer", now)] == [1]
    provider.answers["GET /keys/signer/versions"] = lambda: [{"version": 2, "state": "active", "receipt": token}]
    with pytest.raises(Refused, match="receipt-mismatch"):
        orders.versions(listed, "signer", now)
