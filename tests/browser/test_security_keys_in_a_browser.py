"""A partition officer's security key in Chromium: registered, enrolled by domain officers, and approving."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from strongroom.client import account, log
from strongroom.officer import actions, bodies
from strongroom.protocol.action_table import ChangeOfficers
from strongroom.protocol.admin_actions import signer
from tests.support.authenticator import Authenticator, complaints
from tests.support.reader import Reader
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

OFFICER = "partition2"


@pytest.fixture(scope="module")
def officer(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """A partition officer, logged in."""
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(OFFICER)
        yield reader


@pytest.fixture(scope="module")
def authenticator(officer: Reader) -> Authenticator:
    return Authenticator(officer)


def register(officer: Reader) -> None:
    officer.open("/officer/security-keys/")
    officer.page.get_by_role("button", name="Register a security key").click()


def enrol(stack: Stack, face: Path) -> str:
    """Domain officers enrol what the page gave; the state of their action."""
    first, *others = [one.username for one in stack.people.officers_of("domain")]
    connection, card = stack.officer(first)
    with connection:
        enrolment = bodies.read_face(face).enrolment()
        body = ChangeOfficers(enrol=[enrolment], thresholds=actions.roster(connection, int(time.time())).thresholds)
        opened = actions.request_action(connection, card, body, int(time.time()))
    return approve(stack, opened, others)


def approve(stack: Stack, opened: actions.OpenedAction, officers: list[str]) -> str:
    for username in officers:
        connection, card = stack.officer(username)
        with connection:
            opened = actions.approve(connection, card, opened, stack.code(username), int(time.time()))
    return opened.state


def wanted_partition(stack: Stack, label: str) -> actions.OpenedAction:
    """What an officer asks to be defined, as Acme's Alice has asked for it."""
    with stack.tenant("acme").connect("person") as alice:
        request = account.request_partition(alice, label)["request"]
    connection, card = stack.officer("partition1")
    with connection:
        asked = actions.partition_request(connection, request)
        wanted = actions.define_partition(asked)
        return actions.request_action(connection, card, wanted, int(time.time()), partition_request=request)


def test_a_key_that_can_be_copied_is_not_even_offered_for_enrolment(
    officer: Reader, authenticator: Authenticator
) -> None:
    authenticator.plug_in(defaultBackupEligibility=True, defaultBackupState=True)
    register(officer)
    expect(officer.page.get_by_text("a passkey that can be copied to other devices")).to_be_visible()
    assert complaints(officer, "status of 403") == []


def test_a_key_that_does_not_verify_its_user_registers_nothing(officer: Reader, authenticator: Authenticator) -> None:
    authenticator.plug_in(hasUserVerification=False, isUserVerified=False)
    register(officer)
    expect(officer.page.get_by_role("alert")).to_contain_text("The security key did not answer")
    expect(officer.page.get_by_role("button", name="Register a security key")).to_be_visible()
    assert complaints(officer) == []


def test_a_registered_key_is_enrolled_by_quorum_and_approves_in_the_browser(
    officer: Reader, authenticator: Authenticator, tmp_path: Path
) -> None:
    stack, page = officer.stack, officer.page
    # 1. Registered: the page gives what domain officers enrol, by a fingerprint that both sides see.
    authenticator.plug_in()
    register(officer)
    expect(page.get_by_role("heading", name="Now domain officers enrol it")).to_be_visible()
    face = tmp_path / "key.json"
    face.write_text(page.locator("pre code").first.inner_text())
    fingerprint = bodies.read_face(face).fingerprint
    expect(page.get_by_text(fingerprint)).to_be_visible()
    # 2. Until they have, it is none of the officer's.
    assert enrol(stack, face) == "executed"
    officer.open("/officer/security-keys/")
    expect(page.get_by_role("row", name=fingerprint)).to_be_visible()
    # 3. It approves an action, whose digest it signs.
    opened = wanted_partition(stack, "by security key")
    officer.open(f"/officer/actions/{opened.id}/")
    page.get_by_label("A fresh one-time code").fill(stack.code(OFFICER))
    page.get_by_role("button", name="Approve with a security key").click()
    expect(page.get_by_role("status")).to_contain_text("approval is given")
    expect(page.get_by_role("row", name=fingerprint)).to_contain_text("approves")
    # 4. With another officer's card it is carried out.
    assert approve(stack, opened, ["partition3"]) == "executed"
    with stack.tenant("acme").connect("person") as alice:
        defined = [one for one in account.partitions(alice) if one["label"] == "by security key"]
    assert [one["status"] for one in defined] == ["defined"]
    assert complaints(officer) == []
    # 5. Whoever verifies the log counts the security key's approval again.
    connection, _ = stack.officer("partition1")
    with connection:
        verified = log.verify(connection, int(time.time()), source=log.WORLD)
    last = verified.decided[-1]
    assert {one.name for one in last.approvers} == {OFFICER, "partition3"}
    assert fingerprint in [signer(one) for one in last.entry.details["approvals"]]  # type: ignore[union-attr]


def test_it_declines_with_a_reason_too(officer: Reader) -> None:
    opened, page = wanted_partition(officer.stack, "declined by security key"), officer.page
    officer.open(f"/officer/actions/{opened.id}/")
    page.get_by_label("A fresh one-time code").fill(officer.stack.code(OFFICER))
    page.get_by_role("button", name="Decline with a security key").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.get_by_label("Why, if you decline").fill("nobody telephoned")
    page.get_by_role("button", name="Decline with a security key").click()
    expect(page.get_by_role("status")).to_contain_text("refusal is given")
    expect(page.get_by_role("row", name=OFFICER)).to_contain_text("declines: nobody telephoned")
    assert complaints(officer) == []


def test_without_webauthn_the_command_is_shown(officer: Reader) -> None:
    opened = wanted_partition(officer.stack, "without a script")
    officer.page.add_init_script("delete window.PublicKeyCredential")
    officer.open(f"/officer/actions/{opened.id}/")
    expect(officer.page.get_by_text(f"strongroom officer approve {opened.id} --card FILE")).to_be_visible()
    expect(officer.page.get_by_role("button", name="Approve with a security key")).to_be_hidden()
    assert complaints(officer) == []
