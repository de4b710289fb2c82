"""Unsealing: an officer's part goes, sealed, to a fresh key of the very device whose ceremony made it."""

import msgspec
from cryptography import x509

from strongroom.client.connection import Connection
from strongroom.client.evidence import check_fresh, new_nonce
from strongroom.officer.cards import OpenCard
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.commands import unseal_part_info
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement


class UnsealProgress(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    progress: int
    threshold: int
    given: list[str] = []
    wait_seconds: int = 0


class _BeginAnswer(msgspec.Struct, frozen=True):
    endorsement: str


def make_unseal_part(
    card: OpenCard, endorsement: str, nonce: str, roots: list[x509.Certificate], now: int
) -> dict[str, str]:
    """The officer's part, sealed to the endorsed key: `{"key_id", "card", "part"}`, as console and portal take it.

    Raises `Refused`: `nonce-mismatch`, `stale`, `wrong-device`, `validation-failed`, and what `verify_statement` does.
    """
    part = card.unseal_part()
    # 1. The device of this card's ceremony endorses the key, now and to us.
    says, certified = verify_statement(endorsement, Endorsement, roots, "device", now)
    if says.nonce != nonce:
        raise Refused("nonce-mismatch", "the endorsement answers another question")
    check_fresh(says.issued_at, now)
    if (says.device, says.device) != (card.face.device, certified.device_id):
        raise Refused("wrong-device", "the key is not of the device that this card belongs to")
    # 2. It is an unseal key, and its name is bound to its bytes.
    key = RecipientPublicKey.from_text(says.public_key)
    if says.purpose != "unseal-key" or says.key_id != key.key_id("uk_"):
        raise Refused("validation-failed", "not an unseal key")
    # 3. Seal the part to it.
    sealed = key.seal(part, unseal_part_info(card.face.world, card.face.fingerprint, says.key_id))
    return {"key_id": says.key_id, "card": card.face.fingerprint, "part": b64u(sealed)}


def progress(connection: Connection) -> UnsealProgress:
    return connection.portal.get("officer/unseal", UnsealProgress)


def unseal(connection: Connection, card: OpenCard, otp: str, now: int) -> UnsealProgress:
    """Give this card's part through the portal, which sees it sealed."""
    nonce = new_nonce()
    endorsement = connection.portal.post("officer/unseal/begin", {"nonce": nonce}, _BeginAnswer).endorsement
    part = make_unseal_part(card, endorsement, nonce, connection.home.manufacturer_roots(), now)
    return connection.portal.post("officer/unseal/parts", part | {"otp": otp}, UnsealProgress)
