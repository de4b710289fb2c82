"""A portal that answers an import with another receipt, or with none: the client takes it for failed, or sees it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import imports, receipts
from strongroom.protocol import jws
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.statements import Receipt
from tests.support.client import Client, now
from tests.support.device import Device
from tests.support.hardware import Factory
from tests.support.hostile import Body, HostilePortal
from tests.support.materials import material_of
from tests.support.refusals import refused

SIGNER = Ed25519PrivateKey.generate()


def signed_by_the_portal(true: str) -> str:
    receipt = jws.read_unverified(true, Receipt)
    return jws.sign(receipt, SIGNER, x5c=jws.read_header(true)["x5c"])


def under_another_root(true: str) -> str:
    device = Device()
    certificate = device.certified(Factory().certify(device.request.decode())).certificate
    assert certificate is not None
    receipt = msgspec.structs.replace(jws.read_unverified(true, Receipt), device=device.id)
    return jws.sign(receipt, device.identity, x5c=to_x5c(certificate))


def with_fields(**changes: Any) -> Callable[[str], str]:
    def change(true: str) -> str:
        head, _, signature = true.split(".")
        receipt = msgspec.structs.replace(jws.read_unverified(true, Receipt), **changes)
        return ".".join([head, jws.sign(receipt, SIGNER).split(".")[1], signature])

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (signed_by_the_portal, "signature-invalid"),
        (under_another_root, "certificate-invalid"),
        (with_fields(terms_digest="0" * 64), "signature-invalid"),
        (with_fields(key_id="key_mine"), "signature-invalid"),
    ],
)
def test_a_receipt_that_the_device_did_not_sign_is_refused_and_not_kept(
    alice: Client, portal: HostilePortal, change: Callable[[str], str], code: str
) -> None:
    portal.alters("import", lambda true: true | {"receipt": change(true["receipt"])})
    with refused(code):
        alice.import_key("payments")
    assert not alice.home.kept("receipts", "payments")


def test_the_receipt_of_another_key_of_the_customer_is_refused(alice: Client, portal: HostilePortal) -> None:
    # Even of the very same key under other terms.
    material = material_of(KeyType.EC_P256)
    weaker = alice.import_key("first", KeyType.EC_P256, material=material, authorisation="token")
    first = portal.receipts[weaker.key_id]
    portal.alters("import", lambda true: true | {"receipt": first})
    with refused("receipt-mismatch"):
        alice.import_key("second", KeyType.EC_P256, material=material)
    assert not alice.home.kept("receipts", "second")


def test_the_receipt_of_another_customer_is_refused(alice: Client, charlie: Client, portal: HostilePortal) -> None:
    charlies = portal.receipts[charlie.import_key("payments").key_id]
    portal.alters("import", lambda true: true | {"receipt": charlies})
    with refused("receipt-mismatch"):
        alice.import_key("payments")


def test_the_receipt_by_another_certified_device_is_refused(
    alice: Client, portal: HostilePortal, other: Device
) -> None:
    def change(true: Body) -> Body:
        assert other.certificate is not None
        x5c = to_x5c(other.certificate)
        receipt = jws.read_unverified(true["receipt"], Receipt)
        named = msgspec.structs.replace(receipt, device=other.id)
        return true | {"receipt": jws.sign(named if names_itself else receipt, other.identity, x5c=x5c)}

    portal.alters("import", change)
    for names_itself in (True, False):
        with refused("receipt-mismatch"):
            alice.import_key(f"payments-{names_itself}")


def test_another_statement_of_the_device_is_no_receipt(alice: Client, portal: HostilePortal) -> None:
    asked = {"partition": alice.partition, "nonce": "n" * 32}
    attestation = portal.honest("attestation", asked)["attestation"]
    portal.alters("import", lambda true: true | {"receipt": attestation})
    with refused("statement-malformed"):
        alice.import_key("payments")


def test_without_a_receipt_the_import_has_not_succeeded_whatever_the_portal_says(
    alice: Client, portal: HostilePortal
) -> None:
    portal.does["import"] = lambda _: {"status": "complete", "receipt": None}
    with refused("internal"):
        alice.import_key("payments")
    assert not alice.home.kept("receipts", "payments")


def test_a_key_that_went_in_although_the_portal_says_that_it_failed_stands_in_the_log(
    alice: Client, portal: HostilePortal
) -> None:
    portal.alters("import", lambda _: {"status": "failed", "code": "key-weak"})
    with refused("key-weak"):
        alice.import_key("payments")
    assert [one.details["name"] for one in alice.verify_log().lanes["admin"] if one.event == "key:import"] == [
        "payments"
    ]
    # And where the portal answers by and by, the receipt is checked as ever.
    portal.alters("find-import", lambda true: true | {"receipt": signed_by_the_portal(true["receipt"])})
    with refused("signature-invalid"):
        imports.resume(alice.connection, "payments", now())
    del portal.does["find-import"]
    assert imports.resume(alice.connection, "payments", now()).name == "payments"


# --- receipts that a folder has not got itself ---


@pytest.fixture
def elsewhere(alice: Client, tmp_path: Path) -> Client:
    """Alice at another machine, where no receipt is kept."""
    return alice.copied(tmp_path / "elsewhere", without="receipts")


def test_the_receipt_of_another_key_is_not_taken_for_the_one_that_was_asked_for(
    alice: Client, elsewhere: Client, portal: HostilePortal
) -> None:
    other = portal.receipts[alice.import_key("other").key_id]
    alice.import_key("payments")
    portal.does["receipt"] = lambda _: {"receipt": other}
    with refused("receipt-mismatch"):
        elsewhere.operate(Usage.HASH, "payments", b"hello")
    assert not portal.seen("operation")


def test_nor_is_the_receipt_of_another_customers_key_of_the_same_name(
    alice: Client, charlie: Client, elsewhere: Client, portal: HostilePortal
) -> None:
    alice.import_key("payments")
    charlies = portal.receipts[charlie.import_key("payments").key_id]
    portal.does["receipt"] = lambda _: {"receipt": charlies}
    with refused("receipt-mismatch"):
        elsewhere.operate(Usage.HASH, "payments", b"hello")
    assert not portal.seen("operation")


def test_a_receipt_of_the_portals_making_is_not_used(alice: Client, elsewhere: Client, portal: HostilePortal) -> None:
    alice.import_key("payments")
    portal.alters("receipt", lambda true: {"receipt": signed_by_the_portal(true["receipt"])})
    with refused("signature-invalid"):
        elsewhere.operate(Usage.HASH, "payments", b"hello")
    assert not portal.seen("operation")


def test_an_import_that_never_was_has_no_receipt(alice: Client, portal: HostilePortal) -> None:
    def keep(_: Body) -> Body:
        raise Refused("internal")

    portal.does["import"] = keep
    with refused("internal"):
        alice.import_key("payments")
    with refused("not-found"):
        imports.resume(alice.connection, "payments", now())
    with refused("not-found"):
        receipts.verify_kept(alice.home, "payments", now())
