"""Security keys as officers use them in the browser: those enrolled, new ones to enrol, and what they sign.

The TEE checks all of it for itself; what a page of the portal had a key sign is no more than what the key signed.
"""

import msgspec

from portal.quorum import selectors
from portal.quorum.models import OfficerProfile
from strongroom.protocol.action_table import OfficerEnrolment
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import SecurityKey, SecurityKeyApproval, registered


def keys_of(officer: OfficerProfile) -> list[SecurityKey]:
    """The officer's enrolled security keys, for whichever origin. Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    return [one for one in selectors.cards_of(officer) if isinstance(one, SecurityKey)]


def enrolment(*, officer: OfficerProfile, origin: str, **registration: str) -> OfficerEnrolment:
    """What domain officers enrol, of a registration that the officer's browser made at `origin`.

    Raises `Refused`: `forbidden` but for partition officers, and what `registered` does.
    """
    if officer.officer_class != "partition":
        raise Refused("forbidden", "security keys are for partition officers")
    key = registered(origin=origin, **registration)
    return OfficerEnrolment(name=officer.name, officer_class="partition", credential=key, sealing_key="")


def approval(*, officer: OfficerProfile, credential_id: str, **assertion: str) -> str:
    """An approval or a refusal, of an assertion by one of the officer's own keys, as `SecurityKeyApproval` has it.

    Raises `Refused("officer-unknown")`.
    """
    key = next((one for one in keys_of(officer) if one.id == credential_id), None)
    if key is None:
        raise Refused("officer-unknown", "not one of your security keys")
    given = msgspec.convert({"key": key.fingerprint, **assertion}, SecurityKeyApproval)
    return canonical_json(given).decode()
