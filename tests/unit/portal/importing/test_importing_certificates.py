"""Certificates that the page of imports reads: chains in the command's order, and whose status the device then asks."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from strongroom.client.material import read_material
from strongroom.protocol.certificate_status import CertificateStatus, asked_of
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from tests.support.page_modules import PageModules, pkcs8, read
from tests.support.scripted_endpoint import Identity

pytestmark = pytest.mark.needs("node", "npm")

OCSP, CRL = "http://ca.example/ocsp", "http://ca.example/crl"
BY_OCSP = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca")),
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(OCSP)),
    ]
)
BY_LIST = x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(CRL)], None, None, None)])
ROOT = Identity("root", ca=True)
ISSUER = Identity("issuer", issuer=ROOT, ca=True)
PLAIN = Identity("key", issuer=ISSUER)
ASKED = Identity("key", issuer=ISSUER, extensions=[BY_OCSP, BY_LIST])
LISTED = Identity("key", issuer=ISSUER, extensions=[BY_LIST])
STRANGER = Identity("stranger", ca=True)


def pem(*identities: Identity) -> bytes:
    return b"".join(one.certificate.public_bytes(Encoding.PEM) for one in identities)


def is_read_alike(modules: PageModules, data: bytes, **said: Any) -> None:
    known = read_material(data, certificate=said.get("certificate", b""))
    found = read(modules, data, **said)
    assert "refused" not in found, found
    assert (found["key_type"], found["public_key"]) == (known.key_type, known.public_key)
    assert found["public_only"] is known.public_only
    assert [b64u(bytes.fromhex(one)) for one in found["chain"]] == known.certificates
    assert known.certificates


def test_a_key_has_its_certificate_and_chain_from_its_file_or_another(modules: PageModules) -> None:
    key = pkcs8(PLAIN.key, Encoding.PEM)
    is_read_alike(modules, key + pem(PLAIN))
    is_read_alike(modules, key + pem(ROOT, PLAIN, ISSUER))
    is_read_alike(modules, key, certificate=pem(ISSUER, PLAIN, ROOT))
    is_read_alike(modules, key, certificate=PLAIN.certificate.public_bytes(Encoding.DER))


def test_certificates_alone_are_a_public_key_with_its_chain(modules: PageModules) -> None:
    is_read_alike(modules, pem(PLAIN))
    is_read_alike(modules, pem(ISSUER, ROOT, PLAIN))
    is_read_alike(modules, PLAIN.certificate.public_bytes(Encoding.DER))


def issued(key: Any, name: str, signer: Any, by: str, how: Any) -> x509.Certificate:
    moment = PLAIN.certificate.not_valid_before_utc
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(moment).not_valid_after(PLAIN.certificate.not_valid_after_utc)
    return builder.sign(signer, how)


@pytest.mark.parametrize(
    ("make", "how"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), hashes.SHA256()),
        (lambda: rsa.generate_private_key(65537, 2048), hashes.SHA512()),
        (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
        (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
        (Ed25519PrivateKey.generate, None),
    ],
    ids=["RSA with SHA-256", "RSA with SHA-512", "P-384", "P-521", "Ed25519"],
)
def test_issuers_of_every_common_kind_are_recognised(modules: PageModules, make: Any, how: Any) -> None:
    issuer, key = make(), ec.generate_private_key(ec.SECP256R1())
    chain = [issued(key, "leaf", issuer, "root", how), issued(issuer, "root", issuer, "root", how)]
    data = b"".join(one.public_bytes(Encoding.PEM) for one in reversed(chain))
    is_read_alike(modules, pkcs8(key, Encoding.PEM), certificate=data)
    # One of the same name that did not sign is no issuer.
    other = make()
    false = issued(other, "root", other, "root", how).public_bytes(Encoding.PEM)
    refused = read(modules, pkcs8(key, Encoding.PEM), certificate=chain[0].public_bytes(Encoding.PEM) + false)
    assert refused.get("refused") == "certificate-mismatch"


def test_certificates_that_do_not_belong_to_the_key_are_refused_as_the_command_does(modules: PageModules) -> None:
    key = pkcs8(PLAIN.key, Encoding.PEM)
    for data, certificate in [
        (key, pem(ISSUER)),
        (key, pem(PLAIN, STRANGER)),
        (key, b"no certificate"),
        (key + pem(STRANGER), b""),
        (bytes(range(32)), pem(PLAIN)),
        (pem(PLAIN, STRANGER), b""),
    ]:
        with pytest.raises(Refused) as known:
            read_material(data, certificate=certificate)
        found = read(modules, data, **({"certificate": certificate} if certificate else {}))
        assert found.get("refused") == known.value.code, (data[:30], found)


STATUS = """
    const { parse } = await import("./x509.js");
    const { askedOf, makeStatus } = await import("./revocation.js");
    const stated = makeStatus(given.status);
    return askedOf(stated, given.chain.map((one) => parse(fromHex(one), "certificate-mismatch")));
"""
STATED: list[tuple[str, str]] = [("", ""), ("ocsp", ""), ("crl", ""), ("none", ""), ("crl", "http://other.example/")]
CHAINS: dict[str, list[Identity]] = {
    "no certificate": [],
    "no address": [PLAIN, ISSUER],
    "both addresses": [ASKED, ISSUER],
    "a list alone": [LISTED, ISSUER],
    "no issuer": [ASKED],
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_whose_status_is_asked_where_is_what_the_device_finds(modules: PageModules, chain: list[Identity]) -> None:
    for method, url in STATED:
        stated = CertificateStatus(method=method, url=url) if method else None  # type: ignore[arg-type]
        try:
            asked = asked_of(stated, [one.der for one in chain])
            known: Any = {"method": asked.method, "url": asked.url} if asked else None
        except Refused as refusal:
            known = refusal.code
        given = [one.certificate.public_bytes(Encoding.DER).hex() for one in chain]
        found = modules.run(STATUS, {"status": {"method": method, "url": url, "every": ""}, "chain": given})
        assert (found.get("refused", found) if found else found) == known, (method, url)
