"""Unsealing through the portal: it passes parts on that only the device can open."""

from dataclasses import dataclass

from portal.authenticators.codes import use_code
from portal.quorum import selectors
from portal.quorum.models import OfficerProfile
from strongroom.protocol.commands import (
    BeginUnseal,
    BeginUnsealReply,
    GiveUnsealPart,
    GiveUnsealPartReply,
    StatusReply,
)
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from tee.drivers import secure_module
from tenants.signals import emit


@dataclass(frozen=True)
class Progress:
    """How far the device is from being operational: `given` names the officers who have given a part, `wait_seconds`
    is how long it takes none after a wrong one.
    """

    state: str
    progress: int
    threshold: int
    given: list[str]
    wait_seconds: int


def progress(status: StatusReply | None = None) -> Progress:
    """Raises `Refused("hsm-unreachable")`."""
    status = status or selectors.device_status()
    return Progress(
        status.state,
        status.unseal_progress,
        status.unseal_threshold,
        status.unseal_given,
        status.unseal_wait,
    )


def begin(*, officer: OfficerProfile, nonce: str) -> str:
    """The device's fresh unseal key, endorsed over the officer's nonce. Raises `Refused`: `forbidden`, the TEE's."""
    _require_security(officer)
    return secure_module().call(BeginUnseal(nonce=nonce), BeginUnsealReply).endorsement


def give_part(*, officer: OfficerProfile, key_id: str, card: str, part: str, otp: str) -> Progress:
    """Pass the part of one of the officer's own cards on, given with a fresh one-time code.

    Raises `Refused`: `forbidden`, `officer-unknown`, `malformed`, `otp-refused`, and what the TEE says.
    """
    # 1. A security officer, with an own card.
    _require_security(officer)
    if selectors.device_status().unseal_cards.get(card) != officer.name:
        raise Refused("officer-unknown", "the part of another card than your own")
    sealed = from_b64u(part)
    # 2. Who is here now.
    use_code(officer.user, otp)
    # 3. The device opens the part, or refuses it.
    given = secure_module().call(GiveUnsealPart(key_id=key_id, card=card, part=sealed), GiveUnsealPartReply)
    emit(tag="officer:unseal-part:given", tenant=None, actor=officer.user.username, state=given.state)
    return progress()


def _require_security(officer: OfficerProfile) -> None:
    if officer.officer_class != "security":
        raise Refused("forbidden", "only security officers' cards hold unseal parts")
