"""Keys that the device makes, and keys that it keeps under other terms: the road of an import without material."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, make_id
from strongroom.protocol.envelope import Envelope, ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import SYMMETRIC, KeyType
from strongroom.protocol.statements import Receipt
from tests.support.imports import Imported, changed, code_of, resigned, states_of
from tests.support.key_use import MESSAGE, worked
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice

AUTHORITY = ec.generate_private_key(ec.SECP256R1())
SIZES = {KeyType.RSA: 2048, KeyType.HMAC: 48}


def made_envelope(customer: Customer, name: str, key_type: KeyType, **changes: object) -> Envelope:
    header = {key: changes.pop(key) for key in ("version", "origin") if key in changes}
    terms = make_terms(key_type, **({"size": SIZES.get(key_type)} | changes))
    return customer.envelope(b"", terms.encode(), name, **({"origin": "made"} | header))  # type: ignore[arg-type]


def issue(public_key: Any) -> list[str]:
    """A certificate for a key, as terms hold it."""
    name, moment = x509.Name.from_rfc4514_string("CN=a"), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public_key).serial_number(1)
    builder = builder.not_valid_before(moment).not_valid_after(moment + timedelta(days=1))
    return [b64u(builder.sign(AUTHORITY, hashes.SHA256()).public_bytes(Encoding.DER))]


def make(customer: Customer, name: str, key_type: KeyType, **changes: object) -> Receipt:
    return customer.receipt(customer.send(made_envelope(customer, name, key_type, **changes)))


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_key_of_every_type_is_made_and_works(alice: Customer, name: str, key_type: KeyType) -> None:
    receipt = make(alice, name, key_type)
    assert (receipt.origin, receipt.key_type, receipt.version) == ("made", key_type, 1)
    assert (bool(receipt.public_key), bool(receipt.check_value)) == (key_type not in SYMMETRIC, key_type in SYMMETRIC)
    if "sign" in make_terms(key_type).usages:
        signature = worked(alice, receipt.key_id, "sign", MESSAGE)
        assert worked(alice, receipt.key_id, "verify", MESSAGE, signature=b64u(signature)) == b"\x01"
    elif "encrypt" in make_terms(key_type).usages:
        sealed = worked(alice, receipt.key_id, "encrypt", MESSAGE)
        assert worked(alice, receipt.key_id, "decrypt", sealed) == MESSAGE
    elif "hash" in make_terms(key_type).usages:
        assert len(worked(alice, receipt.key_id, "hash", MESSAGE)) == 32


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_an_rsa_key_has_the_size_that_the_sealed_terms_say(alice: Customer, name: str, bits: int) -> None:
    receipt = make(alice, name, KeyType.RSA, size=bits)
    assert load_pem_public_key(receipt.public_key.encode()).key_size == bits  # type: ignore[union-attr]


def test_two_made_keys_are_different(alice: Customer, name: str) -> None:
    receipts = [make(alice, f"{name}-{n}", KeyType.ED25519) for n in (1, 2)]
    assert receipts[0].public_key != receipts[1].public_key


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
@pytest.mark.parametrize("transport", ["tee", "channel"])
def test_by_every_suite_and_transport(alice: Customer, name: str, suite: str, transport: str) -> None:
    import_id = make_id("imp_")
    vendor = alice.single_use_key(import_id) if suite == "RSA-AES-KWP" else alice.recipient("vendor")
    provider = alice.recipient("provider", suite) if transport == "tee" else None
    terms = make_terms(KeyType.EC_P256).encode()
    envelope = alice.envelope(
        b"",
        terms,
        name,
        origin="made",
        import_id=import_id,
        vendor_key=vendor,
        provider_key=provider,
        transport=transport,
    )
    assert envelope.material == b""
    assert alice.receipt(alice.send(envelope)).origin == "made"


def test_the_same_header_again_makes_no_second_key(alice: Customer, name: str) -> None:
    envelope = made_envelope(alice, name, KeyType.EC_P256)
    receipt = alice.send(envelope)
    assert alice.send(envelope) == receipt


def test_it_is_on_record_as_made(alice: Customer, name: str) -> None:
    receipt = make(alice, name, KeyType.EC_P256)
    entry = alice.hsm.verified_log(alice.partition)["admin"][receipt.log_position - 1]
    assert (entry.event, entry.key, entry.digest) == ("key:make", receipt.key_id, receipt.header_digest)


# --- versions ---


def test_a_made_key_has_made_and_imported_versions_under_the_same_rules(
    alice: Customer, name: str, renew: Callable[..., Envelope]
) -> None:
    first = make(alice, name, KeyType.AES_256)
    terms = make_terms(KeyType.AES_256)
    imported = Imported(first, b"", terms)
    assert alice.receipt(alice.send(renew(imported, 2, material=os.urandom(32)))).origin == "imported"
    third = make(alice, name, KeyType.AES_256, version=3)
    assert (third.key_id, third.origin, third.version) == (first.key_id, "made", 3)
    make(alice, name, KeyType.AES_256, version=4, authorisation="signed")
    with pytest.raises(Refused) as looser:
        make(alice, name, KeyType.AES_256, version=5)
    # Which term it is, is not the provider's to know.
    assert (looser.value.code, looser.value.detail) == ("terms-looser", "")


# --- a key kept under other terms ---


def test_a_kept_key_is_the_same_key_under_new_terms(
    alice: Customer, import_key: Callable[..., Imported], name: str
) -> None:
    first = make(alice, name, KeyType.EC_P256)
    second = make(alice, name, KeyType.EC_P256, version=2, origin="kept", usages=["verify"])
    assert (second.origin, second.public_key, second.key_id) == ("kept", first.public_key, first.key_id)
    assert alice.operate(first.key_id, "sign", MESSAGE).code == "usage-not-permitted"
    assert alice.operate(first.key_id, "sign", MESSAGE, version=1).code == ""
    entry = alice.hsm.verified_log(alice.partition)["admin"][second.log_position - 1]
    assert entry.event == "key:renew"
    with refused("terms-looser"):
        make(alice, name, KeyType.EC_P256, version=3, origin="kept")


def test_a_certificate_comes_to_a_made_key_by_a_kept_version(alice: Customer, name: str) -> None:
    first = make(alice, name, KeyType.EC_P256)
    request = alice.operate(first.key_id, "sign", b'{"subject":"CN=a"}', mechanism="X509-CSR").result
    chain = issue(x509.load_der_x509_csr(request).public_key())
    second = make(alice, name, KeyType.EC_P256, version=2, origin="kept", certificates=chain)
    assert second.public_key == first.public_key
    other = issue(AUTHORITY.public_key())
    with refused("certificate-mismatch"):
        make(alice, name, KeyType.EC_P256, version=3, origin="kept", certificates=other)


@pytest.mark.usefixtures("_leaves_nothing")
def test_there_must_be_a_version_to_keep(alice: Customer, name: str) -> None:
    with refused("conflict"):
        make(alice, name, KeyType.EC_P256, origin="kept")


def test_a_destroyed_version_is_not_kept_and_another_type_is_not_that_key(alice: Customer, name: str) -> None:
    receipt = make(alice, name, KeyType.EC_P256)
    with refused("terms-looser"):
        make(alice, name, KeyType.EC_P384, version=2, origin="kept", usages=["sign"])
    alice.order(receipt.key_id, 1)
    with refused("conflict"):
        make(alice, name, KeyType.EC_P256, version=2, origin="kept")
    assert states_of(alice, receipt.key_id) == {1: "destroyed"}


# --- refused ---


@pytest.mark.usefixtures("_leaves_nothing")
def test_material_beside_a_key_to_be_made_is_refused(alice: Customer, name: str) -> None:
    envelope = made_envelope(alice, name, KeyType.AES_256)
    imported = alice.envelope(os.urandom(32), make_terms(KeyType.AES_256).encode(), name)
    assert code_of(alice, changed(envelope, material=imported.material)) == "envelope-altered"
    assert code_of(alice, resigned(alice, imported, origin="made")) == "envelope-altered"
    assert code_of(alice, changed(imported, material=b"")) == "envelope-unopenable"
    assert code_of(alice, resigned(alice, envelope, origin="imported")) == "envelope-unopenable"


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize(
    ("key_type", "size"),
    [
        (KeyType.RSA, None),
        (KeyType.RSA, 1024),
        (KeyType.RSA, 2049),
        (KeyType.RSA, 8192),
        (KeyType.HMAC, None),
        (KeyType.HMAC, 15),
        (KeyType.HMAC, 1025),
        (KeyType.AES_256, 32),
        (KeyType.EC_P256, 256),
    ],
)
def test_other_sizes_are_refused(alice: Customer, name: str, key_type: KeyType, size: int | None) -> None:
    with refused("terms-refused"):
        make(alice, name, key_type, size=size)


@pytest.mark.usefixtures("_leaves_nothing")
def test_an_imported_key_has_no_size_in_its_terms(alice: Customer, name: str) -> None:
    terms = make_terms(KeyType.HMAC, size=48)
    assert code_of(alice, alice.envelope(os.urandom(48), terms.encode(), name)) == "terms-refused"


@pytest.mark.usefixtures("_leaves_nothing")
def test_an_unknown_origin_and_a_public_key_to_be_made_are_refused(alice: Customer, name: str) -> None:
    envelope = made_envelope(alice, name, KeyType.EC_P256)
    header = jws.read_unverified(envelope.header, ImportHeader)
    assert header.origin == "made"
    assert code_of(alice, resigned(alice, envelope, origin="found")) == "statement-malformed"
    with refused("key-unparsable"):
        make(alice, name, KeyType.EC_P256, material="public", usages=["verify"])


@pytest.mark.usefixtures("_leaves_nothing")
def test_only_a_device_with_the_right_to_import_has_keys_made(hsm: SealedDevice, alice: Customer, name: str) -> None:
    bob = hsm.customer("acme")
    bob.allow(bob.device_entry(["sign"]))
    with refused("access-denied"):
        make(bob, name, KeyType.EC_P256)
