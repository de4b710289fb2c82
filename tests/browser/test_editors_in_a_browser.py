"""Alice's security key in Chromium: registered, let by the owner's command, and delisting a client at once."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Locator, expect

from strongroom.client import access
from strongroom.protocol.encoding import make_id
from tests.support.accessibility import barriers, install_axe
from tests.support.authenticator import Authenticator, complaints
from tests.support.command import run
from tests.support.reader import SCREENS, Reader
from tests.support.stack import Stack, Tenant

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]


class Partition:
    """Acme's partition on Alice's screen, and its owner at a command line."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.page = reader, reader.page
        self.acme: Tenant = reader.stack.tenant("acme")
        self.home = self.acme.home.path
        self.path = f"/partitions/{self.acme.home.partition()}"

    def token_key(self, name: str) -> None:
        """A key that API clients use with their token."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.acme.import_key(name, pem, usages=["sign"], authorisation="token")

    def sign(self, key: str, token: str) -> str:
        """What comes of signing something: `signed`, or the code of the refusal."""
        body = {"payload": base64.b64encode(b"an invoice").decode()}
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{self.reader.stack.url}/api/v1/keys/{key}/sign", json=body, headers=headers)
        return "signed" if answer.status_code == 200 else str(answer.json()["code"])

    def in_force(self) -> access.InForce:
        with self.acme.connect() as connection:
            return access.in_force(connection, self.acme.home.partition())

    def row(self, name: str) -> Locator:
        return self.page.get_by_role("row", name=name)

    def tick(self, name: str, *rights: str) -> None:
        """Give somebody exactly these rights, by keyboard."""
        for box in self.row(name).get_by_role("group").get_by_role("checkbox").all():
            if box.is_checked() != (box.get_attribute("value") in rights):
                box.press("Space")

    def take_off(self, name: str) -> None:
        self.row(name).get_by_label("off the list").press("Space")

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button).press("Enter")


@pytest.fixture(scope="module")
def partition(browser: Browser, stack: Stack) -> Iterator[Partition]:
    """Before Alice, logged in, whose security key the owner lets change who is listed."""
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(stack.people.admins["acme"].username)
        found = Partition(reader)
        yield found
        # Others on this stack find it as it was.
        for editor in found.in_force().editors:
            run(found.home, "access", "editors", "remove", editor.key.fingerprint)


@pytest.fixture(scope="module")
def authenticator(partition: Partition) -> Authenticator:
    return Authenticator(partition.reader)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return install_axe(Path(tmp_path_factory.mktemp("axe")))


def barriers_on_every_screen(reader: Reader, axe: str) -> list[str]:
    found = []
    for width, scheme in SCREENS:
        reader.screen(width, scheme)
        found += barriers(reader.page, axe)
        if reader.page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width}")
    return found


def test_without_a_key_the_page_says_how_to_get_one_and_the_command(partition: Partition) -> None:
    partition.reader.open(f"{partition.path}/")
    partition.page.get_by_role("link", name="Change it in the browser").press("Enter")
    expect(
        partition.page.get_by_role("heading", name="Neither the owner credential nor a security key is here")
    ).to_be_visible()
    expect(partition.page.get_by_text("strongroom access allow")).to_be_visible()
    partition.page.get_by_role("link", name="register one").press("Enter")
    expect(partition.page.get_by_role("heading", name="What you give up")).to_be_visible()
    assert complaints(partition.reader) == []


def test_a_registered_key_is_let_by_the_owners_command(
    partition: Partition, authenticator: Authenticator, axe: str
) -> None:
    # 1. The browser registers it, and the page gives the command that the owner runs.
    authenticator.plug_in()
    partition.reader.open(f"{partition.path}/security-keys/")
    partition.press("Register a security key")
    expect(partition.page.get_by_role("heading", name="Now the owner lets it")).to_be_visible()
    assert barriers_on_every_screen(partition.reader, axe) == []
    command = partition.page.locator("pre code").first.inner_text().splitlines()[-1]
    words = command.split()
    assert words[:4] == ["strongroom", "access", "editors", "add"]
    # 2. It may do nothing until then.
    assert partition.in_force().editors == []
    # 3. The owner sees the same fingerprint.
    said = run(partition.home, *words[1:5], "--label", "Alice's blue key")
    (editor,) = said["editors"]
    expect(partition.page.get_by_text(editor["fingerprint"])).to_be_visible()
    assert (editor["label"], editor["origin"]) == ("Alice's blue key", partition.reader.stack.url)
    assert complaints(partition.reader) == []


def test_a_client_is_delisted_in_the_browser_and_its_operation_refused(partition: Partition, axe: str) -> None:
    name = "till" + make_id("-")[:12]
    token = partition.acme.new_client(name)
    partition.token_key(name)
    assert partition.sign(name, token) == "signed"
    # 1. It is to be taken off. The page says so in words, and shows the very document.
    partition.reader.open(f"{partition.path}/access/")
    assert barriers_on_every_screen(partition.reader, axe) == []
    partition.take_off(name)
    partition.press("Show what will change")
    expect(partition.page.get_by_text("is taken off the list, and may do nothing here any more")).to_be_visible()
    before = partition.in_force()
    following = partition.page.locator("pre code").inner_text()
    assert f'"previous":"{before.digest}"' in following
    assert f'"version":{before.version + 1}' in following
    assert barriers_on_every_screen(partition.reader, axe) == []
    assert partition.sign(name, token) == "signed"
    # 2. The key signs it, and from then on the client is refused.
    partition.press("Sign with your security key")
    expect(partition.page.get_by_role("status")).to_contain_text(f"Version {before.version + 1}")
    expect(partition.page.get_by_role("status")).to_contain_text("is taken off the list")
    assert barriers_on_every_screen(partition.reader, axe) == []
    assert partition.sign(name, token) == "access-denied"
    # 3. The owner's command knows who did it, in the list and in the log.
    assert "Alice's blue key" in run(partition.home, "access", "show")["signed_by"]
    last = run(partition.home, "log", "verify")["access_lists"][-1]
    assert (last["version"], last["signed_by"]) == (before.version + 1, "security key Alice's blue key")
    # 4. And back again, with fewer rights than before.
    partition.reader.open(f"{partition.path}/access/")
    partition.tick(name, "verify", "sign")
    partition.press("Show what will change")
    expect(partition.page.get_by_text("is listed, and may sign, verify")).to_be_visible()
    partition.press("Sign with your security key")
    expect(partition.page.get_by_role("status")).to_contain_text(f"Version {before.version + 2}")
    assert partition.sign(name, token) == "signed"
    assert complaints(partition.reader) == []


def test_who_changed_it_meanwhile_is_not_overwritten(partition: Partition) -> None:
    name = "meanwhile" + make_id("-")[:12]
    partition.acme.new_client(name, ["sign"])

    def elsewhere() -> int:
        with partition.acme.connect("person") as connection:
            return access.update(connection, access.allow("client:cl_elsewhere", ["sign"]), int(time.time())).version

    # 1. Before the change is put together.
    partition.reader.open(f"{partition.path}/access/")
    partition.tick(name)
    elsewhere()
    partition.press("Show what will change")
    expect(partition.page.get_by_role("alert")).to_contain_text("Somebody else has changed the list")
    # 2. Before it is signed. What was asked for is ticked still, and what came meanwhile stands.
    partition.press("Show what will change")
    version = elsewhere()
    partition.press("Sign with your security key")
    expect(partition.page.get_by_role("alert")).to_contain_text("look at it again")
    assert partition.in_force().version == version
    assert complaints(partition.reader, "status of 409") == []
    with partition.acme.connect("person") as connection:
        access.update(connection, access.remove("client:cl_elsewhere"), int(time.time()))


def test_a_key_that_does_not_answer_changes_nothing(partition: Partition, authenticator: Authenticator) -> None:
    name = "steady" + make_id("-")[:12]
    partition.acme.new_client(name, ["sign"])
    version = partition.in_force().version
    partition.reader.open(f"{partition.path}/access/")
    partition.tick(name, "sign", "verify")
    partition.press("Show what will change")
    authenticator.plug_in()  # another key than the one that was registered
    partition.press("Sign with your security key")
    expect(partition.page.get_by_role("alert")).to_contain_text("The security key did not answer")
    assert partition.in_force().version == version
    assert complaints(partition.reader) == []


def test_after_the_owner_took_the_key_off_it_changes_nothing(partition: Partition) -> None:
    (editor,) = partition.in_force().editors
    run(partition.home, "access", "editors", "remove", editor.key.fingerprint)
    partition.reader.open(f"{partition.path}/access/")
    expect(
        partition.page.get_by_role("heading", name="Neither the owner credential nor a security key is here")
    ).to_be_visible()
