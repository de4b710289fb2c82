"""Writes `mechanisms.md` from the registry that the TEE dispatches on. Run it with the project as PYTHONPATH."""

from pathlib import Path

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import OF_OPERATION, REGISTRY, KeyType, Mechanism, Row, Usage, default_mechanism

PAGE = Path(__file__).with_name("mechanisms.md")
_HEAD = """# Mechanisms

Written by `docs/write_mechanisms.py` from `strongroom/protocol/mechanisms.py`, the registry by which the TEE,
the portal and the client go.

A mechanism is used with a key whose type it fits, for an operation that it offers, where the key's terms permit both.
A parameter that a mechanism does not take is refused. Bytes among the parameters are base64: standard in REST,
base64url in signed instructions.

| parameter | what it is |
| --- | --- |
| `signature` | what verify checks; in a batch a member of each item |
| `prehashed` | the payload is the message's digest by the mechanism's hash |
| `format` | `raw`: r ‖ s of the curve's length each, instead of DER |
| `aad` | additional data of a cipher, label of OAEP, info of HKDF, context of ML-DSA; of a batch for each item |
| `salt`, `length` | salt of HKDF, and how many bytes it gives (16 to 8160; 32 where it is not said) |
| `target`, `target_mechanism`, `target_aad` | of translate: the key to encrypt to, its mechanism and additional data |
| `generate` | of wrap: instead of a payload, the device makes a data key of so many bytes (16 to 64) and wraps it |
| `clear` | with `generate`: the data key in clear as well, for those whom list and terms also permit to unwrap |

**Rewrap** is translate from an older version of a key to its newest, without a `target`: mechanism and additional data
stay, unless `target_mechanism` and `target_aad` say otherwise. It gives less than others do, so the usage and the right
are also in translate, and in encrypt and decrypt together; the newest version's terms must permit to encrypt.

## Limits

- A payload has at most 1 MiB; what encrypt or wrap made of one may be longer by what they added.
- RSA keys have 2048 to 4096 bits and an exponent of at least 65537 (3 for a public key alone), HMAC keys
  16 to 1024 bytes: else `key-weak`.
  A public key on an elliptic curve may be compressed, and its curve given by the parameters of a named one.
  An Ed25519 key alone is `key-weak` where it is of small order, as one signature would hold for any message.
  A private ML-DSA key must hold its seed; the expanded form alone is `key-unparsable`.
- Verify answers `valid: false` to whatever is no signature: of the wrong length, DER that is not canonical, a PSS salt
  of another length than the hash's, an S of Ed25519 that is not reduced, a MAC cut short. Only a prehashed payload of
  the wrong length and a context of more than 255 bytes are `payload-invalid`.
- Decrypt and unwrap say `ciphertext-invalid`, and never why. Nonces have 12 bytes, tags 16; MGF1 has OAEP's own hash.
- Derive refuses a peer that is not on the key's curve, or is of small order: `payload-invalid`.

"""


def page() -> str:
    """The page's text."""
    return "".join([_HEAD, _mechanisms(), _defaults()])


def _mechanisms() -> str:
    lines = ["## By mechanism\n", "| mechanism | key types | operations | parameters | source |", "| --- " * 5 + "|"]
    for name, row in REGISTRY.items():
        types = "all" if row.key_types == set(KeyType) else ", ".join(_in_order(row.key_types, KeyType))
        operations = " ".join(_in_order(row.operations, Usage))
        parameters = ", ".join(f"`{one}`" for one in _parameters(row))
        lines.append(f"| {name} | {types} | {operations} | {parameters} | {row.source} |")
    return "\n".join(lines) + "\n\n"


def _defaults() -> str:
    """Which mechanism is taken for each type of key and operation where none is named."""
    lines = [
        "## Where no mechanism is named\n",
        "The key's terms may permit only some mechanisms; then it is the first that they name and that fits. Else:\n",
        "| key type | " + " | ".join(Usage) + " |",
        "| --- " * (len(Usage) + 1) + "|",
    ]
    for key_type in KeyType:
        lines.append(f"| {key_type} | " + " | ".join(_default(key_type, one) for one in Usage) + " |")
    return "\n".join(lines) + "\n"


def _default(key_type: KeyType, operation: Usage) -> Mechanism | str:
    try:
        return default_mechanism(key_type, operation)
    except Refused:
        return ""


def _parameters(row: Row) -> list[str]:
    of_operations = {name for usage, names in OF_OPERATION.items() if usage in row.operations for name in names}
    return sorted(row.parameters) + sorted(of_operations)


def _in_order(some: frozenset[KeyType] | frozenset[Usage], order: type[KeyType] | type[Usage]) -> list[str]:
    return [one.value for one in order if one in some]


if __name__ == "__main__":
    PAGE.write_text(page())
