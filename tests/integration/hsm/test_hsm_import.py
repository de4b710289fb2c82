"""The import: each thing that is wrong has its code and leaves nothing behind; what is right gives one receipt."""

import json
import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, from_b64u, make_id
from strongroom.protocol.envelope import Envelope, ImportHeader, header_digest
from strongroom.protocol.mechanisms import SYMMETRIC, KeyType
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.terms import terms_digest
from tests.support.imports import changed, code_of, keys_of, resigned
from tests.support.materials import make_terms, material_of, private_key, rsa_pkcs8
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice

AES = KeyType.AES_256
pytestmark = pytest.mark.usefixtures("_leaves_nothing")
imports = pytest.mark.usefixtures("_imports")


# --- what is right ---


@imports
@pytest.mark.parametrize("key_type", list(KeyType))
def test_the_receipt_is_for_exactly_what_was_sent(alice: Customer, name: str, key_type: KeyType) -> None:
    material, terms = material_of(key_type), make_terms(key_type).encode()
    envelope = alice.envelope(material, terms, name)
    receipt = alice.receipt(alice.send(envelope))
    header = jws.read_unverified(envelope.header, ImportHeader)
    assert receipt.header_digest == header_digest(envelope.header)
    assert receipt.terms_digest == terms_digest(terms)
    for member in ("import_id", "name", "tenant", "partition", "owner", "device"):
        assert getattr(receipt, member) == getattr(header, member)
    assert (receipt.key_type, receipt.version) == (key_type, 1)
    if key_type in SYMMETRIC:
        assert (receipt.public_key, len(receipt.check_value)) == ("", 6)
    else:
        public = private_key(material).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert (receipt.public_key, receipt.check_value) == (public.decode(), "")


@imports
def test_the_check_value_is_that_of_pkcs_11(alice: Customer, name: str) -> None:
    receipt = alice.import_key(bytes(32), make_terms(AES), name)
    assert receipt.check_value == "dc95c0"  # AES-256 of a zero block under a zero key: FIPS 197's dc95c078a2408989…
    hmac_key = b"abcdefghijklmnopqrstuvwxyz"
    receipt = alice.import_key(hmac_key, make_terms(KeyType.HMAC), f"{name}-hmac")
    assert receipt.check_value == "32d10c"  # SHA-1 of the alphabet: 32d10c7b8cf96570…


@imports
@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_of_every_size_that_is_promised(alice: Customer, name: str, bits: int) -> None:
    assert alice.import_key(rsa_pkcs8(bits), make_terms(KeyType.RSA), name).key_type == "RSA"


@imports
def test_the_same_header_again_gets_the_same_receipt(alice: Customer, envelope: Envelope) -> None:
    first = alice.send(envelope)
    assert alice.send(envelope) == first
    found = alice.hsm.line().call(
        c.FindImport(partition=alice.partition, import_id=alice.receipt(first).import_id), c.ImportKeyReply
    )
    assert found.receipt == first
    assert keys_of(alice).count(first) == 1


@imports
def test_the_log_position_in_the_receipt_is_the_imports_entry(alice: Customer, envelope: Envelope) -> None:
    receipt = alice.receipt(alice.send(envelope))
    entry = alice.hsm.verified_log(alice.partition)["admin"][receipt.log_position - 1]
    assert (entry.event, entry.key, entry.digest) == ("key:import", receipt.key_id, receipt.header_digest)
    assert entry.principal == f"device:{public_credential(alice.device_key).fingerprint}"


@imports
def test_a_partition_has_its_keys_listed_in_pages(charlie: Customer) -> None:
    made = {charlie.import_key(os.urandom(32), make_terms(AES), f"page-{n}").key_id for n in range(3)}
    assert {charlie.receipt(one).key_id for one in keys_of(charlie)} >= made
    middle = sorted(made)[1]
    rest = charlie.hsm.line().call(c.ListKeys(partition=charlie.partition, after=middle), c.ListKeysReply)
    assert all(charlie.receipt(one).key_id > middle for one, _ in rest.keys)


# --- moved to where it does not belong ---


@imports
def test_the_same_import_id_with_another_header_is_refused(alice: Customer, envelope: Envelope, name: str) -> None:
    receipt = alice.receipt(alice.send(envelope))
    again = alice.envelope(os.urandom(32), make_terms(AES).encode(), f"{name}-b", import_id=receipt.import_id)
    with refused("import-replayed"):
        alice.send(again)
    with refused("import-replayed"):
        alice.send(resigned(alice, envelope, created_at=1))


def test_parts_of_one_envelope_do_not_fit_the_header_of_another(alice: Customer, envelope: Envelope) -> None:
    other = alice.envelope(os.urandom(32), make_terms(AES).encode(), "other")
    for mixed in (
        changed(other, header=envelope.header),
        changed(envelope, material=other.material),
        changed(envelope, terms=other.terms),
    ):
        assert code_of(alice, mixed) == "envelope-unopenable"


@pytest.mark.parametrize("member", ["import_id", "owner_binding", "terms_digest", "material_digest"])
def test_even_the_device_cannot_sign_another_context_for_what_was_sealed(
    alice: Customer, envelope: Envelope, member: str
) -> None:
    changes = {
        "import_id": {"import_id": make_id("imp_")},
        "owner_binding": {"suite": "HPKE-XWING", "import_id": make_id("imp_")},
        "terms_digest": {"terms_digest": "0" * 64},
        "material_digest": {"material_digest": "0" * 64},
    }[member]
    assert code_of(alice, resigned(alice, envelope, **changes)) in {"envelope-unopenable", "envelope-altered"}


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("device", "dev_other", "wrong-device"),
        ("partition", "pt_other", "wrong-partition"),
        ("tenant", "globex", "wrong-tenant"),
        ("owner", "o" * 43, "wrong-owner"),
        ("name", "key_likeanid", "malformed"),
        ("name", "", "malformed"),
        ("name", "a/b", "malformed"),
        ("name", "n" * 65, "malformed"),
        ("import_id", "imp_short", "malformed"),
        ("import_id", "imp_../../x", "malformed"),
    ],
)
def test_an_envelope_for_somewhere_else_is_refused(
    alice: Customer, envelope: Envelope, member: str, value: str, code: str
) -> None:
    header = jws.read_unverified(envelope.header, ImportHeader)
    assert getattr(header, member) != value
    with refused(code):
        alice.send(resigned(alice, envelope, **{member: value}))


@pytest.mark.parametrize("which", ["vendor", "provider"])
def test_an_envelope_under_an_unknown_key_is_refused(alice: Customer, name: str, which: str) -> None:
    other = RecipientPrivateKey.generate().public()
    with refused(f"{which}-key-unknown"):
        alice.send(alice.envelope(os.urandom(32), make_terms(AES).encode(), name, **{f"{which}_key": other}))


def test_a_wrapping_key_used_in_the_place_of_the_other_is_unknown(alice: Customer, name: str) -> None:
    vendor = alice.recipient("vendor")
    with refused("provider-key-unknown"):
        alice.send(alice.envelope(os.urandom(32), make_terms(AES).encode(), name, provider_key=vendor))


def test_the_portal_cannot_send_it_as_another_tenants(alice: Customer, charlie: Customer, envelope: Envelope) -> None:
    with refused("wrong-tenant"):
        alice.send(envelope, tenant="globex")
    with refused("device-not-listed"):
        alice.send(envelope, partition=charlie.partition)
    with refused("device-not-listed"):
        charlie.send(envelope)
    with refused("not-found"):
        alice.send(envelope, partition="pt_none")


@imports
def test_another_tenant_does_not_get_the_receipt_by_sending_the_header_again(
    alice: Customer, envelope: Envelope
) -> None:
    alice.send(envelope)
    with refused("wrong-tenant"):
        alice.send(envelope, tenant="globex")


def test_a_customer_of_two_partitions_cannot_have_one_envelope_in_both(hsm: SealedDevice) -> None:
    first, second = hsm.customer("acme"), hsm.customer("acme")
    second.device_key = first.device_key
    second.allow(second.device_entry(["import"]))
    envelope = first.envelope(os.urandom(32), make_terms(AES).encode(), "n")
    with refused("wrong-partition"):
        first.send(envelope, partition=second.partition)


# --- signed by somebody else ---


def test_an_unlisted_signer_is_refused(alice: Customer, charlie: Customer, name: str) -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), alice.owner, charlie.device_key, alice.hsm.cards[0].signing):
        envelope = alice.envelope(os.urandom(32), make_terms(AES).encode(), name, signer=key)
        with refused("device-not-listed"):
            alice.send(envelope)


def test_a_listed_device_without_the_right_to_import_is_refused(hsm: SealedDevice) -> None:
    customer = hsm.customer("acme")
    customer.allow(customer.device_entry(["sign", "verify"]))
    with refused("access-denied"):
        customer.send(customer.envelope(os.urandom(32), make_terms(AES).encode(), "n"))


def test_another_signed_statement_of_the_device_is_no_header(alice: Customer, envelope: Envelope) -> None:
    token = jws.sign(alice.instruction("k", "sign", b"", ""), alice.device_key)
    with refused("statement-malformed"):
        alice.send(changed(envelope, header=token))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", "EdDSA "])
def test_another_algorithm_in_the_header_is_refused(alice: Customer, envelope: Envelope, algorithm: str) -> None:
    head, body, signature = envelope.header.split(".")
    members = json.loads(from_b64u(head)) | {"alg": algorithm}
    for forged in (
        f"{b64u(json.dumps(members).encode())}.{body}.{signature}",
        f"{b64u(json.dumps(members).encode())}.{body}.",
    ):
        with refused("statement-malformed", "signature-invalid"):
            alice.send(changed(envelope, header=forged))


# --- too large ---


@pytest.mark.parametrize(
    ("part", "value"), [("material", b"x" * 65_537), ("terms", b"x" * 65_537), ("header", "x" * 32_769)]
)
def test_an_oversize_part_is_refused_before_anything_else(
    alice: Customer, envelope: Envelope, part: str, value: object
) -> None:
    with refused("too-large"):
        alice.send(changed(envelope, **{part: value}))


# --- names ---


@imports
def test_a_name_is_given_once_in_a_partition_and_free_in_another(
    alice: Customer, charlie: Customer, envelope: Envelope, name: str
) -> None:
    alice.send(envelope)
    with refused("name-taken"):
        alice.send(alice.envelope(os.urandom(32), make_terms(AES).encode(), name))
    assert charlie.import_key(os.urandom(32), make_terms(AES), name).name == name


def test_an_import_that_never_was_is_not_found(alice: Customer) -> None:
    for import_id in (make_id("imp_"), "", "../../keys", "x" * 1000):
        with refused("not-found"):
            alice.hsm.line().call(c.FindImport(partition=alice.partition, import_id=import_id), c.ImportKeyReply)


def test_imports_work_while_many_are_refused(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    for n in range(50):
        good = customer.envelope(os.urandom(32), make_terms(AES).encode(), f"n{n}")
        assert code_of(customer, changed(good, material=good.material[:-1])) == "envelope-unopenable"
        assert code_of(customer, good) == "ok"
    assert len(keys_of(customer)) == 50
