"""Revocation: the customer's own endpoint, named in the sealed terms, says whether a key may be used.

The device asks by HTTPS with a fresh nonce; docs/spec/revocation.md describes the calls. Everything here is pure: terms
and their contradictions, the request, and what makes an answer valid.
"""

import re
from datetime import UTC, datetime
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol import jws
from strongroom.protocol.addresses import Reach, may_be_called
from strongroom.protocol.encoding import b64u, canonical_json, digest, from_b64u, read_json
from strongroom.protocol.errors import Refused

Status = Literal["active", "suspended", "revoked", "unknown"]
MAX_CHECKS = 1_000
MAX_BODY = 1024 * 1024
MAX_REASON = 200
MAX_PINS = 8
SAID_BY = {
    "owner": "its owner's order",
    "endpoint": "its endpoint",
    "ocsp": "its certificate's issuer (OCSP)",
    "crl": "its certificate's issuer (CRL)",
}
"""On whose word a key can be revoked."""
SHORTEST, LONGEST = 5, 7 * 24 * 3600
"""A device's bounds for `every`, in seconds, unless its officers set others."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,1024}={0,2}", re.ASCII)  # RFC 6750 §2.1
_URL = re.compile(r"https://[!-~]{1,2000}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Terms: who says whether the key may be used, and for how long one answer holds.

    `token` is sent as a bearer token. The server proves itself by `certificates` (each DER in base64url: its own, or
    the one that issued it) or by `public_keys` (SHA-256 of a SubjectPublicKeyInfo in DER, 64 hexadecimal digits): by
    one of the two kinds, and nothing else counts. `every`: seconds from when the device sent a question until its
    answer has run out. With `answer_key` (Ed25519, 32 bytes in base64url) only answers that this key signed count.
    """

    url: str
    token: str
    certificates: list[str] = []
    public_keys: list[str] = []
    every: int
    answer_key: str = ""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a key, by its id and the digest of its receipt."""

    key: str
    receipt: str


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Body of a request: up to `MAX_CHECKS` checks under one fresh nonce."""

    v: Literal[1] = 1
    nonce: str
    device: str
    checks: list[Check]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What the customer says of one version. `reason` (of `suspended` and `revoked`) is shown and logged by the
    provider; `at` is when that was decided, in unix seconds, for information."""

    key: str
    receipt: str
    status: Status
    reason: str = ""
    at: int | None = None


class CheckAnswer(jws.Statement, frozen=True, kw_only=True, omit_defaults=True):
    """Body of an answer: this JSON, or where the terms have an `answer_key` a JWS of it."""

    TYP: ClassVar[str] = "strongroom.revocation-answer"

    v: int
    nonce: str
    answers: list[Answer]


# --- terms ------------------------------------------------------------------------------------------------------------


def check_revocation(revocation: Revocation) -> None:
    """Raise `Refused("terms-refused")` where these terms cannot be followed."""
    host(revocation.url)
    if not _TOKEN.fullmatch(revocation.token):
        raise Refused("terms-refused", "the revocation token is not one that a bearer token may be")
    if revocation.every < 1:
        raise Refused("terms-refused", "the revocation interval is not at least a second")
    pins = len(revocation.certificates) + len(revocation.public_keys)
    if bool(revocation.certificates) == bool(revocation.public_keys) or pins > MAX_PINS:
        raise Refused("terms-refused", f"the revocation server is pinned by 1 to {MAX_PINS} certificates or keys")
    pinned_certificates(revocation)
    if not all(_SHA256.fullmatch(one) for one in revocation.public_keys):
        raise Refused("terms-refused", "a pinned public key is a SHA-256 in hexadecimal")
    answer_key(revocation)


def check_bounds(revocation: Revocation, shortest: int, longest: int) -> None:
    """Raise `Refused("terms-refused")` where the interval is not within the device's bounds (seconds)."""
    if not shortest <= revocation.every <= longest:
        raise Refused("terms-refused", f"the revocation interval is not within {shortest} to {longest} seconds")


def host(url: str) -> tuple[str, int]:
    """Host and port of an endpoint. Raises `Refused("terms-refused")` where it is not an https address."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise Refused("terms-refused", "the revocation address cannot be read") from None
    if not _URL.fullmatch(url) or not parts.hostname or parts.username is not None or "#" in url or "\\" in url:
        raise Refused("terms-refused", "the revocation address is not https://host[:port]/path")
    return parts.hostname, port


def check_address_literal(url: str, reach: Reach) -> None:
    """Raise `Refused("terms-refused")` where the host is written as an address beyond `reach`."""
    name = host(url)[0]
    try:
        allowed = may_be_called(name, reach)
    except ValueError:
        return  # a name: its addresses are checked at each call
    if not allowed:
        raise Refused("terms-refused", "the revocation address is in a range that is not called")


def pinned_certificates(revocation: Revocation) -> list[x509.Certificate]:
    """The pinned certificates. Raises `Refused("terms-refused")`."""
    try:
        return [x509.load_der_x509_certificate(from_b64u(one, "terms-refused")) for one in revocation.certificates]
    except (ValueError, TypeError, x509.InvalidVersion):
        raise Refused("terms-refused", "a pinned certificate cannot be read") from None


def check_server_certificate(der: bytes, revocation: Revocation, now: int) -> None:
    """Raise `Refused("certificate-invalid")` unless the server that showed this certificate is a pinned one.

    That it has the certificate's key, is for the host and was issued by who it names is TLS's own check.
    """
    try:
        shown = x509.load_der_x509_certificate(der)
        spki = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise Refused("certificate-invalid", "the server's certificate cannot be read") from None
    if not _in_force(shown, now):
        raise Refused("certificate-invalid", "the server's certificate has expired or is not valid yet")
    if revocation.public_keys:
        if digest(spki) not in revocation.public_keys:
            raise Refused("certificate-invalid", "the server's key is not a pinned one")
        return
    for pin in pinned_certificates(revocation):
        if _in_force(pin, now) and (pin == shown or _issued(shown, pin)):
            return
    raise Refused("certificate-invalid", "the server's certificate is not pinned, nor issued by one that is in force")


def _in_force(certificate: x509.Certificate, now: int) -> bool:
    return certificate.not_valid_before_utc <= datetime.fromtimestamp(now, UTC) <= certificate.not_valid_after_utc


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def answer_key(revocation: Revocation) -> Ed25519PublicKey | None:
    """The key that signs answers, where there is one. Raises `Refused("terms-refused")`."""
    if not revocation.answer_key:
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(from_b64u(revocation.answer_key, "terms-refused"))
    except ValueError:
        raise Refused("terms-refused", "the key of signed answers is not an Ed25519 public key") from None


def is_looser(new: Revocation | None, old: Revocation | None) -> bool:
    """Whether `new` gives up any of what `old` ensures. Only the token may differ, and the interval be shorter."""
    if old is None:
        return False
    if new is None:
        return True
    return new.every > old.every or msgspec.structs.replace(new, token="", every=0) != msgspec.structs.replace(
        old, token="", every=0
    )


# --- request and answer -----------------------------------------------------------------------------------------------


def receipt_digest(receipt: str) -> str:
    """How a check names a receipt: the SHA-256 of the signed receipt, exactly as it was given."""
    return digest(receipt.encode())


def encode_request(request: CheckRequest) -> bytes:
    return canonical_json(request)


def read_request(body: bytes) -> CheckRequest:
    """What an endpoint was asked. Raises `Refused("malformed")`."""
    if len(body) > MAX_BODY:
        raise Refused("too-large")
    request = read_json(body, CheckRequest)
    if not _NONCE.fullmatch(request.nonce) or not 1 <= len(request.checks) <= MAX_CHECKS:
        raise Refused("malformed", f"a nonce of 22 to 128 characters, and 1 to {MAX_CHECKS} checks")
    return request


def check_reason(reason: str) -> None:
    """Raise `Refused("malformed")` for a reason that is no short line."""
    if len(reason) > MAX_REASON or not reason.isprintable():
        has = f"this one has {len(reason)}" if len(reason) > MAX_REASON else "this one has others"
        raise Refused("malformed", f"a reason is one line of at most {MAX_REASON} printable characters: {has}")


def check_answer(body: bytes, request: CheckRequest, key: Ed25519PublicKey | None) -> list[Answer]:
    """The answers in `body`, if it answers exactly `request`; with `key`, only if that key signed it.

    What was asked and is not answered counts as unanswered. Raises `Refused`: `too-large`, `malformed`,
    `statement-malformed`, `signature-invalid`, `nonce-mismatch`, `receipt-mismatch`: the answer is then none at all.
    """
    if len(body) > MAX_BODY:
        raise Refused("too-large")
    # 1. It can be read, and has the signature that the terms ask for.
    if key is None:
        answer = read_json(body, CheckAnswer)
    else:
        try:
            answer = jws.verify(body.decode("ascii").strip(), CheckAnswer, key)
        except UnicodeDecodeError:
            raise Refused("statement-malformed") from None
    if answer.v != 1:
        raise Refused("malformed", "an answer of another version")
    # 2. It answers this request.
    if answer.nonce != request.nonce:
        raise Refused("nonce-mismatch")
    # 3. It speaks of nothing that was not asked, and of nothing twice.
    asked = {(one.key, one.receipt) for one in request.checks}
    answered = [(one.key, one.receipt) for one in answer.answers]
    if not asked.issuperset(answered) or len(set(answered)) != len(answered):
        raise Refused("receipt-mismatch", "an answer on what was not asked, or two on the same")
    for one in answer.answers:
        if one.reason:
            check_reason(one.reason)
    return answer.answers


def sign_answer(answer: CheckAnswer, key: Ed25519PrivateKey) -> bytes:
    """An answer as its endpoint sends it where the terms have an `answer_key`."""
    return jws.sign(answer, key).encode()


def text_of_key(key: Ed25519PublicKey) -> str:
    """How the terms write an `answer_key`."""
    return b64u(key.public_bytes_raw())
