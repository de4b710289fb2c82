"""What an action changes is said against what is in force, from the device's signed word."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.action_table import (
    ChangeOfficers,
    DestroyPartition,
    OfficerEnrolment,
    SealDevice,
    SetRevocationBounds,
    UpdateLimits,
)
from strongroom.protocol.admin_actions import Officer
from strongroom.protocol.comparison import against
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.statements import Roster
from tests.support.security_keys import SoftwareKey

RULES = {"domain": 2, "security": 2, "partition": 2}
CLASSES = ("domain", "security", "partition")


def credential() -> PublicCredential:
    return public_credential(Ed25519PrivateKey.generate())


@pytest.fixture
def roster() -> Roster:
    """Three officers of each class; what is in force are unusual numbers."""
    enrolled = [
        Officer(name=f"{kind}{n}", officer_class=kind, credential=credential(), enrolled_epoch=1)  # type: ignore[arg-type]
        for kind in CLASSES
        for n in (1, 2, 3)
    ]
    return Roster(
        device="dev_one",
        world="wd_one",
        epoch=1,
        officers=enrolled,
        thresholds=RULES,
        limits=UpdateLimits(action_hours=77, destruction_hours=99),
        revocation_bounds=SetRevocationBounds(shortest=11, longest=222),
        issued_at=0,
    )


def test_limits_and_bounds_are_said_as_they_are_now(roster: Roster) -> None:
    now = dict(against(UpdateLimits(action_hours=1, destruction_hours=48), roster))["Now"]
    assert "77 hours" in now
    assert "99 hours" in now
    assert "11 to 222 seconds" in dict(against(SetRevocationBounds(shortest=1, longest=2), roster))["Now"]


def test_who_could_unseal_what_is_to_be_sealed(roster: Roster) -> None:
    assert dict(against(SealDevice(), roster))["Then unsealed by"] == "2 of 3 security officers"


def test_a_change_of_officers_names_whose_card_goes_and_each_classs_k_and_n(roster: Roster) -> None:
    lost = roster.officers[3]
    new = OfficerEnrolment(name="security4", officer_class="security", credential=credential(), sealing_key="")
    body = ChangeOfficers(
        enrol=[new], retire=[lost.credential.fingerprint], thresholds=RULES | {"security": 3, "domain": 1}
    )
    said = dict(against(body, roster))
    assert said["Retires"] == f"a card of security1: {lost.credential.fingerprint}"
    assert said["security officers"] == "now 2 of 3, then 3 of 3"
    assert said["domain officers"] == "now 2 of 3, then 1 of 3"
    assert said["partition officers"] == "2 of 3, unchanged"


def test_a_card_that_is_added_makes_no_further_officer_and_one_that_is_unknown_is_nobodys(roster: Roster) -> None:
    spare = OfficerEnrolment(name="domain1", officer_class="domain", credential=credential(), sealing_key="")
    said = dict(against(ChangeOfficers(enrol=[spare], retire=["f"], thresholds=RULES), roster))
    assert said["domain officers"] == "2 of 3, unchanged"
    assert said["Enrols"] == "another card of domain1"
    assert said["Retires"] == "a card of nobody: f"


def test_a_security_key_is_not_called_a_card(roster: Roster) -> None:
    key = SoftwareKey("partition1").enrolment()
    assert dict(against(ChangeOfficers(enrol=[key], thresholds=RULES), roster))["Enrols"] == (
        "another security key of partition1"
    )
    theirs = Officer(name=key.name, officer_class="partition", credential=key.credential, enrolled_epoch=2)
    later = msgspec.structs.replace(roster, officers=[*roster.officers, theirs])
    said = dict(against(ChangeOfficers(retire=[key.credential.fingerprint], thresholds=RULES), later))
    assert said["Retires"] == f"a security key of partition1: {key.credential.fingerprint}"


def test_how_long_a_destruction_would_wait_is_said_unless_its_owner_signed(roster: Roster) -> None:
    body = DestroyPartition(partition="pt_1", reason="unpaid")
    assert against(body, roster) == [("Waiting time", "99 hours")]
    assert against(DestroyPartition(partition="pt_1", reason="unpaid", consent="a.b.c"), roster) == []
