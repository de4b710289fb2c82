"""Nobody is kept out on the way in: invitation, authenticator, recovery codes, confirmations, and being suspended."""

import re

import pytest

from stack.otp import next_code
from stack.people import Person
from tests.support.accessibility import Look
from tests.support.reader import Reader

# One-time codes serve once, in their half minute: the officer waits for several.
pytestmark = [pytest.mark.browser, pytest.mark.needs("npm"), pytest.mark.timeout(900)]

PASSWORD = "a password for the hooli"


def send(reader: Reader, button: str) -> None:
    """Press a form's button, and wait for the answer."""
    with reader.page.expect_navigation():
        reader.page.get_by_role("main").get_by_role("button", name=button).click()


def confirmed(reader: Reader, look: Look) -> None:
    """A question for a fresh code: looked at, answered wrong, looked at again, and answered."""
    look.here(reader)
    reader.page.get_by_label("A fresh one-time code").fill("000000")
    reader.page.get_by_label("A fresh one-time code").press("Enter")
    reader.page.get_by_role("alert").wait_for()
    look.here(reader)
    reader.confirm()
    reader.page.get_by_label("E-mail address").wait_for()


def test_from_an_invitation_to_being_suspended(officer: Reader, stranger: Reader, look: Look) -> None:
    # 1. An officer opens a tenant and invites its owner.
    officer.open("/officer/tenants/")
    officer.page.get_by_label("Name", exact=True).fill("Hooli")
    officer.page.get_by_label("Short name").fill("hooli")
    send(officer, "Open")
    confirmed(officer, look)
    officer.page.get_by_label("E-mail address").fill("gavin@hooli.example")
    send(officer, "Invite")
    officer.confirm()
    officer.page.locator("#link").wait_for()
    look.here(officer)
    link = re.sub(r"^https?://[^/]+", "", officer.page.locator("#link").input_value())
    # 2. Who is invited comes in, not without mistakes.
    page = stranger.page
    look.at(stranger, link)
    for again in ("another password", PASSWORD):
        page.get_by_label("User name").fill("gavin")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The password again").fill(again)
        send(stranger, "Go on")
        look.here(stranger)
    gavin = Person(username="gavin", password=PASSWORD, otp_seed=page.locator("code").first.inner_text())
    for code in ("000000", ""):
        # One that is right is in time for some seconds only.
        page.get_by_label("One-time code").fill(code or next_code(stranger.stack.state, gavin))
        send(stranger, "Confirm")
        look.here(stranger)
        # After a wrong one nothing is looked at for a second.
        page.wait_for_timeout(1500)
    assert "recovery codes" in page.inner_text("main")
    # 3. There is nothing yet: pages say what comes next.
    for path in ("/", "/keys/", "/keys/import/", "/partitions/", "/clients/", "/devices/", "/callbacks/", "/jobs/",
                 "/usage/", "/log/", "/log/portal/", "/members/"):  # fmt: skip
        look.at(stranger, path)
    # 4. The invitation has served, and the tenant is suspended.
    look.at(stranger, link)
    officer.open("/officer/tenants/hooli/")
    send(officer, "Suspend")
    officer.confirm()
    officer.page.get_by_role("button", name="Resume").wait_for()
    look.here(officer)
    look.at(stranger, "/keys/")
    assert "Hooli is suspended" in page.inner_text("main")
