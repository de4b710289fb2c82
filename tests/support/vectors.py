"""Makes the envelope vector: `python -m tests.support.vectors FILE`. What it makes is kept, and must keep opening."""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, make_id
from strongroom.protocol.envelope import Wrapping, binding_of, check_header, wrap
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.terms import Terms

PARTS = [("material", "vendor"), ("material", "provider"), ("terms", "vendor"), ("terms", "provider")]


def make() -> dict[str, object]:
    """The vector, as it is written."""
    vendor, provider = RecipientPrivateKey.generate(), RecipientPrivateKey.generate()
    owner, device = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    material = bytes(range(32))
    terms = Terms(salt="fixed-salt-of-a-vector", key_type=KeyType.AES_256, usages=[Usage.ENCRYPT]).encode()
    wrapping = Wrapping(
        import_id=make_id("imp_", b"vector"),
        tenant="acme",
        partition=make_id("pt_", b"vector"),
        owner=public_credential(owner).fingerprint,
        device=make_id("dev_", b"vector"),
        vendor_key=vendor.public(),
        provider_key=provider.public(),
        name="vector",
        validations=[],
        created_at=1_767_225_600,
    )
    envelope = wrap(material, terms, wrapping, device)
    binding = binding_of(check_header(envelope, device.public_key()))
    return {
        "suite": "HPKE-XWING",
        "vendor_private_key": b64u(vendor.raw),
        "provider_private_key": b64u(provider.raw),
        "device_private_key": b64u(device.private_bytes_raw()),
        "info": {f"{part}-{layer}": binding.info(part, layer).decode() for part, layer in PARTS},  # type: ignore[arg-type]
        "header": envelope.header,
        "material_ciphertext": b64u(envelope.material),
        "terms_ciphertext": b64u(envelope.terms),
        "material": b64u(material),
        "terms": terms.decode(),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(make(), indent=2) + "\n")
