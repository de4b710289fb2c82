"""A customer that comes new to a running stack: invited, let in, its partition defined."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from stack.layout import PROJECT
from stack.otp import next_code
from stack.people import Person
from strongroom.officer import actions
from tests.support.reader import Reader
from tests.support.stack import Stack

PASSWORD = "a password for the umbrella"


def create_tenant(stack: Stack, slug: str, address: str) -> str:
    """As the provider does it on its host; the link that the mail has."""
    raw = Path(f"/proc/{stack.access['processes']['web']}/environ").read_bytes().decode()
    environment = dict(one.split("=", 1) for one in raw.split("\0") if "=" in one)
    subprocess.run(
        [sys.executable, "manage.py", "create_tenant", slug, slug.title(), "--invite", address, "--url", stack.url],
        cwd=PROJECT,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    mails = [one.read_text() for one in stack.state.folder("mail").iterdir() if address in one.read_text()]
    assert len(mails) == 1
    found = re.search(rf"{re.escape(stack.url)}(/invitation/\S+)", mails[0])
    assert found is not None
    return found.group(1)


def accept(reader: Reader, link: str, username: str) -> Person:
    """A user name and a password, then an authenticator, whose key can be typed as well as scanned."""
    page = reader.page
    assert reader.open(link) == 200
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    person = Person(username=username, password=PASSWORD, otp_seed=page.locator("code").first.inner_text())
    page.get_by_label("One-time code").fill(next_code(reader.stack.state, person))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Go on to the overview").click()
    return person


def define(stack: Stack, owner: str) -> None:
    """What the provider's officers do with the partition that was asked for by the owner with this fingerprint."""
    connection, card = stack.officer("partition1")
    with connection:
        asked = next(one for one in actions.partition_requests(connection) if one.owner.fingerprint == owner)
        wanted = actions.define_partition(asked)
        opened = actions.request_action(connection, card, wanted, int(time.time()), partition_request=asked.request)
    for username in ("partition2", "partition3"):
        connection, card = stack.officer(username)
        with connection:
            opened = actions.approve(connection, card, opened, stack.code(username), int(time.time()))
    assert opened.state == "executed"
