"""Terms that the page of imports makes: the device's own bytes; what contradicts itself is refused."""

import hashlib
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.client.making import to_be_made
from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from strongroom.protocol.revocation import Revocation
from strongroom.protocol.terms import Terms, read_terms
from tests.support.page_modules import PageModules
from tests.support.scripted_endpoint import Identity

pytestmark = pytest.mark.needs("node", "npm")


MAKE_TERMS = """
    const { encode, makeTerms } = await import("./terms.js");
    const material = { public_only: false, chain: [], key_type: given.key_type, ...given.material };
    return hex(encode(await makeTerms(given.terms, material, given.registry, given.now)));
"""
PLAIN = {
    "usages": ["sign", "verify"],
    "mechanisms": [],
    "authorisation": "signed",
    "notBefore": "",
    "notAfter": "",
    "translateTo": [],
    "revocation": None,
    "status": {"method": "", "url": "", "every": ""},
}


def test_terms_are_the_devices_own_bytes(modules: PageModules, registry: dict[str, Any]) -> None:
    now = int(time.time())
    pin = Ed25519PrivateKey.generate().public_key()
    pem = pin.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    der = pin.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    revocation = {
        "url": "https://keys.acme.example/revoked",
        "token": "t0ken",
        "pin": pem,
        "every": "5m",
        "answerKey": pem,
    }
    asked = {
        **PLAIN,
        "mechanisms": ["ECDSA-SHA256"],
        "notBefore": "2026-01-02",
        "notAfter": "90d",
        "authorisation": "token",
        "revocation": revocation,
    }
    given = {"terms": asked, "key_type": "EC-P256", "registry": registry, "now": now}
    made = bytes.fromhex(modules.run(MAKE_TERMS, given))
    terms = read_terms(made)
    assert terms == Terms(
        salt=terms.salt,
        key_type=KeyType.EC_P256,
        usages=[Usage.SIGN, Usage.VERIFY],
        authorisation="token",
        mechanisms=[Mechanism.ECDSA_SHA256],
        not_before=1767312000,
        not_after=now + 90 * 86400,
        revocation=Revocation(
            url=revocation["url"],
            token="t0ken",
            public_keys=[hashlib.sha256(der).hexdigest()],
            every=300,
            answer_key=b64u(pin.public_bytes_raw()),
        ),
    )
    assert terms.encode() == made
    assert len(from_b64u(terms.salt)) == 16


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"usages": []}, "what the key may be used for"),
        ({"usages": ["decrypt"]}, "can decrypt"),
        ({"mechanisms": ["AES-GCM"]}, "can sign"),
        ({"mechanisms": ["ECDSA-SHA256", "SHA-256"]}, "SHA-256 serves none"),
        ({"notAfter": "2020-01-01"}, "in the past"),
        ({"notAfter": "tomorrow"}, "neither a time"),
        ({"notBefore": "20d", "notAfter": "10d"}, "ends before it begins"),
        ({"translateTo": ["other"]}, "translate is not among"),
        ({"revocation": {"url": "http://a.example", "token": "t", "pin": "", "every": "60s"}}, "not https"),
        ({"revocation": {"url": "https://a.example", "token": "t t", "pin": "", "every": "60s"}}, "bearer token"),
        ({"revocation": {"url": "https://a.example", "token": "t", "pin": "", "every": "60s"}}, "pinned by 1 to 8"),
    ],
)
def test_terms_that_contradict_themselves_are_refused(
    modules: PageModules, registry: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    given = {"terms": PLAIN | change, "key_type": "EC-P256", "registry": registry, "now": int(time.time())}
    refused = modules.run(MAKE_TERMS, given)
    assert refused["refused"] == "terms-refused"
    assert said in refused["sentence"]


@pytest.mark.parametrize("kind", [*KeyType, "RSA-2048", "RSA-4096", "HMAC-16", "HMAC-1024"])
def test_terms_of_a_key_that_the_device_makes_are_the_commands(
    modules: PageModules, registry: dict[str, Any], kind: str
) -> None:
    known = to_be_made(kind)
    script = """
        const { kindOf, toBeMade } = await import("./making.js");
        const { encode, makeTerms } = await import("./terms.js");
        const material = toBeMade(given.key_type, given.size);
        const terms = hex(encode(await makeTerms(given.terms, material, given.registry, given.now)));
        const kind = kindOf(given.key_type, given.size);
        return { terms, origin: material.origin, secret: hex(material.secret), kind };
    """
    given = {"terms": PLAIN | {"usages": ["hash"]}, "registry": registry, "now": int(time.time())}
    # A type without sizes has none, whatever the form's fields of other types hold.
    made = modules.run(script, given | {"key_type": known.key_type, "size": known.size or 3072})
    terms = read_terms(bytes.fromhex(made["terms"]))
    assert terms == Terms(salt=terms.salt, key_type=known.key_type, usages=[Usage.HASH], size=known.size)
    assert terms.encode().hex() == made["terms"]
    assert (made["origin"], made["secret"]) == ("made", "")
    assert to_be_made(made["kind"]) == known


@pytest.mark.parametrize(
    ("key_type", "size"), [("RSA", 1024), ("RSA", 3000), ("HMAC", 15), ("HMAC", 1025), ("HMAC", 32.5)]
)
def test_no_key_of_another_size_is_asked_for(modules: PageModules, key_type: str, size: float) -> None:
    script = 'return (await import("./making.js")).toBeMade(...given)'
    assert modules.run(script, [key_type, size])["refused"] == "key-weak"


def test_a_public_key_and_certificates_stand_in_the_terms(modules: PageModules, registry: dict[str, Any]) -> None:
    issuer = Identity("issuer", ca=True)
    chain = [Identity("key", issuer=issuer), issuer]
    script = """
        const { parse } = await import("./x509.js");
        const { encode, makeTerms } = await import("./terms.js");
        const chain = given.chain.map((one) => parse(fromHex(one), "certificate-mismatch"));
        const material = { key_type: "EC-P256", public_only: true, chain };
        return hex(encode(await makeTerms(given.terms, material, given.registry, given.now)));
    """
    given = {
        "terms": PLAIN | {"usages": ["verify"], "status": {"method": "crl", "url": "http://a.example/", "every": "1h"}},
        "registry": registry,
        "now": int(time.time()),
        "chain": [one.certificate.public_bytes(Encoding.DER).hex() for one in chain],
    }
    made = bytes.fromhex(modules.run(script, given))
    terms = read_terms(made)
    assert (terms.material, terms.certificates) == ("public", [one.der for one in chain])
    assert terms.certificate_status == CertificateStatus(method="crl", url="http://a.example/", every=3600)
    assert terms.encode() == made
    given["terms"] = PLAIN
    assert "public key alone; to sign takes" in modules.run(script, given)["sentence"]
