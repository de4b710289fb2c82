"""Keys that the device makes or keeps: what leaves this machine, and which receipts are believed."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from simulator import Simulator

from strongroom.client import imports, kept_terms, receipts
from strongroom.client.connection import Connection
from strongroom.client.making import kept, to_be_made
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt, read_terms


def make(connection: Connection, now: int, kind: str = "EC-P256", **more: Any) -> Receipt:
    material = to_be_made(kind)
    usages = more.pop("usages", [Usage.SIGN, Usage.VERIFY])
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=usages)
    return imports.import_key(connection, material, "maker", terms, now, **more).receipt


def spki(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_no_material_leaves_and_the_receipt_says_that_it_was_made(
    listed: Connection, provider: Simulator, now: int
) -> None:
    receipt = make(listed, now)
    body = next(body for method, path, body in provider.requests if (method, path) == ("POST", "/imports"))
    assert (body["material"], receipt.origin) == ("", "made")
    checked = receipts.verify_kept(listed.home, "maker", now)
    assert (checked.receipt, checked.compared) == (receipt, True)


LIES: list[dict[str, Any]] = [
    {"origin": "imported"},
    {"key_type": KeyType.EC_P384},
    {"public_key": ""},
    {"public_key": "nonsense"},
    {"check_value": "0a0b0c"},
    {"public_key": spki(ec.generate_private_key(ec.SECP384R1()))},
    {"public_key": spki(rsa.generate_private_key(65537, 2048))},
    {"terms_digest": "0" * 64},
]
"""Of a receipt for an EC-P256 that was to be made."""


@pytest.mark.parametrize("lie", LIES, ids="-".join)
def test_a_receipt_for_anything_else_is_refused(
    listed: Connection, provider: Simulator, now: int, lie: dict[str, Any]
) -> None:
    provider.lies["receipt"] = lambda receipt: msgspec.structs.replace(receipt, **lie)
    with pytest.raises(Refused, match="receipt-mismatch"):
        make(listed, now)


@pytest.mark.parametrize(
    ("kind", "key_type", "size"),
    [
        ("RSA", KeyType.RSA, 3072),
        ("RSA-4096", KeyType.RSA, 4096),
        ("HMAC", KeyType.HMAC, 32),
        ("HMAC-64", KeyType.HMAC, 64),
        ("AES-256", KeyType.AES_256, None),
        ("Ed25519", KeyType.ED25519, None),
    ],
)
def test_a_kind_is_a_type_and_where_it_has_several_a_size(kind: str, key_type: KeyType, size: int | None) -> None:
    material = to_be_made(kind)
    assert (material.key_type, material.size, material.secret, material.origin) == (key_type, size, b"", "made")


@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-3000", "HMAC-8", "HMAC-2000", "RSA-", "AES", "AES-512", "P-256", ""])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(Refused, match=r"malformed|key-weak"):
        to_be_made(kind)


def test_a_kept_key_must_come_back_as_the_same_key(listed: Connection, provider: Simulator, now: int) -> None:
    first = make(listed, now)
    terms = kept_terms.find(listed.home, first.terms_digest)
    assert terms is not None
    again = imports.import_key(listed, kept(first), "maker", terms, now, new_version=True).receipt
    assert (again.origin, again.version, again.public_key) == ("kept", 2, first.public_key)
    other = spki(ec.generate_private_key(ec.SECP256R1()))
    provider.lies["receipt"] = lambda receipt: msgspec.structs.replace(receipt, public_key=other)
    with pytest.raises(Refused, match="receipt-mismatch"):
        imports.import_key(listed, kept(again), "maker", terms, now, new_version=True)


# --- terms that are kept here ---


def test_a_looser_term_is_named_before_anything_is_sent(listed: Connection, provider: Simulator, now: int) -> None:
    make(listed, now, usages=[Usage.SIGN])
    sent = len(provider.requests)
    with pytest.raises(Refused, match="terms-looser") as looser:
        make(listed, now, new_version=True)
    assert looser.value.detail == "looser than in the version before: usages"
    assert not [one for one in provider.requests[sent:] if one[0] == "POST"]
    assert make(listed, now, new_version=True, owner_consent=True).version == 2


def test_terms_are_kept_for_their_owner_alone_and_never_altered(listed: Connection, now: int) -> None:
    receipt = make(listed, now)
    path = listed.home.path / "terms" / f"{receipt.terms_digest}.json"
    assert (path.stat().st_mode & 0o777, read_terms(path.read_bytes()).usages) == (0o600, [Usage.SIGN, Usage.VERIFY])
    path.write_bytes(path.read_bytes().replace(b"verify", b"derive"))
    assert kept_terms.find(listed.home, receipt.terms_digest) is None
