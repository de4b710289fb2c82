"""Who may revoke a key, as the page of imports has it: what could never work is refused before anything is sealed."""

import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from strongroom.client import revocation
from strongroom.client.envelopes import complete_terms
from strongroom.client.manifest import KeySettings
from strongroom.client.material import read_material
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tests.support.page_modules import PageModules, pkcs8
from tests.support.scripted_endpoint import Identity

pytestmark = pytest.mark.needs("node", "npm")

MAKE = """
    const { makeRevocation } = await import("./revocation.js");
    return makeRevocation(given.revocation, given.now);
"""
SEALED_AT = 'return (await import("./revocation.js")).checkSealedAt(given.terms, given.now) ?? null;'


def pem(*identities: Identity) -> str:
    return "".join(one.certificate.public_bytes(Encoding.PEM).decode() for one in identities)


def public(key: Any) -> str:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data.decode()


NAMES = [
    x509.DNSName("other.example"),
    x509.DNSName("Keys.Acme.Example"),
    x509.DNSName("*.wild.example"),
    x509.IPAddress(ip_address("192.0.2.7")),
    x509.IPAddress(ip_address("2001:db8::7")),
]
EVERYWHERE = Identity("keys.acme.example")
EXPIRED = Identity("keys.acme.example", days=(-2, -1))
AUTHORITY = Identity("some authority", ca=True)
ED25519, X25519 = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()


def with_names() -> str:
    """A certificate of several names, none of them its subject's."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "not counted")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(ED25519.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
    return builder.sign(ED25519, None).public_bytes(Encoding.PEM).decode()


SEVERAL = with_names()
CASES: list[tuple[str, str, str]] = [
    # Address, pin, key of signed answers.
    ("https://keys.acme.example/revoked", pem(EVERYWHERE), ""),
    ("https://keys.acme.example:8443/v1?a=b", pem(EVERYWHERE), public(ED25519)),
    ("https://KEYS.acme.example/", pem(EVERYWHERE), ""),
    ("https://keys.other.example/", pem(EVERYWHERE), ""),
    ("https://keys.other.example/", pem(AUTHORITY), ""),
    ("https://keys.other.example/", pem(EVERYWHERE, AUTHORITY), ""),
    ("https://keys.acme.example/", pem(EXPIRED), ""),
    ("https://keys.acme.example/", pem(EXPIRED, EVERYWHERE), ""),
    ("https://127.0.0.1/", pem(EVERYWHERE), ""),
    ("https://keys.acme.example/", SEVERAL, ""),
    ("https://a.wild.example/", SEVERAL, ""),
    ("https://a.b.wild.example/", SEVERAL, ""),
    ("https://wild.example/", SEVERAL, ""),
    ("https://192.0.2.7/", SEVERAL, ""),
    ("https://192.0.2.8/", SEVERAL, ""),
    ("https://[2001:db8::7]:8443/", SEVERAL, ""),
    ("https://[2001:db8::8]/", SEVERAL, ""),
    ("https://keys.acme.example/", public(ED25519), ""),
    ("https://anything.example/", public(X25519), ""),
    ("https://keys.acme.example/", pem(EVERYWHERE) + public(ED25519), ""),
    ("https://keys.acme.example/", public(ED25519), public(X25519)),
    ("https://keys.acme.example/", public(ED25519), pem(EVERYWHERE)),
    ("https://keys.acme.example/", "nothing", ""),
    ("https://keys.acme.example/", pem(*[EVERYWHERE] * 9), ""),
    ("https://user@keys.acme.example/", public(ED25519), ""),
    ("https://keys.acme.example/#there", public(ED25519), ""),
    ("https://keys.acme.example/a b", public(ED25519), ""),
    ("https:///revoked", public(ED25519), ""),
    ("https://:8443/", public(ED25519), ""),
    ("HTTPS://keys.acme.example/", public(ED25519), ""),
    ("https:keys.acme.example", public(ED25519), ""),
    ("https://keys.acme.example:99999/", public(ED25519), ""),
    ("https://kéys.example/", public(ED25519), ""),
]


def test_an_endpoint_is_taken_or_refused_as_the_command_does(modules: PageModules) -> None:
    taken = 0
    for url, pin, answer_key in CASES:
        try:
            made = revocation.make(url, token="t", pin=pin.encode(), every="5m", answer_key=answer_key.encode())
            known: Any = {name: getattr(made, name) for name in made.__struct_fields__}
            taken += 1
        except Refused as refusal:
            known = refusal.code
        given = {"url": url, "token": "t", "pin": pin, "every": "5m", "answerKey": answer_key}
        found = modules.run(MAKE, {"revocation": given, "now": int(time.time())})
        assert found.get("refused", found) == known, (url, found)
    assert 10 < taken < len(CASES) - 10


@pytest.mark.parametrize(
    ("not_before", "not_after", "every"),
    [
        ("", "", "365d"),
        ("", "90d", "90d"),
        ("", "90d", "91d"),
        ("30d", "31d", "2d"),
        ("30d", "33d", "2d"),
        ("2020-01-01", "1h", "2h"),
        ("2020-01-01", "", "2h"),
    ],
)
def test_an_answer_may_not_outlast_the_validity(
    modules: PageModules, not_before: str, not_after: str, every: str
) -> None:
    material, now = read_material(pkcs8(EVERYWHERE.key)), int(time.time())
    plain = KeySettings(usage=[Usage.SIGN], not_before=not_before or None, not_after=not_after or None).terms(material)
    endpoint = revocation.make("https://a.example/", token="t", pin=public(ED25519).encode(), every=every)
    terms = msgspec.structs.replace(plain, revocation=endpoint)
    try:
        complete_terms(terms, material, now)
        known = None
    except Refused as refusal:
        known = refusal.code
    given = {
        "not_before": terms.not_before,
        "not_after": terms.not_after,
        "revocation": {"every": endpoint.every},
    }
    found = modules.run(SEALED_AT, {"terms": given, "now": now})
    assert (found or {}).get("refused") == known
