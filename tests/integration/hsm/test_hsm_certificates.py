"""Certificates in the terms belong to the key: the first is its own, and each next one issued the one before."""

import itertools
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import code_of
from tests.support.key_use import MESSAGE, worked
from tests.support.materials import make_terms, material_of, private_key, rsa_pkcs8, spki
from tests.support.sealed import Customer

EC, RSA = KeyType.EC_P256, KeyType.RSA
SIGN = ["sign", "verify"]


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(public_key: Any, subject: str, issuer: str, by: Any) -> x509.Certificate:
    moment = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=30))
        .sign(by, None if isinstance(by, Ed25519PrivateKey) else hashes.SHA256())
    )


class Authority:
    """A root and an intermediate, of different kinds of key."""

    def __init__(self) -> None:
        self.root_key, self.middle_key = ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate()
        self.root = issue(self.root_key.public_key(), "root", "root", self.root_key)
        self.middle = issue(self.middle_key.public_key(), "middle", "root", self.root_key)

    def chain(self, material: bytes) -> list[x509.Certificate]:
        leaf = issue(private_key(material).public_key(), "leaf", "middle", self.middle_key)
        return [leaf, self.middle, self.root]


def written(chain: list[x509.Certificate]) -> list[str]:
    return [b64u(one.public_bytes(Encoding.DER)) for one in chain]


def sent(customer: Customer, name: str, material: bytes, key_type: KeyType, certificates: list[str]) -> str:
    terms = make_terms(key_type, usages=SIGN, certificates=certificates)
    return code_of(customer, customer.envelope(material, terms.encode(), name))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("key_type", [EC, KeyType.EC_P521, KeyType.ED25519, RSA])
def test_a_chain_of_any_length_is_taken_with_its_key(
    alice: Customer, name: str, authority: Authority, key_type: KeyType, length: int
) -> None:
    material = material_of(key_type)
    assert sent(alice, name, material, key_type, written(authority.chain(material)[:length])) == "ok"


def test_a_certificate_alone_verifies(alice: Customer, name: str, authority: Authority) -> None:
    material = material_of(EC)
    certificates = written(authority.chain(material))
    terms = make_terms(EC, usages=["verify"], material="public", certificates=certificates)
    receipt = alice.import_key(spki(material), terms, name)
    signature = b64u(private_key(material).sign(MESSAGE, ec.ECDSA(hashes.SHA256())))
    assert worked(alice, receipt.key_id, "verify", MESSAGE, signature=signature) == b"\x01"


@pytest.mark.usefixtures("_leaves_nothing")
def test_another_keys_certificate_is_refused(alice: Customer, name: str, authority: Authority) -> None:
    mine, other = material_of(EC), material_of(EC)
    for certificates in (
        written(authority.chain(other)),
        written([authority.middle, authority.root]),
        written([authority.root]),
        written(authority.chain(rsa_pkcs8())),
    ):
        assert sent(alice, name, mine, EC, certificates) == "certificate-mismatch"


@pytest.mark.usefixtures("_leaves_nothing")
def test_a_chain_in_any_other_order_or_with_a_gap_is_refused(alice: Customer, name: str, authority: Authority) -> None:
    material = material_of(EC)
    leaf, middle, root = chain = authority.chain(material)
    orders = [list(one) for one in itertools.permutations(chain) if list(one) != chain]
    for order in [*orders, [leaf, root], [leaf, leaf], [leaf, middle, middle], [leaf, middle, root, middle]]:
        assert sent(alice, name, material, EC, written(order)) == "certificate-mismatch"


@pytest.mark.usefixtures("_leaves_nothing")
def test_a_chain_of_another_authority_of_the_same_names_is_refused(
    alice: Customer, name: str, authority: Authority
) -> None:
    material, twin = material_of(EC), Authority()
    leaf = authority.chain(material)[0]
    assert sent(alice, name, material, EC, written([leaf, twin.middle, twin.root])) == "certificate-mismatch"
    assert sent(alice, name, material, EC, written([leaf, authority.middle, twin.root])) == "certificate-mismatch"


@pytest.mark.usefixtures("_leaves_nothing")
def test_what_is_no_certificate_is_refused(alice: Customer, name: str, authority: Authority) -> None:
    material = material_of(EC)
    [good] = written(authority.chain(material)[:1])
    der = from_b64u(good)
    cut = b64u(der[: len(der) // 2])
    version_16 = b64u(der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a00302010f")))
    for text in ("", "!", "AAAA", cut, version_16, good + "AAAA", good + "=", b64u(material), b64u(spki(material))):
        assert sent(alice, name, material, EC, [text]) == "certificate-mismatch"
        assert sent(alice, name, material, EC, [good, text]) == "certificate-mismatch"
    assert sent(alice, name, material, EC, [good] * 11) == "certificate-mismatch"


@pytest.mark.usefixtures("_leaves_nothing")
def test_the_refusal_says_which_it_is_and_nothing_of_other_terms(
    alice: Customer, name: str, authority: Authority
) -> None:
    mine, other = material_of(EC), material_of(EC)
    leaf, middle, root = written(authority.chain(mine))
    unread = b64u(b"no certificate")
    status = CertificateStatus(method="none")
    for certificates, given, words in (
        # While the terms are read: no word but the code, and none of revocation intervals.
        ([unread], None, ""),
        # While the chain is checked.
        ([unread], status, "a certificate cannot be read"),
        (written(authority.chain(other)), status, "the first certificate is another key's"),
        ([leaf, root, middle], status, "a certificate was not issued by the next"),
        ([leaf] * 11, status, "a chain has at most 10 certificates"),
    ):
        terms = make_terms(EC, usages=SIGN, certificates=certificates, certificate_status=given)
        with pytest.raises(Refused) as caught:
            alice.send(alice.envelope(mine, terms.encode(), name))
        assert (caught.value.code, caught.value.detail) == ("certificate-mismatch", words)
    assert "cannot be read" in caught.value.problem.sentence


@pytest.mark.usefixtures("_leaves_nothing")
def test_a_certificate_under_an_algorithm_that_is_not_known_is_refused(
    alice: Customer, name: str, authority: Authority, tmp_path: Path
) -> None:
    """`openssl` makes certificates that the device cannot judge: SM2 keys, and signatures under MD5."""
    material = material_of(EC)
    leaf = written(authority.chain(material)[:1])
    for made in (
        ["-newkey", "sm2"],
        ["-newkey", "rsa:2048", "-md5"],
    ):
        subprocess.run(
            ["openssl", "req", "-x509", *made, "-nodes", "-keyout", "key.pem", "-subj", "/CN=middle", "-days", "2",
             "-outform", "DER", "-out", "certificate.der"],
            check=True, cwd=tmp_path, capture_output=True,
        )  # fmt: skip
        strange = b64u((tmp_path / "certificate.der").read_bytes())
        for certificates in ([strange], [*leaf, strange], [*leaf, strange, strange]):
            assert sent(alice, name, material, EC, certificates) == "certificate-mismatch"


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("key_type", [KeyType.AES_256, KeyType.HMAC])
def test_a_symmetric_key_has_no_certificate(
    alice: Customer, name: str, authority: Authority, key_type: KeyType
) -> None:
    terms = make_terms(key_type, certificates=written([authority.root]))
    assert code_of(alice, alice.envelope(material_of(key_type), terms.encode(), name)) == "terms-refused"


def test_an_rsa_pss_certificate_fits_its_key(alice: Customer, name: str, tmp_path: Path) -> None:
    for command in (
        ["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem"],
        ["req", "-x509", "-key", "key.pem", "-subj", "/CN=pss", "-days", "2", "-outform", "DER", "-out", "cert.der"],
        ["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der"],
    ):
        subprocess.run(["openssl", *command], check=True, cwd=tmp_path, capture_output=True)
    certificate = b64u((tmp_path / "cert.der").read_bytes())
    assert sent(alice, name, (tmp_path / "key.der").read_bytes(), RSA, [certificate]) == "ok"
