"""The pages on which a browser asks for a partition and signs as its owner, as somebody uses them in Chromium."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from playwright.sync_api import Locator, Request, Route, expect

from strongroom.client import access
from strongroom.client.connection import connect
from strongroom.client.home import Home, TrustFiles
from strongroom.protocol.access import AccessList
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, read_json
from tests.support.importing import PATIENCE
from tests.support.reader import SCREENS, Reader

PASSPHRASE = "correct horse, battery: staple é"


@dataclass
class Owning:
    """Someone at the pages of an owner. `files`: what the browser saved; `requests`: all that it sent."""

    reader: Reader
    files: Path
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.reader.page
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    # --- asking for a partition ---

    def open_request(self) -> None:
        assert self.reader.open("/partitions/request/") == 200
        expect(self.step("Your owner credential")).to_be_visible()

    def step(self, heading: str) -> Locator:
        return self.page.locator("section", has=self.page.get_by_role("heading", name=heading))

    @property
    def refusal(self) -> Locator:
        return self.page.locator("[data-facts] [role=alert]:not(:empty)")

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button).press("Enter")

    def make(self, first: str = PASSPHRASE, again: str = PASSPHRASE) -> None:
        self.page.get_by_label("New passphrase").fill(first)
        self.page.get_by_label("The passphrase again").fill(again)
        self.press("Make the owner credential")

    def save(self, *names: str) -> None:
        """Save files of the credential that was made, by the links' keys."""
        for name in names:
            with self.page.expect_download() as download:
                self.page.get_by_role("link", name=f"Save {name}").press("Enter")
            assert download.value.suggested_filename == name
            download.value.save_as(self.files / name)

    def make_and_keep(self) -> PublicCredential:
        self.make()
        expect(self.page.get_by_role("heading", name="Save it now")).to_be_focused(timeout=PATIENCE)
        self.save("owner.pem", "owner.json")
        self.page.get_by_label("I have saved both").press("Space")
        self.press("Keep it in this browser, and go on")
        return read_json((self.files / "owner.json").read_bytes(), PublicCredential)

    def enrol(self) -> str:
        """The principal of this browser."""
        expect(self.page.get_by_label("Name of this browser")).to_have_value(re.compile("^browser-"))
        self.press("Make a key for it")
        expect(self.page.locator("#device-facts")).to_contain_text("device:", timeout=PATIENCE)
        return self.page.locator("#device-facts dd").last.inner_text()

    def ask_for(self, label: str) -> str:
        """The id of the request."""
        self.page.get_by_label("Label of the partition").fill(label)
        self.press("Ask for it")
        expect(self.page.get_by_role("heading", name="Asked for")).to_be_focused(timeout=PATIENCE)
        return self.page.locator("#asked-facts dd").first.inner_text()

    # --- signing who may do what ---

    def change(self, reference: str, name: str, *rights: str) -> None:
        """On the page of who may do what: `tick`."""
        self.reader.open(f"/partitions/{reference}/access/")
        self.tick(name, *rights)

    def tick(self, name: str, *rights: str) -> None:
        """Tick exactly these rights for somebody, and have shown what will change."""
        expect(self.page.get_by_role("heading", name="This browser keeps the owner credential")).to_be_visible()
        for box in self.page.get_by_role("row", name=name).get_by_role("group").get_by_role("checkbox").all():
            if box.is_checked() != (box.get_attribute("value") in rights):
                box.press("Space")
        self.press("Show what will change")

    def trust(self, home: Home) -> None:
        """Give the anchors that came out of band; the owner is the one that the browser keeps."""
        self.page.get_by_label("Provider", exact=True).fill(home.config().provider)
        self.page.get_by_label("Manufacturer's roots").set_input_files(home.path / "trust/manufacturer-roots.pem")
        self.page.get_by_label("Provider's validation key").set_input_files(
            home.path / "trust/provider-validation.json"
        )
        self.press("Keep in this browser")

    @property
    def words(self) -> list[str]:
        """What the browser says that it would sign."""
        expect(self.page.get_by_role("button", name="Sign with the owner credential")).to_be_visible(timeout=PATIENCE)
        return self.page.locator("#owner-words li").all_inner_texts()

    def sign(self) -> None:
        self.press("Sign with the owner credential")

    def signed(self) -> None:
        self.sign()
        expect(self.page.get_by_role("heading", name="In force")).to_be_focused(timeout=PATIENCE)

    def nothing_was_signed(self, *said: str) -> None:
        """The page says why, and has sent no list."""
        expect(self.refusal).to_be_visible(timeout=PATIENCE)
        for words in said:
            expect(self.refusal).to_contain_text(words)
        assert [one for one in self.requests if one.method == "PUT"] == []

    # --- a portal that lies ---

    def serves(self, change: Callable[[AccessList], AccessList]) -> None:
        """Have the portal put another list before the browser than the one that was asked for."""

        def alter(route: Route) -> None:
            if route.request.method != "POST":
                return route.continue_()
            response = route.fetch()
            body = response.text()
            found = re.search(r"&quot;payload&quot;:&quot;([\w-]+)&quot;", body)
            assert found is not None
            instead = b64u(canonical_json(change(read_json(from_b64u(found.group(1)), AccessList))))
            return route.fulfill(response=response, body=body.replace(found.group(1), instead))

        self.page.route("**/access/", alter)

    # --- what is seen, and what left ---

    def look(self) -> None:
        """Nothing is cut off on any screen."""
        for width, scheme in [*SCREENS, (360, "light")]:
            self.reader.screen(width, scheme)
            wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"cut off at {width}"

    def everything_sent(self) -> Iterator[bytes]:
        """Each request, whole: address, headers, body."""
        for one in self.requests:
            headers = "\n".join(f"{name}: {value}" for name, value in one.all_headers().items())
            yield f"{one.method} {one.url}\n{headers}\n\n".encode() + (one.post_data_buffer or b"")


@dataclass
class Owned:
    """The partition that Alice asked for in her browser, and what the browser had her save."""

    owning: Owning
    reference: str
    device: str
    owner: PublicCredential
    home: Home

    @property
    def partition(self) -> str:
        return self.home.partition()

    def in_force(self) -> access.InForce:
        """As the command finds it, from the folder with the saved files."""
        with connect(self.home, "person") as connection:
            return access.in_force(connection, self.partition)

    def another_client(self, name: str) -> str:
        """An API client of Acme's that no list names."""
        self.owning.reader.stack.tenant("acme").new_client(name, [])
        return name


def folder_of(owning: Owning, trusted: Home, slug: str, path: Path) -> Home:
    """A folder of the command's with the files that the browser saved, and the trust files that `trusted` has."""
    home = Home(path, lambda name: PASSPHRASE.encode())
    read = {
        name: (trusted.path / "trust" / file).read_bytes()
        for name, file in (
            ("manufacturer_roots", "manufacturer-roots.pem"),
            ("manufacturer_tls", "manufacturer-tls.pem"),
            ("provider_validation", "provider-validation.json"),
            ("provider_tls", "provider-tls.pem"),
        )
    }
    config = trusted.config()
    home.configure(msgspec.structs.replace(config, tenant=slug, partition=""), TrustFiles(**read))
    for name in ("owner.pem", "owner.json"):
        (path / name).write_bytes((owning.files / name).read_bytes())
    return home
