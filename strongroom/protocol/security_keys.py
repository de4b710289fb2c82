"""FIDO2 security keys and what they sign (W3C Web Authentication Level 3, §7.2): partition officers' approvals, and
access lists (`strongroom.protocol.access`).

An approval's challenge is the digest of the action, so an assertion approves exactly these bytes; to decline it is
another. No attestation is asked for: what a key must be like is checked at each use, by the flags that it signs itself.
"""

import hashlib
from typing import Annotated, Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, read_json
from strongroom.protocol.errors import Refused

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
DECLINES = b"strongroom.decline\x00"
_FIXED = 37
"""Bytes of authenticator data (§6.1) without attested credential and extensions: rpIdHash ‖ flags ‖ signCount."""

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
Fingerprint = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]


class SecurityKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kty", tag="FIDO2"):
    """A credential of a security key: ES256 (P-256) or EdDSA (Ed25519), for one origin of the portal.

    `id` is the credential id, `public_key` a SubjectPublicKeyInfo in DER, both in base64url. `rp_id` is the host of
    `origin` or a domain above it.
    """

    id: str
    public_key: str
    rp_id: str
    origin: str

    def __post_init__(self) -> None:
        # A `ValueError` here is what msgspec turns into its own refusal while decoding.
        try:
            sound = 16 <= len(from_b64u(self.id)) <= 1023 and _origin_fits(self.origin, self.rp_id)
            _read_key(from_b64u(self.public_key))
        except Refused:
            sound = False
        if not sound:
            raise ValueError("not a FIDO2 credential")

    @property
    def fingerprint(self) -> str:
        """Base64url of SHA-256 over its canonical JSON: 43 characters, as a card's."""
        return b64u(hashlib.sha256(canonical_json(self)).digest())


class SecurityKeyApproval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An approval of an action: an assertion by the key whose fingerprint is `key`. What it signed is in base64url.

    To decline, with a `reason`, never counts.
    """

    v: Literal[1] = 1
    key: Fingerprint
    decision: Literal["approve", "decline"] = "approve"
    reason: str = ""
    authenticator_data: str
    client_data: str
    signature: str


class Assertion(Protocol):
    """What a security key gave, each part in base64url."""

    @property
    def authenticator_data(self) -> str: ...
    @property
    def client_data(self) -> str: ...
    @property
    def signature(self) -> str: ...


class AuthenticatorData(NamedTuple):
    """The fixed part of what a security key signs."""

    rp_id_hash: bytes
    flags: int
    counter: int


class _ClientData(msgspec.Struct, frozen=True, rename="camel"):
    """What the browser says it did (§5.8.1), which may grow by members that are not known here."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False
    top_origin: Any = None


def is_by_security_key(signed: str) -> bool:
    """Whether a security key signed it, which is JSON, or a card or an owner, which is a compact JWS."""
    return signed.startswith("{")


def read_approval(approval: str) -> SecurityKeyApproval:
    return read_json(approval, SecurityKeyApproval, "statement-malformed")


def challenge_of(approval: SecurityKeyApproval, action_digest: bytes) -> bytes:
    """What its key must have signed: the digest, or to decline SHA-256 over a label, the digest and the reason.

    Raises `Refused("statement-malformed")` for an approval with a reason, which nobody signed.
    """
    if approval.decision == "approve":
        if approval.reason:
            raise Refused("statement-malformed", "an approval has no reason")
        return action_digest
    return hashlib.sha256(DECLINES + action_digest + approval.reason.encode()).digest()


def counter_of(assertion: Assertion) -> int:
    """The signature counter that it carries; 0 from keys that do not count."""
    return read_authenticator_data(from_b64u(assertion.authenticator_data)).counter


def check_assertion(assertion: Assertion, key: SecurityKey, challenge: bytes, altered: str = "action-altered") -> None:
    """Raise `Refused` unless `key` signed `challenge` at its own origin with its user verified.

    Raises: `altered` for another challenge, `security-key-refused`, `signature-invalid`, `malformed`.
    """
    # 1. The browser: an assertion, over this challenge, on the origin that was enrolled and in no other's frame.
    client_data = from_b64u(assertion.client_data)
    check_client_data(client_data, "webauthn.get", key.origin, b64u(challenge), altered)
    # 2. The key: for this relying party, with its user present and verified, and never copied anywhere.
    signed = from_b64u(assertion.authenticator_data)
    data = read_authenticator_data(signed)
    check_flags(data, key.rp_id)
    if data.flags & ~(USER_PRESENT | USER_VERIFIED) or len(signed) != _FIXED:
        raise Refused("security-key-refused", "extensions that nobody asked for")
    # 3. Its signature over both (§6.3.3).
    _verify(key, from_b64u(assertion.signature), signed + hashlib.sha256(client_data).digest())


def check_counter(counter: int, kept: int, *, user: str) -> None:
    """Raise `Refused("security-key-counter")` unless the counter grew; 0 for ever is that of a key without one."""
    if not (counter == kept == 0 or counter > kept):
        raise Refused("security-key-counter", f"{user}'s key: {counter} after {kept}")


def registered(
    *, credential_id: str, public_key: str, authenticator_data: str, client_data: str, origin: str
) -> SecurityKey:
    """The security key of a registration with attestation `none` at `origin`, whose host is the relying party.

    All but `origin` is in base64url, as `navigator.credentials.create` and its `getPublicKey` give it. Raises
    `Refused`: `security-key-refused`, `malformed`.
    """
    rp_id = urlsplit(origin).hostname or ""
    check_client_data(from_b64u(client_data), "webauthn.create", origin, None)
    raw = from_b64u(authenticator_data)
    data = read_authenticator_data(raw)
    check_flags(data, rp_id)
    # Attested credential data (§6.5.1): AAGUID, the length of the id, the id.
    identifier = from_b64u(credential_id)
    if (
        not data.flags & ATTESTED
        or raw[_FIXED + 16 :][: 2 + len(identifier)] != len(identifier).to_bytes(2) + identifier
    ):
        raise Refused("malformed", "the authenticator data is of another credential")
    try:
        return SecurityKey(id=credential_id, public_key=public_key, rp_id=rp_id, origin=origin)
    except ValueError:
        raise Refused(
            "security-key-refused", "neither ES256 nor EdDSA, or not over https (in development: http://localhost)"
        ) from None


def read_authenticator_data(data: bytes) -> AuthenticatorData:
    if len(data) < _FIXED:
        raise Refused("malformed", "authenticator data is too short")
    return AuthenticatorData(data[:32], data[32], int.from_bytes(data[33:37]))


def check_client_data(
    data: bytes, type_: str, origin: str, challenge: str | None, altered: str = "action-altered"
) -> None:
    """Raise `Refused` unless the client says it did `type_` at `origin`, over `challenge` where that matters.

    `altered` is the code for another challenge.
    """
    said = read_json(data, _ClientData)
    if said.type != type_:
        raise Refused("security-key-refused", f"not a {type_}")
    if said.origin != origin or said.cross_origin or said.top_origin is not None:
        raise Refused("security-key-refused", "used on another origin than the one it was enrolled for")
    if challenge is not None and said.challenge != challenge:
        raise Refused(altered, "the security key signed something else")


def check_flags(data: AuthenticatorData, rp_id: str) -> None:
    """Raise `Refused("security-key-refused")`: another relying party, no user verification, a synced credential."""
    if data.rp_id_hash != hashlib.sha256(rp_id.encode()).digest():
        raise Refused("security-key-refused", "used for another relying party than the one it was enrolled for")
    if not data.flags & USER_PRESENT or not data.flags & USER_VERIFIED:
        raise Refused("security-key-refused", "it did not verify its user: set its PIN or finger")
    if data.flags & (BACKUP_ELIGIBLE | BACKED_UP):
        raise Refused("security-key-refused", "a passkey that can be copied to other devices")


def _verify(key: SecurityKey, signature: bytes, signed: bytes) -> None:
    public = _read_key(from_b64u(key.public_key))
    try:
        if isinstance(public, Ed25519PublicKey):
            public.verify(signature, signed)
        else:
            public.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise Refused("signature-invalid") from None


def _read_key(der: bytes) -> PublicKey:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("malformed", "not a public key") from None
    if not isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise Refused("malformed", "neither P-256 nor Ed25519")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        raise Refused("malformed", "neither P-256 nor Ed25519")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise Refused("malformed", "not the usual encoding of a public key")
    return key


def _origin_fits(origin: str, rp_id: str) -> bool:
    """A secure context whose host is the relying party or below it; in development that is `http://localhost`."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if origin != f"{parts.scheme}://{host}" + (f":{port}" if port is not None else ""):
        return False
    below = host == rp_id or host.endswith(f".{rp_id}")
    return bool(rp_id) and below and (parts.scheme == "https" or (parts.scheme == "http" and host == "localhost"))
