"""Looser terms for a new version take the owner's signature, over exactly that import; and the log shows it."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, make_id
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.owner_orders import KeyOrder, VersionConsent
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import terms_digest
from tests.support.imports import Imported
from tests.support.key_use import MESSAGE, worked
from tests.support.materials import NARROW, make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, now

AES = KeyType.AES_256


@pytest.fixture
def looser(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> tuple[Envelope, dict[str, object]]:
    """An envelope with looser terms, and the members of a consent to it."""
    key, terms, import_id = import_key(alice, AES, **NARROW), make_terms(AES), make_id("imp_")
    consent = {
        "partition": alice.partition,
        "import_id": import_id,
        "name": key.receipt.name,
        "version": 2,
        "terms_digest": terms_digest(terms.encode()),
        "issued_at": now(),
    }
    return renew(key, 2, terms, import_id=import_id), consent


def signed(members: dict[str, object], key: Ed25519PrivateKey) -> str:
    return jws.sign(VersionConsent(**members), key)  # type: ignore[arg-type]


def test_the_owner_may_consent_to_looser_terms_and_the_log_shows_it(
    alice: Customer, looser: tuple[Envelope, dict[str, object]]
) -> None:
    envelope, members = looser
    consent = signed(members, alice.owner)
    receipt: Receipt = alice.receipt(alice.send(envelope, consent=consent))
    assert worked(alice, receipt.key_id, "hash", MESSAGE)
    entry = alice.hsm.verified_log(alice.partition)["admin"][receipt.log_position - 1]
    assert entry.details["consent"] == consent


@pytest.mark.parametrize(
    "changes",
    [
        {"import_id": f"imp_{'a' * 32}"},
        {"name": "another"},
        {"version": 3},
        {"version": 1},
        {"terms_digest": "0" * 64},
        {"partition": "pt_other"},
    ],
    ids=str,
)
def test_a_consent_to_another_import_is_none(
    alice: Customer, looser: tuple[Envelope, dict[str, object]], changes: dict[str, object]
) -> None:
    envelope, members = looser
    with refused("terms-looser"):
        alice.send(envelope, consent=signed(members | changes, alice.owner))


def test_a_consent_is_the_owners_alone(
    alice: Customer, charlie: Customer, looser: tuple[Envelope, dict[str, object]]
) -> None:
    envelope, members = looser
    officers = [card.signing for card in alice.hsm.cards[::3]]
    for stranger in (alice.device_key, charlie.owner, *officers):
        with refused("not-the-owner"):
            alice.send(envelope, consent=signed(members, stranger))
    good, forged = signed(members, alice.owner), signed(members, charlie.owner)
    with refused("signature-invalid"):
        alice.send(envelope, consent=".".join([*good.split(".")[:2], forged.split(".")[2]]))
    order = KeyOrder(partition=alice.partition, key="key_any", version=2, issued_at=now())
    with refused("statement-malformed"):
        alice.send(envelope, consent=jws.sign(order, alice.owner))
    with refused("too-large"):
        alice.send(envelope, consent=good + b64u(bytes(20_000)))
    assert alice.receipt(alice.send(envelope, consent=good)).version == 2


def test_a_consent_that_is_not_needed_is_not_put_on_record(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    receipt = alice.receipt(alice.send(renew(import_key(alice, AES), 2), consent="whatever"))
    entry = alice.hsm.verified_log(alice.partition)["admin"][receipt.log_position - 1]
    assert "consent" not in entry.details
