"""Encodings of the page of imports: names, digests and JSON are this repository's own, byte for byte."""

import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, make_id
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")


def test_names_digests_and_json_are_spelled_alike(modules: PageModules) -> None:
    raw = os.urandom(1216)
    value = {"b": [1, 'ü\u2028\n"', None, True], "a": {"z": "", "y": -7}, "é": "x"}
    script = """
        const { b64u, canonical, digest, fromB64u, makeId, thumbprint } = await import("./encoding.js");
        const raw = fromHex(given.raw);
        return [await makeId("vk_", raw), await thumbprint(raw.subarray(0, 32)), b64u(raw), await digest(raw),
          hex(fromB64u(b64u(raw))), canonical(given.value), (await makeId("imp_")).length];
    """
    one, name, text, digest, again, written, length = modules.run(script, {"raw": raw.hex(), "value": value})
    assert one == make_id("vk_", raw)
    key = Ed25519PrivateKey.generate().public_key()
    assert len(name) == len(public_credential(key).fingerprint)
    assert (text, digest, again) == (b64u(raw), hashlib.sha256(raw).hexdigest(), raw.hex())
    assert written.encode() == canonical_json(value)
    assert length == len(make_id("imp_"))


@pytest.mark.parametrize("text", ["A", "AB==", "A+", "AB\n", "QR", "=", "ÄÄ"])
def test_base64url_has_one_spelling(modules: PageModules, text: str) -> None:
    refused = modules.run('return hex((await import("./encoding.js")).fromB64u(given))', text)
    assert refused["refused"] == "malformed"
