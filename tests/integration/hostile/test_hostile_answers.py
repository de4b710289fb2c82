"""A portal that passes other answers about keys and partition to the client: it stops before it encrypts."""

import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.trust import validate
from strongroom.protocol import jws
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.encoding import digest
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import Attestation, Endorsement, ValidationStatement
from tests.support.client import Client, now
from tests.support.device import Device
from tests.support.hostile import Body, HostilePortal
from tests.support.maker import Manufacturer
from tests.support.refusals import refused

MINE = RecipientPrivateKey.generate().public()
SIGNER = Ed25519PrivateKey.generate()
pytestmark = pytest.mark.usefixtures("_nothing_leaves")


# --- the provider's validator, whose key the portal has ---


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"status": "revoked"}, "validation-failed"),
        ({"status": "unknown"}, "validation-failed"),
        ({"device_status": "retired"}, "validation-failed"),
        ({"public_key_digest": digest(MINE.raw)}, "validation-failed"),
        ({"provider": "another"}, "validation-failed"),
        ({"subject": "vendor-key"}, "validation-failed"),
        ({"nonce": "n" * 32}, "nonce-mismatch"),
        ({"issued_at": now() - 3600}, "stale"),
        ({"expires_at": now() - 1}, "stale"),
    ],
)
def test_a_provider_key_that_its_own_validator_does_not_stand_by_is_refused(
    alice: Client, portal: HostilePortal, lie: Body, code: str
) -> None:
    portal.does["validation"] = lambda body: {"statement": jws.sign(portal.vouch(body, **lie), portal.validation_key)}
    with refused(code):
        alice.import_key("payments")


def test_a_validation_by_another_key_than_was_given_out_is_refused(alice: Client, portal: HostilePortal) -> None:
    portal.does["validation"] = lambda body: {"statement": jws.sign(portal.vouch(body), SIGNER)}
    with refused("signature-invalid"):
        alice.import_key("payments")


def test_an_old_validation_is_no_answer_to_a_new_question(alice: Client, portal: HostilePortal) -> None:
    answers = validate(alice.connection, now(), alice.partition).answers
    old = next(one.token for one in answers if one.says.subject == "provider-key")
    portal.does["validation"] = lambda _: {"statement": old}
    with refused("nonce-mismatch"):
        alice.import_key("payments")


# --- the manufacturer ---


def test_a_vendor_key_that_the_manufacturer_withdraws_is_refused_whatever_the_portal_says(
    alice: Client, portal: HostilePortal, manufacturer: Manufacturer
) -> None:
    key = jws.read_unverified(portal.published().vendor_keys[0], Endorsement).key_id
    manufacturer.command("vendor-key-status", "--key", key, "--status", "retired")
    try:
        with refused("validation-failed"):
            alice.import_key("payments")
    finally:
        manufacturer.command("vendor-key-status", "--key", key, "--status", "in-force")


def test_whoever_answers_in_the_manufacturers_place_without_its_certificate_is_not_asked(
    alice: Client, portal: HostilePortal, manufacturer: Manufacturer, tmp_path: Path
) -> None:
    hierarchy = Manufacturer(tmp_path)
    hierarchy.stop()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(hierarchy.store / "keys/tls.pem")
    impostor = HostilePortal(portal.device, tls)
    config = msgspec.structs.replace(alice.home.config(), manufacturer_url=impostor.url)
    (alice.home.path / "config.json").write_bytes(msgspec.json.encode(config))
    try:
        with refused("unavailable"):
            alice.import_key("payments")
        assert not impostor.requests
    finally:
        impostor.close()


def test_the_manufacturers_statement_is_none_of_the_provider(
    alice: Client, portal: HostilePortal, manufacturer: Manufacturer
) -> None:
    def answer(body: Body) -> Body:
        key = jws.read_unverified(portal.published().vendor_keys[0], Endorsement).key_id
        question = {"nonce": body["nonce"], "subject": "vendor-key", "key_id": key, "mode": "development"}
        statement: Body = manufacturer.http.post("/v1/validation", json=question).json()
        assert jws.read_unverified(statement["statement"], ValidationStatement).nonce == body["nonce"]
        return statement

    portal.does["validation"] = answer
    with refused("signature-invalid"):
        alice.import_key("payments")


# --- the attestation ---


def of_another_partition(portal: HostilePortal, charlie: Client, body: Body) -> str:
    return str(portal.honest("attestation", body | {"partition": charlie.partition})["attestation"])


def of_no_partition(portal: HostilePortal, _: Client, body: Body) -> str:
    return str(portal.honest("attestation", body | {"partition": ""})["attestation"])


def signed_by_the_portal(portal: HostilePortal, _: Client, body: Body) -> str:
    true = portal.honest("attestation", body)["attestation"]
    return jws.sign(jws.read_unverified(true, Attestation), SIGNER, x5c=jws.read_header(true)["x5c"])


def altered(portal: HostilePortal, _: Client, body: Body) -> str:
    true = portal.honest("attestation", body)["attestation"]
    says = msgspec.structs.replace(jws.read_unverified(true, Attestation), measurement="0" * 64)
    head, _, signature = true.split(".")
    return ".".join([head, jws.sign(says, SIGNER).split(".")[1], signature])


def another_statement(portal: HostilePortal, _: Client, body: Body) -> str:
    return str(portal.honest("checkpoint", body)["checkpoint"])


def over_another_nonce(portal: HostilePortal, _: Client, body: Body) -> str:
    return str(portal.honest("attestation", body | {"nonce": "n" * 32})["attestation"])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (of_another_partition, "validation-failed"),
        (of_no_partition, "validation-failed"),
        (signed_by_the_portal, "signature-invalid"),
        (altered, "signature-invalid"),
        (another_statement, "statement-malformed"),
        (over_another_nonce, "nonce-mismatch"),
    ],
)
def test_another_attestation_in_the_place_of_the_true_one_is_refused(
    alice: Client, charlie: Client, portal: HostilePortal, make: Callable[..., str], code: str
) -> None:
    portal.does["attestation"] = lambda body: {"attestation": make(portal, charlie, body)}
    with refused(code):
        alice.import_key("payments")


def test_an_old_attestation_is_no_answer_to_a_new_question(alice: Client, portal: HostilePortal) -> None:
    evidence = validate(alice.connection, now(), alice.partition)
    assert evidence.attestation is not None
    old = evidence.attestation.token
    portal.does["attestation"] = lambda _: {"attestation": old}
    with refused("nonce-mismatch"):
        alice.import_key("payments")


def test_another_certified_device_cannot_attest_to_the_partition(
    alice: Client, portal: HostilePortal, other: Device
) -> None:
    def attest(body: Body) -> Body:
        true = jws.read_unverified(portal.honest("attestation", body)["attestation"], Attestation)
        assert other.certificate is not None
        return {"attestation": jws.sign(true, other.identity, x5c=to_x5c(other.certificate))}

    portal.does["attestation"] = attest
    with refused("validation-failed"):
        alice.import_key("payments")


# --- what is no answer at all ---


@pytest.mark.parametrize("answer", [b"\xff\xfe", b"{", b'{"x": ' + b"[" * 100_000])
@pytest.mark.parametrize("route", ["trust", "access", "attestation", "validation"])
def test_what_cannot_be_read_is_refused(alice: Client, portal: HostilePortal, route: str, answer: bytes) -> None:
    portal.does[route] = lambda _: answer
    with refused("internal"):
        alice.import_key("payments")


def x5c_of_another_version(token: str) -> list[str]:
    der = bytearray(base64.b64decode(jws.read_header(token)["x5c"][0]))
    place = der.index(b"\xa0\x03\x02\x01\x02") + 4
    der[place] = 77
    return [base64.b64encode(der).decode()]


@pytest.mark.parametrize(
    "x5c",
    [lambda _: [], lambda _: ["", ""], lambda _: ["AAAA"], lambda _: [1], lambda _: "AAAA", x5c_of_another_version],
)
def test_a_certificate_that_cannot_be_read_is_refused(
    alice: Client, portal: HostilePortal, x5c: Callable[[str], list[str]]
) -> None:
    def answer(true: Body) -> Body:
        says = jws.read_unverified(true["attestation"], Attestation)
        return {"attestation": jws.sign(says, SIGNER, x5c=x5c(true["attestation"]))}

    portal.alters("attestation", answer)
    with refused("certificate-invalid"):
        alice.import_key("payments")
