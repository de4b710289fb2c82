"""Envelopes made once must open for ever, and spoilt ones be refused; and what others published holds here too."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.protocol import suites
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.envelope import Envelope, check_header, strip_provider_layer, unwrap
from strongroom.protocol.rsa_wrapping import RsaRecipientPrivateKey
from strongroom.protocol.sealing import RecipientPrivateKey
from tests.support.refusals import refused
from tests.vectors.make_envelopes import Maker

FOLDER = Path(__file__).resolve().parents[2] / "vectors"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


ENVELOPES, KWP, KEM = (read(name) for name in ("envelopes.json", "kwp.json", "hpke-pq-kem.json"))
KEYS = ENVELOPES["keys"]
DEVICE = Ed25519PrivateKey.from_private_bytes(from_b64u(KEYS["device"]))
CLEAR = (from_b64u(ENVELOPES["material"]), ENVELOPES["terms"].encode())
SOUND = {one["name"]: one for one in ENVELOPES["envelopes"]}
RSA = RsaRecipientPrivateKey(from_b64u(KEYS["RSA-AES-KWP"]["vendor"]))


def by_name(one: dict[str, str]) -> str:
    return one["name"]


def opened(vector: dict[str, str]) -> tuple[bytes, bytes]:
    """Material and terms, as provider and device open an envelope together."""
    sound = SOUND[vector.get("of", vector["name"])]
    parts = sound | {name: value for name, value in vector.items() if name in {"header", "material", "terms"}}
    vendor, provider = (
        suites.private_key(sound["suite"], from_b64u(KEYS[sound["suite"]][holder])) for holder in ("vendor", "provider")
    )
    envelope = Envelope(header=parts["header"], material=from_b64u(parts["material"]), terms=from_b64u(parts["terms"]))
    header = check_header(envelope, DEVICE.public_key())
    assert (header.vendor_key, header.suite) == (vendor.public().key_id("vk_"), sound["suite"])
    if header.transport != "channel":
        assert header.provider_key == provider.public().key_id("pk_")
        envelope = strip_provider_layer(envelope, header, provider)
    return unwrap(envelope, header, vendor)


# --- envelopes ---


def test_there_is_an_envelope_of_every_suite_by_every_transport() -> None:
    ways = {(one["suite"], one["transport"]) for one in ENVELOPES["envelopes"]}
    assert ways == {(suite, transport) for suite in suites.SUITES for transport in ("tee", "engine", "channel")}


@pytest.mark.parametrize("vector", ENVELOPES["envelopes"], ids=by_name)
def test_a_sound_envelope_opens_to_what_it_held(vector: dict[str, str]) -> None:
    assert opened(vector) == CLEAR


@pytest.mark.parametrize("vector", ENVELOPES["failures"], ids=by_name)
def test_a_spoilt_envelope_is_refused_with_its_code(vector: dict[str, str]) -> None:
    with refused(vector["code"]):
        opened(vector)


@pytest.mark.parametrize("vector", ENVELOPES["envelopes"], ids=by_name)
def test_the_script_still_makes_such_envelopes_with_these_keys(vector: dict[str, Any]) -> None:
    made = Maker(KEYS, vector["suite"], vector["transport"])
    assert opened(vector | made.written()) == CLEAR
    assert [one["name"] for one in made.failures()] == [
        one["name"] for one in ENVELOPES["failures"] if one["of"] == vector["name"]
    ]


# --- AES key wrap with padding ---


def wrapped_for_rsa(vector: dict[str, str]) -> bytes:
    """The vector's wrapping behind its key under RSA-OAEP, as the suite has them."""
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    block: bytes = load_der_public_key(RSA.public().raw).encrypt(bytes.fromhex(vector["key"]), oaep)  # type: ignore[union-attr]
    return block + bytes.fromhex(vector["wrapped"])


@pytest.mark.parametrize("vector", [one for one in KWP["nist"] if "content" in one], ids=by_name)
def test_what_nist_wrapped_opens(vector: dict[str, str]) -> None:
    assert RSA.open(wrapped_for_rsa(vector), b"").hex() == vector["content"]


@pytest.mark.parametrize("vector", [one for one in KWP["nist"] if "content" not in one], ids=by_name)
def test_what_nist_says_must_fail_does(vector: dict[str, str]) -> None:
    with refused("envelope-unopenable"):
        RSA.open(wrapped_for_rsa(vector), b"")


@pytest.mark.parametrize("vector", KWP["rfc5649"], ids=by_name)
def test_the_examples_of_the_rfc_hold_and_their_shorter_keys_are_not_the_suites(vector: dict[str, str]) -> None:
    key, content = bytes.fromhex(vector["key"]), bytes.fromhex(vector["content"])
    assert aes_key_wrap_with_padding(key, content).hex() == vector["wrapped"]
    assert aes_key_unwrap_with_padding(key, bytes.fromhex(vector["wrapped"])) == content
    with refused("envelope-unopenable"):  # AES-192: the suite has AES-256 and nothing else
        RSA.open(wrapped_for_rsa(vector), b"")


# --- HPKE ---


def labelled_extract(suite_id: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + secret, "sha256")


def labelled_expand(suite_id: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    text = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    return hmac.digest(key, text + b"\x01", "sha256")[:length]


def sealed_by_rfc_9180(shared: bytes, info: bytes, clear: bytes) -> bytes:
    """Base mode with HKDF-SHA256 and AES-256-GCM over a shared secret (§5.1), apart from the library that is tested."""
    suite_id = b"HPKE" + bytes.fromhex("647a00010002")
    context = (
        b"\x00"
        + labelled_extract(suite_id, b"", b"psk_id_hash", b"")
        + labelled_extract(suite_id, b"", b"info_hash", info)
    )
    secret = labelled_extract(suite_id, shared, b"secret", b"")
    key = labelled_expand(suite_id, secret, b"key", context, 32)
    nonce = labelled_expand(suite_id, secret, b"base_nonce", context, 12)
    return AESGCM(key).encrypt(nonce, clear, b"")


def test_a_message_to_the_drafts_own_key_and_encapsulation_opens() -> None:
    private = RecipientPrivateKey(hashlib.shake_256(bytes.fromhex(KEM["skRm"])).digest(96))
    assert private.public().raw.hex() == KEM["pkRm"]
    shared, encapsulation = bytes.fromhex(KEM["shared_secret"]), bytes.fromhex(KEM["enc"])
    message = encapsulation + sealed_by_rfc_9180(shared, b"context", b"clear")
    assert private.open(message, b"context") == b"clear"
    with refused("envelope-unopenable"):
        private.open(message, b"another context")
    other = encapsulation + sealed_by_rfc_9180(bytes(32), b"context", b"clear")
    with refused("envelope-unopenable"):
        private.open(other, b"context")
