"""Card files: an officer's signing key and sealing key under a PIN, with their public halves in clear.

The PIN is stretched by Argon2id (RFC 9106 §4, second recommended parameters), the secret part sealed with AES-256-GCM,
the public part being its associated data. A stolen card file can be tried offline: choose a PIN to fit.
"""

import secrets
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.client.files import read_file, write_private
from strongroom.protocol.action_table import OFFICER_CLASSES, Credential, OfficerClass, OfficerEnrolment
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.commands import unseal_part_info
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import CeremonyTranscript

LEAST_PIN = 6
_SALT, _NONCE = 16, 12


class CardFace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public part, of a card or of a security key.

    `world` and `device` are those of the ceremony, once the card has received its outcome.
    """

    v: Literal[1] = 1
    name: str
    officer_class: OfficerClass
    credential: Credential
    sealing_key: str
    world: str = ""
    device: str = ""

    @property
    def fingerprint(self) -> str:
        return self.credential.fingerprint

    def enrolment(self) -> OfficerEnrolment:
        """The card as the ceremony takes it."""
        return OfficerEnrolment(
            name=self.name,
            officer_class=self.officer_class,
            credential=self.credential,
            sealing_key=self.sealing_key,
        )


class CardFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is written: the face, and salt ‖ nonce ‖ sealed secrets in base64url."""

    face: CardFace
    secret: str


class _Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    signing: bytes
    sealing: bytes
    unseal_part: bytes = b""

    def __repr__(self) -> str:
        return "_Secrets(…)"


class OpenCard:
    """A card whose PIN was given. It signs, and opens what was sealed to it."""

    def __init__(self, face: CardFace, opened: _Secrets) -> None:
        self.face = face
        self._secrets = opened

    def __repr__(self) -> str:
        return f"OpenCard({self.face.name!r})"

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._secrets.signing)

    def unseal_part(self) -> bytes:
        """The officer's part of the unseal secret. Raises `Refused("configuration")` where the card has none."""
        if not self._secrets.unseal_part:
            raise Refused("configuration", "this card holds no unseal part: `strongroom officer card receive`")
        return self._secrets.unseal_part


class CeremonyOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the ceremony wrote: for each security card its sealed part, and the device's signed transcript."""

    world: str
    parts: dict[str, str]
    transcript: str


def new_card(name: str, officer_class: OfficerClass, pin: str) -> CardFile:
    """A card with fresh keys. Raises `Refused("malformed")` for a PIN under six characters or an unknown class."""
    if len(pin) < LEAST_PIN or officer_class not in OFFICER_CLASSES:
        raise Refused("malformed", f"a PIN has at least {LEAST_PIN} characters; classes: {', '.join(OFFICER_CLASSES)}")
    signing, sealing = Ed25519PrivateKey.generate(), RecipientPrivateKey.generate()
    face = CardFace(
        name=name,
        officer_class=officer_class,
        credential=public_credential(signing),
        sealing_key=sealing.public().text,
    )
    return _seal(face, _Secrets(signing=signing.private_bytes_raw(), sealing=sealing.raw), pin)


def read_card(path: Path) -> CardFile:
    return read_json(read_file(path, "make it with `strongroom officer card new`"), CardFile)


def write_card(path: Path, card: CardFile) -> None:
    write_private(path, msgspec.json.encode(card))


def open_card(card: CardFile, pin: str) -> OpenCard:
    """The card's keys. Raises `Refused("card-pin-wrong")` alike for a wrong PIN and for an altered file."""
    return OpenCard(card.face, _open(card, pin))


def receive(card: CardFile, pin: str, outcome: CeremonyOutcome, roots: list[x509.Certificate], now: int) -> CardFile:
    """The card with what the ceremony made for it: its world and device, and a security card's unseal part.

    Raises `Refused`: `officer-unknown` where the transcript does not enrol this card, `wrong-device` where it is
    of another world already, `card-pin-wrong`, `envelope-unopenable`, and what `verify_statement` does.
    """
    # 1. The device itself says that this card was enrolled, as what, and into which world.
    transcript, certified = verify_statement(outcome.transcript, CeremonyTranscript, roots, "device", now)
    face = card.face
    if (transcript.device, transcript.world) != (certified.device_id, outcome.world):
        raise Refused("malformed", "the transcript is of another device or world")
    if face.world and (face.device, face.world) != (transcript.device, transcript.world):
        raise Refused("wrong-device", "this card belongs to another device or world")
    if transcript.officers.get(face.fingerprint) != face.officer_class:
        raise Refused("officer-unknown", "the ceremony did not enrol this card in its class")
    # 2. A security card opens its part.
    opened, part = _open(card, pin), b""
    if face.officer_class == "security":
        if face.fingerprint not in outcome.parts:
            raise Refused("officer-unknown", "the ceremony made no unseal part for this card")
        sealed = from_b64u(outcome.parts[face.fingerprint])
        info = unseal_part_info(transcript.world, face.fingerprint)
        part = RecipientPrivateKey(opened.sealing).open(sealed, info)
    # 3. Under the PIN again.
    face = msgspec.structs.replace(face, world=transcript.world, device=transcript.device)
    return _seal(face, msgspec.structs.replace(opened, unseal_part=part), pin)


def _seal(face: CardFace, opened: _Secrets, pin: str) -> CardFile:
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    sealed = AESGCM(_stretch(pin, salt)).encrypt(nonce, msgspec.msgpack.encode(opened), canonical_json(face))
    return CardFile(face=face, secret=b64u(salt + nonce + sealed))


def _open(card: CardFile, pin: str) -> _Secrets:
    raw = from_b64u(card.secret)
    salt, nonce, sealed = raw[:_SALT], raw[_SALT : _SALT + _NONCE], raw[_SALT + _NONCE :]
    try:
        plain = AESGCM(_stretch(pin, salt)).decrypt(nonce, sealed, canonical_json(card.face))
    except (InvalidTag, ValueError):
        raise Refused("card-pin-wrong") from None
    return msgspec.msgpack.decode(plain, type=_Secrets)


def _stretch(pin: str, salt: bytes) -> bytes:
    return Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=64 * 1024).derive(pin.encode())
