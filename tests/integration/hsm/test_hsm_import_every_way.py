"""Every kind of key arrives by every suite and transport, and works: what it computes is checked outside."""

import pytest

from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt
from tests.support.key_use import check_use
from tests.support.materials import make_terms, material_of
from tests.support.sealed import Customer
from tests.support.ways import WAYS, delivered, envelope_by


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_key_of_any_kind_comes_by_any_way_and_works(
    alice: Customer, name: str, key_type: KeyType, way: tuple[str, str]
) -> None:
    material = material_of(key_type)
    sent = envelope_by(alice, way, material, make_terms(key_type).encode(), name)
    receipt: Receipt = alice.receipt(alice.send(delivered(sent)))
    check_use(alice, receipt.key_id, key_type, material)
    entry = alice.hsm.verified_log(alice.partition)["admin"][receipt.log_position - 1]
    assert (entry.details["suite"], entry.details["transport"]) == way
