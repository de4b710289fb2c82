"""Sealed operations: the request encrypted to a key of the device, the result to the client, a signed word about both.

Whoever carries them sees key, operation and mechanism, and how long they are; not payloads, parameters or results.
"""

import secrets
from typing import ClassVar, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol import jws
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import canonical_json, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_BATCH, Item, Parameters, check_batch, largest_payload
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey

REPLY_KEY = 32
MAX_SEALED_REQUEST = MAX_BATCH + 512 * 1024
"""Bytes of a sealed request: a whole batch, with what MessagePack and the encryption add."""
_LABEL = "strongroom-sealed-operation-1"
_REPLY_LABEL = b"strongroom-sealed-reply-1\x00"
_NONCE = 12


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """For what a request is sealed: for anything else it cannot be opened. `version` and `mechanism` as asked for."""

    device: str
    operations_key: str
    partition: str
    key: str
    version: int
    operation: str
    mechanism: str

    def info(self) -> bytes:
        """HPKE `info`: canonical JSON of the members and the label `v`."""
        return canonical_json({"v": _LABEL, **msgspec.structs.asdict(self)})


class SealedContent(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is inside: `payload`, or the `items` of a batch; the parameters; a fresh key for the one reply."""

    reply_key: bytes
    payload: bytes = b""
    parameters: Parameters = Parameters()
    items: list[Item] | None = None

    def __repr__(self) -> str:
        return "SealedContent(…)"


class SealedReply(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`result`, or of a batch `results` in the items' order, and code and detail of those that failed by index.

    `target_version`, `target_mechanism`: of translate and rewrap, what the result is under.
    """

    result: bytes = b""
    results: list[bytes] = []
    errors: dict[int, tuple[str, str]] = {}
    target_version: int = 0
    target_mechanism: str = ""

    def __repr__(self) -> str:
        return "SealedReply(…)"


class OperationResult(jws.Statement, frozen=True, kw_only=True):
    """The device's word (with `x5c`) that it carried this request out, for this principal, with this reply.

    Digests are of the sealed request and of the sealed reply. `version` and `mechanism` are those that were used.
    """

    TYP: ClassVar[str] = "strongroom.operation-result"

    v: Literal[1] = 1
    device: str
    request_digest: str
    reply_digest: str
    partition: str
    key: str
    version: int
    operation: str
    mechanism: str
    principal: str
    issued_at: int


def new_reply_key() -> bytes:
    return secrets.token_bytes(REPLY_KEY)


def seal_content(public_key: RecipientPublicKey, binding: Binding, content: SealedContent) -> bytes:
    """`content` for the device alone (HPKE, RFC 9180), bound to what it is for. Raises `Refused("malformed")`."""
    return public_key.seal(msgspec.msgpack.encode(content), binding.info())


def open_content(private_key: RecipientPrivateKey, binding: Binding, sealed: bytes) -> SealedContent:
    """Inverse of `seal_content`.

    Raises `Refused`: `sealed-unopenable` for every failure to open alike, and where what was inside is no
    `SealedContent`; `too-large`, `malformed`, `batch-too-large` for its size.
    """
    try:
        content = msgspec.msgpack.decode(private_key.open(sealed, binding.info()), type=SealedContent)
    except (msgspec.DecodeError, UnicodeDecodeError, Refused):
        raise Refused("sealed-unopenable") from None
    if len(content.reply_key) != REPLY_KEY:
        raise Refused("sealed-unopenable", f"a reply key has {REPLY_KEY} bytes")
    if content.items is not None:
        if content.payload:
            raise Refused("malformed", "a batch has its payloads in its items")
        check_batch(content.items)
    elif len(content.payload) > (most := largest_payload(binding.operation)):
        raise Refused("too-large", f"a payload has at most {most} bytes")
    return content


def seal_reply(reply_key: bytes, request_digest: str, reply: SealedReply) -> bytes:
    """nonce ‖ ciphertext ‖ tag, AES-256-GCM under `reply_key`; associated data: a label and the request's digest.

    The nonce is random: a request that may be run again (a deferred instruction) has more than one reply.
    """
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(reply_key).encrypt(nonce, msgspec.msgpack.encode(reply), _reply_data(request_digest))


def open_reply(reply_key: bytes, request_digest: str, sealed: bytes) -> SealedReply:
    """Inverse of `seal_reply`. Raises `Refused("result-mismatch")`."""
    try:
        plain = AESGCM(reply_key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _reply_data(request_digest))
        return msgspec.msgpack.decode(plain, type=SealedReply)
    except (InvalidTag, ValueError, msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("result-mismatch", "the reply is not to what was sent, or was altered") from None


def check_result(
    token: str, roots: list[x509.Certificate], now: int, *, binding: Binding, sealed: bytes, reply: bytes
) -> OperationResult:
    """The statement, if the device of `binding` signed it about this sealed request and this sealed reply.

    Version and mechanism must be those of `binding` where it names one. Raises `Refused`: `result-mismatch`,
    `certificate-invalid`, `signature-invalid`, `statement-malformed`.
    """
    result, certified = verify_statement(token, OperationResult, roots, "device", now)
    if not result.device == certified.device_id == binding.device:
        raise Refused("result-mismatch", "another device signed it than the one that has the key")
    if (result.request_digest, result.reply_digest) != (digest(sealed), digest(reply)):
        raise Refused("result-mismatch", "the device's statement is about another request or another reply")
    for name in ("partition", "key", "operation", "version", "mechanism"):
        if getattr(binding, name) and getattr(binding, name) != getattr(result, name):
            raise Refused("result-mismatch", f"its {name} is not the one that was asked for")
    return result


def _reply_data(request_digest: str) -> bytes:
    return _REPLY_LABEL + request_digest.encode()
