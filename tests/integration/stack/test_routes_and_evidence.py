"""On a running installation: every transport and suite, versions, destruction, derivation, and the proof of a key."""

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.client import imports, orders, proof
from strongroom.client.connection import Connection
from strongroom.client.material import public_key_der, read_material
from strongroom.client.operations import operate
from strongroom.client.proof_steps import Proof
from strongroom.client.routes import Route
from strongroom.protocol.encoding import b64u, make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.suites import SUITES
from strongroom.protocol.terms import Terms, new_salt
from tests.support.stack import Stack

ROUTES = [Route(transport, suite) for transport in ("tee", "engine", "channel") for suite in SUITES]  # type: ignore[arg-type]


def pem(key: Any) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


def fresh_name(what: str) -> str:
    return what + make_id("-")[:8]


def bring_in(connection: Connection, data: bytes, name: str, usages: list[Usage], **more: Any) -> Receipt:
    material = read_material(data)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=usages, authorisation=more.pop("mode", "signed"))
    return imports.import_key(connection, material, name, terms, int(time.time()), **more).receipt


@pytest.mark.parametrize("route", ROUTES, ids=[f"{one.transport}-{one.suite}" for one in ROUTES])
def test_a_key_comes_in_by_every_route_and_works(stack: Stack, route: Route) -> None:
    key, name = ec.generate_private_key(ec.SECP384R1()), fresh_name("routed")
    with stack.tenant("acme").connect() as alice:
        receipt = bring_in(alice, pem(key), name, [Usage.SIGN], route=route)
        signature = operate(alice, Usage.SIGN, name, b"hello", now=int(time.time())).result
    key.public_key().verify(signature, b"hello", ec.ECDSA(hashes.SHA384()))
    assert receipt.public_key.encode() == key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_two_sides_derive_the_same_key(stack: Stack) -> None:
    mine, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    name = fresh_name("agreed")
    peer = public_key_der(theirs.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with stack.tenant("acme").connect() as alice:
        bring_in(alice, pem(mine), name, [Usage.DERIVE])
        parameters = Parameters(aad=b64u(b"invoices"))
        derived = operate(alice, Usage.DERIVE, name, peer, now=int(time.time()), parameters=parameters).result
    shared = theirs.exchange(mine.public_key())
    assert derived == HKDF(hashes.SHA256(), 32, salt=None, info=b"invoices").derive(shared)


def test_versions_follow_each_other_and_looser_terms_take_the_owner(stack: Stack) -> None:
    name = fresh_name("versioned")
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    with stack.tenant("acme").connect() as alice:
        bring_in(alice, pem(keys[0]), name, [Usage.SIGN])
        bring_in(alice, pem(keys[1]), name, [Usage.SIGN], new_version=True)
        with pytest.raises(Refused, match="terms-looser"):
            bring_in(alice, pem(keys[2]), name, [Usage.SIGN], new_version=True, mode="token")
        bring_in(alice, pem(keys[2]), name, [Usage.SIGN], new_version=True, mode="token", owner_consent=True)
        now = int(time.time())
        assert [one.version for one in orders.versions(alice, name, now)] == [1, 2, 3]
        for version, key in enumerate(keys, start=1):
            signature = operate(alice, Usage.SIGN, name, b"hello", now=now, version=version).result
            key.public_key().verify(signature, b"hello")
        # A destroyed version serves nobody, the others go on.
        assert orders.destroy(alice, name, now, version=2) == {1: "active", 2: "destroyed", 3: "active"}
        with pytest.raises(Refused, match="key-not-active"):
            operate(alice, Usage.SIGN, name, b"hello", now=now, version=2)
        assert operate(alice, Usage.SIGN, name, b"hello", now=now, version=1).result
        assert set(orders.destroy(alice, name, now).values()) == {"destroyed"}


# --- the proof of a key ---


@pytest.fixture(scope="module")
def proven(stack: Stack) -> tuple[Proof, list[x509.Certificate]]:
    """Evidence of a key that was used, and the manufacturer's roots: all that a verifier has."""
    name = fresh_name("proven")
    with stack.tenant("acme").connect() as alice:
        bring_in(alice, os.urandom(32), name, [Usage.ENCRYPT], route=Route("engine"))
        operate(alice, Usage.ENCRYPT, name, b"hello", now=int(time.time()))
        return proof.save(alice, name, int(time.time())), alice.home.manufacturer_roots()


def test_evidence_holds_with_nothing_but_the_manufacturers_root(proven: tuple[Proof, list[x509.Certificate]]) -> None:
    saved, roots = proven
    verdict = proof.verify(msgspec.json.decode(msgspec.json.encode(saved), type=Proof), roots)
    assert verdict.holds, verdict.findings
    assert len(verdict.findings) == 8
    assert "approved by partition" in verdict.findings[3].found
    assert "development: vendor-key in-force" in verdict.findings[5].found
    assert "1 operations" in verdict.findings[7].found


def test_evidence_under_other_roots_is_nothing(stack: Stack, proven: tuple[Proof, list[x509.Certificate]]) -> None:
    verdict = proof.verify(proven[0], [])
    assert (verdict.holds, len(verdict.findings)) == (False, 1)


def test_evidence_of_a_key_that_was_sent_elsewhere_cannot_be_saved_here(stack: Stack) -> None:
    with stack.tenant("acme").connect() as alice, pytest.raises(Refused, match="not-found"):
        proof.save(alice, "nothing-of-this-name", int(time.time()))


Change = Callable[[Proof], dict[str, Any]]


def lanes(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    return lambda saved: {"lanes": {**saved.lanes, "admin": change(saved.lanes["admin"])}}


def dossier(**fields: Any) -> Change:
    return lambda saved: {"dossier": msgspec.structs.replace(saved.dossier, **fields)}


def forged_signature(token: str) -> str:
    head, body, signature = token.split(".")
    return ".".join([head, body, signature[::-1]])


CHANGES: list[tuple[int, Change]] = [
    (1, lambda saved: {"receipt": forged_signature(saved.receipt)}),
    (2, lambda saved: {"header": forged_signature(saved.header)}),
    (3, lambda saved: {"checkpoint": forged_signature(saved.checkpoint)}),
    (3, lanes(lambda entries: entries[:-1])),
    (3, lanes(lambda entries: [*entries, entries[-1]])),
    (3, lanes(lambda entries: [entries[1], entries[0], *entries[2:]])),
    (3, lanes(lambda entries: [entries[0].replace(b'"action:execute"', b'"action:removed"'), *entries[1:]])),
    (3, lambda saved: {"lanes": {lane: raw for lane, raw in saved.lanes.items() if lane != "admin"}}),
    (3, lambda saved: {"lanes": {**saved.lanes, "w99": []}}),
    (6, dossier(answers=[])),
    (6, dossier(attestation_nonce="another")),
    (6, dossier(engine_key=None)),
    (6, dossier(transport="channel")),
    (6, lambda saved: {"provider": "another"}),
    (6, lambda saved: {"third_parties": {}}),
    (6, lambda saved: {"provider_validation": saved.third_parties["development"]}),
]


@pytest.mark.parametrize(("step", "change"), CHANGES)
def test_whatever_is_changed_in_it_the_step_that_rests_on_it_fails(
    proven: tuple[Proof, list[x509.Certificate]], step: int, change: Change
) -> None:
    saved, roots = proven
    verdict = proof.verify(msgspec.structs.replace(saved, **change(saved)), roots)
    assert not verdict.holds
    assert len(verdict.findings) == step, verdict.findings
