"""Instructions: one request for an operation, signed by a client device where the key's terms ask for that."""

import hashlib
from typing import ClassVar, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism, Usage

MAX_PAYLOAD = 1024 * 1024
MAX_SEALED = MAX_PAYLOAD + 64
"""What encrypt or wrap makes of the largest payload is longer than it, and can still be opened."""
MAX_ITEMS = 10_000
MAX_BATCH = 6 * 1024 * 1024
"""Bytes of all parts of a batch together: what fits into a frame, with room for what the results add."""
SEALED = "sealed"
"""`recipient` of an instruction whose payload is a sealed request: the result is for whoever sealed it."""
MOST_DEFERRED = 7 * 24 * 3600
"""Seconds ahead that a deferred instruction may expire."""
_ML_DSA_SIGNATURE = 3309
_MOST_REQUESTS = 500
"""Certification requests in a batch: DER is up to three times as long as the names that it was made of."""
_OPENING = frozenset({Usage.DECRYPT, Usage.UNWRAP, Usage.TRANSLATE, Usage.REWRAP})


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Parameters of the mechanisms; bytes are base64url. Which apply is the registry's matter.

    `prehashed`: the payload is the message's digest (sign, verify). `signature`: what to verify. `aad`: additional
    authenticated data (AEADs), label (OAEP), context (ML-DSA) or info (derive). `format`: `raw` for r ‖ s (ECDSA).
    `salt`, `length`: of derive. `target`, `target_mechanism`, `target_aad`: where translate goes (the latter two also
    of rewrap, where the same mechanism and additional data are kept unless these say otherwise). `generate`: how many
    bytes of data key wrap makes, in place of a payload; with `clear` the result begins with these bytes themselves.
    """

    prehashed: bool = False
    signature: str = ""
    aad: str = ""
    format: Literal["", "raw"] = ""
    salt: str = ""
    length: int = 0
    target: str = ""
    target_mechanism: str = ""
    target_aad: str = ""
    generate: int = 0
    clear: bool = False


class Item(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One item of a batch: its payload, and where they are the item's own, what to verify and the additional data."""

    payload: bytes
    signature: bytes = b""
    aad: bytes = b""


class Instruction(jws.Statement, frozen=True, kw_only=True):
    """What a client device signs. `session` is the device's session, in which a nonce serves once.

    `device` and `partition`: the TEE insists on the partition always, on the device where it is named. `items`: 0 for a
    single operation, whose `payload_digest` is the payload's; else how many a batch has: then it is `batch_digest`.
    With `recipient` `SEALED` the digest is that of the sealed request, `items` is 0 and the parameters are inside.

    A sealed one may be *deferred*: with `expires_at` (unix seconds, at most `MOST_DEFERRED` ahead) and no session, it
    may be carried out later and again, until it expires. Whoever repeats it gains nothing: its input is fixed, and the
    result is only for whoever sealed it.
    """

    TYP: ClassVar[str] = "strongroom.instruction"

    v: Literal[1] = 1
    partition: str
    key: str
    version: int
    operation: Usage
    mechanism: str
    parameters: Parameters
    payload_digest: str
    items: int = 0
    recipient: str = ""
    device: str = ""
    nonce: str
    session: str
    expires_at: int = 0


def largest_payload(operation: str) -> int:
    """How many bytes a payload may have."""
    return MAX_SEALED if operation in _OPENING else MAX_PAYLOAD


def check_batch(items: list[Item]) -> None:
    """Raise `Refused` for a batch that is empty (`malformed`), or has too many items or bytes (`batch-too-large`)."""
    if not items:
        raise Refused("malformed", "a batch without items")
    if len(items) > MAX_ITEMS:
        raise Refused("batch-too-large", f"a batch has at most {MAX_ITEMS} items")
    if sum(map(item_bytes, items)) > MAX_BATCH:
        raise Refused("batch-too-large", f"a batch has at most {MAX_BATCH} bytes")


def item_bytes(item: Item) -> int:
    """What an item counts for in `MAX_BATCH`."""
    return len(item.payload) + len(item.signature) + len(item.aad)


def most_items(operation: str, mechanism: str, length: int) -> int:
    """How many items a batch may have for its results to fit into a frame, where these do not grow with payloads."""
    if operation == Usage.DERIVE:
        return min(MAX_ITEMS, MAX_BATCH // max(length, 32))
    if operation == Usage.SIGN and mechanism == Mechanism.ML_DSA_65:
        return MAX_BATCH // _ML_DSA_SIGNATURE
    if mechanism == Mechanism.X509_CSR:
        return _MOST_REQUESTS
    return MAX_ITEMS


def batch_digest(items: list[Item]) -> str:
    """One digest for a batch: SHA-256 over a label and, for each item, the SHA-256 of each of its parts in order."""
    hasher = hashlib.sha256(b"strongroom-batch-1\x00")
    for item in items:
        for part in (item.payload, item.signature, item.aad):
            hasher.update(hashlib.sha256(part).digest())
    return hasher.hexdigest()


def check_instruction(
    token: str,
    key: Ed25519PublicKey,
    *,
    payload: bytes | list[Item],
    partition: str,
    key_id: str,
    operation: str,
    device: str,
    sealed: bool = False,
) -> Instruction:
    """The instruction, if `key` signed it for exactly this request: one payload, sealed or not, or a batch's items.

    Session and nonce, or `check_deferred`, are the caller's to check. Raises `Refused`: `signature-invalid`,
    `statement-malformed`, `instruction-mismatch`.
    """
    instruction = jws.verify(token, Instruction, key)
    if (instruction.partition, instruction.key, instruction.operation) != (partition, key_id, operation):
        raise Refused("instruction-mismatch", "signed for another partition, key or operation")
    if instruction.device not in ("", device):
        raise Refused("instruction-mismatch", "signed for another device")
    items, stated = (0, digest(payload)) if isinstance(payload, bytes) else (len(payload), batch_digest(payload))
    if (instruction.items, instruction.payload_digest) != (items, stated):
        raise Refused("instruction-mismatch", "signed for another payload")
    if (instruction.recipient == SEALED) is not sealed:
        raise Refused("instruction-mismatch", "signed for a payload that is sealed, or is not")
    if sealed and instruction.parameters != Parameters():
        raise Refused("instruction-mismatch", "the parameters of a sealed request are inside it")
    return instruction


def check_deferred(instruction: Instruction, now: int) -> None:
    """Raise `Refused` for a deferred instruction that may not be, or no longer (`instruction-expired`)."""
    if instruction.recipient != SEALED:
        raise Refused("instruction-mismatch", "only what is sealed can be deferred")
    if instruction.session:
        raise Refused("instruction-mismatch", "it is either deferred or of a session")
    if instruction.expires_at > now + MOST_DEFERRED:
        raise Refused("instruction-mismatch", f"it can be deferred by at most {MOST_DEFERRED} seconds")
    if instruction.expires_at <= now:
        raise Refused("instruction-expired")
