"""Envelopes that the page of imports seals: this repository's keys open them, and the drafts' vectors agree."""

import hashlib
import json
import os
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stack.layout import PROJECT
from strongroom.protocol import jws
from strongroom.protocol.encoding import canonical_json, from_b64u, make_id
from strongroom.protocol.envelope import (
    Envelope,
    ImportHeader,
    binding_of,
    check_header,
    strip_provider_layer,
    unwrap,
)
from strongroom.protocol.sealing import RecipientPrivateKey
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")

VECTORS = PROJECT / "tests/vectors"


def vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return found


def test_the_context_of_each_layer_is_the_vectors_byte_for_byte(modules: PageModules) -> None:
    known = vector("envelope-hpke-xwing.json")
    binding = binding_of(jws.read_unverified(known["header"], ImportHeader))
    script = """
        const { info } = await import("./envelope.js");
        return Object.fromEntries(["material", "terms"].flatMap((part) => ["vendor", "provider"].map((layer) =>
          [`${part}-${layer}`, info(given, part, layer)])));
    """
    assert modules.run(script, json.loads(canonical_json(binding))) == known["info"]


@pytest.mark.parametrize("origin", ["imported", "made"])
def test_an_envelope_of_the_page_opens_with_the_vectors_keys(modules: PageModules, origin: str) -> None:
    known = vector("envelopes.json")
    keys = {name: RecipientPrivateKey(from_b64u(known["keys"]["HPKE-XWING"][name])) for name in ("vendor", "provider")}
    material, terms = from_b64u(known["material"]), known["terms"].encode()
    script = """
        const { b64u, fromB64u, thumbprint, utf8 } = await import("./encoding.js");
        const { wrap } = await import("./envelope.js");
        const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
        const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
        const { vendor, provider, material, terms, ...rest } = given;
        const key = (one) => ({ key_id: one.key_id, raw: fromB64u(one.text) });
        const wrapping = { ...rest, vendor: key(vendor), provider: key(provider) };
        const signer = { privateKey: pair.privateKey, fingerprint: await thumbprint(raw) };
        const made = await wrap(fromHex(material), fromHex(terms), wrapping, signer);
        return { ...made, material: hex(made.material), terms: hex(made.terms), signer: hex(raw) };
    """
    given = {
        "material": material.hex(),
        "terms": terms.hex(),
        "vendor": {"key_id": keys["vendor"].public().key_id("vk_"), "text": keys["vendor"].public().text},
        "provider": {"key_id": keys["provider"].public().key_id("pk_"), "text": keys["provider"].public().text},
        "import_id": make_id("imp_"),
        "tenant": "acme",
        "partition": make_id("pt_"),
        "owner": "o" * 43,
        "device": make_id("dev_"),
        "name": "from-a-page",
        "version": 1,
        "origin": origin,
        "validations": [
            {
                "validator": "v",
                "subject": "partition",
                "status": "operational",
                "statement_digest": "0" * 64,
                "issued_at": 1,
            }
        ],
        "created_at": int(time.time()),
    }
    made = modules.run(script, given)
    envelope = Envelope(
        header=made["header"], material=bytes.fromhex(made["material"]), terms=bytes.fromhex(made["terms"])
    )
    signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(made["signer"]))
    header = check_header(envelope, signer)
    assert canonical_json(header) == from_b64u(made["header"].split(".")[1])
    # Of a key that the device makes there is nothing to open.
    sealed = material if origin == "imported" else b""
    assert bool(envelope.material) == bool(sealed)
    assert header.origin == origin
    assert unwrap(strip_provider_layer(envelope, header, keys["provider"]), header, keys["vendor"]) == (sealed, terms)


def test_what_is_sealed_here_opens_with_the_pages_library(modules: PageModules) -> None:
    # npm's private key is the seed from which draft-ietf-hpke-pq has SHAKE-256 make both halves.
    seed, plain, info = os.urandom(32), os.urandom(300), b'{"v":"strongroom-envelope-1"}'
    key = RecipientPrivateKey(hashlib.shake_256(seed).digest(96))
    script = """
        const { Aes256Gcm, CipherSuite, HkdfSha256 } = await import("@hpke/core");
        const { XWing } = await import("@hpke/hybridkem-x-wing");
        const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
        const recipientKey = await suite.kem.importKey("raw", fromHex(given.seed).buffer, false);
        const sealed = fromHex(given.sealed);
        const recipient = await suite.createRecipientContext(
          { recipientKey, enc: sealed.slice(0, 1120), info: new TextEncoder().encode(given.info) });
        return hex(new Uint8Array(await recipient.open(sealed.slice(1120))));
    """
    sealed = key.public().seal(plain, info)
    assert modules.run(script, {"seed": seed.hex(), "sealed": sealed.hex(), "info": info.decode()}) == plain.hex()


def test_the_pages_library_agrees_with_the_drafts_vector(modules: PageModules) -> None:
    known = vector("hpke-pq-kem.json")
    script = """
        const { XWing } = await import("@hpke/hybridkem-x-wing");
        const kem = new XWing();
        const recipientKey = await kem.importKey("raw", fromHex(given.skRm).buffer, false);
        const shared = await kem.decap({ recipientKey, enc: fromHex(given.enc).buffer });
        return hex(new Uint8Array(shared));
    """
    assert modules.run(script, known) == known["shared_secret"]
