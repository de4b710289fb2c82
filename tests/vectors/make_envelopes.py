"""Makes `envelopes.json`: `python -m tests.vectors.make_envelopes`. What it made is kept, and must keep opening.

The private keys in the file are kept where there are any; encapsulation is random, so the envelopes come out anew.
"""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.protocol import suites
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, make_id
from strongroom.protocol.envelope import Envelope, ImportHeader, Transport, Wrapping, binding_of, check_header, wrap
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms

FILE = Path(__file__).parent / "envelopes.json"
MATERIAL = bytes(range(32))
TERMS = Terms(salt="fixed-salt-of-a-vector", key_type=KeyType.AES_256, usages=[Usage.ENCRYPT]).encode()
OTHER_TERMS = TERMS.replace(b"signed", b"token")
Keys = dict[str, Any]


def make_keys() -> Keys:
    """Private keys as they are written: of vendor and provider for each suite, and the device's."""
    pairs = {
        suite: {holder: b64u(suites.generate(suite).raw) for holder in ("vendor", "provider")}
        for suite in suites.SUITES
    }
    return pairs | {"device": b64u(Ed25519PrivateKey.generate().private_bytes_raw())}


class Maker:
    """Envelopes of one suite and transport, sound ones and such as must be refused."""

    def __init__(self, keys: Keys, suite: suites.Suite, transport: Transport) -> None:
        self.suite, self.transport = suite, transport
        self.vendor, self.provider = (
            suites.private_key(suite, from_b64u(keys[suite][holder])).public() for holder in ("vendor", "provider")
        )
        self.device = Ed25519PrivateKey.from_private_bytes(from_b64u(keys["device"]))
        self.name = f"{suite} {transport}"
        self.sound = self.envelope()
        self.header: ImportHeader = check_header(self.sound, self.device.public_key())

    def envelope(self, terms: bytes = TERMS, import_id: str = "vector") -> Envelope:
        wrapping = Wrapping(
            import_id=make_id("imp_", import_id.encode()),
            tenant="acme",
            partition=make_id("pt_", b"vector"),
            owner=public_credential(self.device).fingerprint,
            device=make_id("dev_", b"vector"),
            vendor_key=self.vendor,
            provider_key=None if self.transport == "channel" else self.provider,
            transport=self.transport,
            name="vector",
            validations=[],
            created_at=1_767_225_600,
        )
        return wrap(MATERIAL, terms, wrapping, self.device)

    def written(self) -> dict[str, str]:
        return {
            "name": self.name,
            "suite": self.suite,
            "transport": self.transport,
            "header": self.sound.header,
            "material": b64u(self.sound.material),
            "terms": b64u(self.sound.terms),
        }

    def failures(self) -> list[dict[str, str]]:
        """What differs from the sound envelope, and the refusal that it must get."""
        opened = "envelope-altered" if self.transport == "channel" else "envelope-unopenable"
        material, terms = self.sound.material, self.sound.terms
        flipped = material[:400] + bytes([material[400] ^ 1]) + material[401:]
        found = [
            self._failure("a bit of the material altered", opened, material=flipped),
            self._failure("the material cut short", opened, material=material[:-8]),
            self._failure("nothing", opened, material=b""),
            self._failure("the terms lengthened", opened, terms=terms + bytes(8)),
            self._failure("the other transport in the header", "signature-invalid", header=self._relabelled()),
            self._failure("the terms of another envelope", "envelope-altered", terms=self.envelope(OTHER_TERMS).terms),
            self._failure("a key of the provider's own inside", "envelope-altered", material=self._forged()),
            self._failure("the header of another import", self._mixed, header=self.envelope(import_id="other").header),
        ]
        if self.transport != "channel":
            inner = self.vendor.seal(MATERIAL, self._info("vendor"))
            found.append(self._failure("no outer layer", "envelope-unopenable", material=inner))
        if self.suite == "RSA-AES-KWP":
            found += self._by_other_rules(opened)
        return found

    @property
    def _mixed(self) -> str:
        """RSA-AES-KWP cannot bind a context: there the header's digests tell that parts do not belong together."""
        bound = self.suite == "HPKE-XWING" and self.transport != "channel"
        return "envelope-unopenable" if bound else "envelope-altered"

    def _by_other_rules(self, code: str) -> list[dict[str, str]]:
        """What tools make that do not keep to the suite: SHA-1 in OAEP, a short key-encryption key, no OAEP."""
        outer = self.vendor if self.transport == "channel" else self.provider
        key = load_der_public_key(outer.raw)
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError
        content = self.vendor.seal(MATERIAL, b"")

        def sealed(kek: bytes, scheme: padding.AsymmetricPadding) -> bytes:
            return key.encrypt(kek, scheme) + aes_key_wrap_with_padding(kek, content)

        sha1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
        sha256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return [
            self._failure("OAEP with SHA-1", code, material=sealed(bytes(32), sha1)),
            self._failure("a key-encryption key of 128 bits", code, material=sealed(bytes(16), sha256)),
            self._failure("PKCS #1 v1.5", code, material=sealed(bytes(32), padding.PKCS1v15())),
        ]

    def _relabelled(self) -> str:
        head, body, signature = self.sound.header.split(".")
        other = "channel" if self.transport != "channel" else "tee"
        members = msgspec.json.decode(from_b64u(body)) | {"transport": other}
        return f"{head}.{b64u(canonical_json(members))}.{signature}"

    def _info(self, layer: Any) -> bytes:
        return binding_of(self.header).info("material", layer)

    def _forged(self) -> bytes:
        """Sealed by somebody who has all public keys: everything fits but what the device signed."""
        inner = self.vendor.seal(bytes(32), self._info("vendor"))
        return inner if self.transport == "channel" else self.provider.seal(inner, self._info("provider"))

    def _failure(self, what: str, code: str, **parts: str | bytes) -> dict[str, str]:
        changes = {name: value if isinstance(value, str) else b64u(value) for name, value in parts.items()}
        return {"name": f"{self.name}: {what}", "of": self.name, "code": code} | changes


def make(keys: Keys) -> dict[str, object]:
    """The vectors, as they are written."""
    makers = [Maker(keys, suite, transport) for suite in suites.SUITES for transport in get_args(Transport)]
    return {
        "keys": keys,
        "material": b64u(MATERIAL),
        "terms": TERMS.decode(),
        "envelopes": [one.written() for one in makers],
        "failures": [failure for one in makers for failure in one.failures()],
    }


if __name__ == "__main__":
    kept = json.loads(FILE.read_text())["keys"] if FILE.exists() else make_keys()
    FILE.write_text(json.dumps(make(kept), indent=1) + "\n")
