"""The page that imports a key or has the device make one, as somebody uses it in Chromium."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Locator, Request, expect

from strongroom.client import access
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from tests.support.reader import SCREENS, Reader

SEALED = "/api/v1/imports"
PATIENCE = 20_000
LEAVES, HAS_IT = "What will leave this browser", "The device has it"


@dataclass
class Importing:
    """Someone on `/keys/import/`, with the command's folder beside. `requests`: all that the page sent."""

    reader: Reader
    slug: str = "acme"
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.reader.page
        self.home = self.reader.stack.tenant(self.slug).home
        self.page.on("request", self._note)

    def leave(self) -> None:
        """Note nothing more."""
        self.page.remove_listener("request", self._note)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def open(self) -> None:
        assert self.reader.open("/keys/import/") == 200
        expect(self.step("Whom you trust")).to_be_visible()

    def step(self, heading: str) -> Locator:
        return self.page.locator("section", has=self.page.get_by_role("heading", name=heading))

    @property
    def refusal(self) -> Locator:
        """What a step says that does not go on."""
        return self.page.locator("#import [role=alert]:not(:empty)")

    # --- the steps ---

    def trust(self, **other: Path) -> None:
        """Give the anchors of the command's folder, but for `other` files in their place."""
        trust = self.home.path / "trust"
        files = {
            "Manufacturer's roots": other.get("roots", trust / "manufacturer-roots.pem"),
            "Provider's validation key": other.get("validation", trust / "provider-validation.json"),
            "Your owner credential, public half": other.get("owner", self.home.path / "owner.json"),
        }
        self.page.get_by_label("Provider", exact=True).fill(self.home.config().provider)
        for label, path in files.items():
            self.page.get_by_label(label).set_input_files(path)
        self.page.get_by_role("button", name="Keep in this browser").click()

    def make_key(self) -> None:
        expect(self.page.get_by_label("Name of this browser")).to_have_value(re.compile("^browser-"))
        self.page.get_by_role("button", name="Make a key for it").click()

    def allow(self) -> None:
        """What the owner does with the commands that the page shows: list this browser's key for imports alone."""
        credential, command = self.page.locator("#allow").inner_text().splitlines()
        words = command.split()
        assert words[:3] == ["strongroom", "access", "allow"]
        change = access.allow(
            words[3],
            [words[words.index("--rights") + 1]],
            credential=PublicCredential(x=json.loads(credential.split("'")[1])["x"]),
            label="browser",
        )
        with self.reader.stack.tenant(self.slug).connect("person") as connection:
            access.update(connection, change, int(time.time()))

    def ask(self) -> None:
        self.page.get_by_role("button", name="Ask everyone", exact=True).click()

    def ready(self) -> None:
        """From a fresh browser to the step of the key, whatever was kept before."""
        self.open()
        kept = self.page.locator("#anchors-kept, #anchors").filter(visible=True)
        expect(kept).to_be_visible()
        if kept.get_attribute("id") == "anchors":
            self.trust()
            self.make_key()
        self.ask()
        expect(self.page.get_by_text("All agree.")).to_be_visible(timeout=20_000)
        if self.page.get_by_text("This browser may not import yet").is_visible():
            self.allow()
            self.ask()
        expect(self.step("The key and its terms")).to_be_visible(timeout=20_000)

    def choose(self, data: bytes, name: str, *usages: str, file: str = "my-key.pem", **selected: str) -> None:
        """Choose a key file, its name and uses; `selected`: by the id of a list or field."""
        for one in ("key_type", "key_encoding"):
            if one in selected:
                self._fill_in(one, selected.pop(one))
        self.page.get_by_label("Key file", exact=True).set_input_files(
            {"name": file, "mimeType": "application/octet-stream", "buffer": data}
        )
        self.page.get_by_label("Name", exact=True).fill(name)
        for usage in usages:
            self.page.locator("#usages").get_by_label(usage, exact=True).check()
        for one, value in selected.items():
            self._fill_in(one, value)

    def asks_to_make(self, key_type: str, name: str, *usages: str, **selected: str) -> None:
        """Choose to have the device make a key of a type, its name and uses; `selected` as for `choose`."""
        self.page.get_by_label("Let the device make one").check()
        self.page.locator("#made-type").select_option(key_type)
        self.page.get_by_label("Name", exact=True).fill(name)
        for one, value in selected.items():
            self._fill_in(one, value)
        for usage in usages:
            self.page.locator("#usages").get_by_label(usage, exact=True).check()

    def sealed(self) -> None:
        """Encrypted, and shown before it leaves."""
        self.encrypt()
        expect(self.step(LEAVES)).to_be_visible(timeout=PATIENCE)

    def sent_and_received(self) -> None:
        self.send()
        expect(self.step(HAS_IT)).to_be_visible(timeout=PATIENCE)

    def _fill_in(self, name: str, value: str) -> None:
        control = self.page.locator(f"#{name.replace('_', '-')}")
        control.evaluate("one => { const place = one.closest('details'); if (place) place.open = true }")
        if control.evaluate("one => one.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)

    def unlock(self, passphrase: str) -> None:
        self.page.get_by_label("Passphrase").fill(passphrase)
        self.page.get_by_label("Passphrase").press("Tab")

    def certify(self, data: bytes) -> None:
        """Give the key's certificate in a file of its own."""
        self._give("certificate", "chain.pem", data)

    def gives_terms_before(self, data: bytes) -> None:
        self._give("terms-before", "terms.json", data)

    def _give(self, control: str, name: str, data: bytes) -> None:
        self.page.locator(f"#{control}").set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        )

    def encrypt(self) -> None:
        self.page.get_by_role("button", name="Ask everyone again, and encrypt").click()

    def send(self) -> None:
        self.page.get_by_role("button", name="Send it").click()

    def saved(self, button: str) -> bytes:
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name=button).click()
        return Path(download.value.path()).read_bytes()

    # --- what is said on the way ---

    def hears_the_truth(self) -> None:
        self.page.unroute_all(behavior="wait")

    # --- what is seen ---

    def look(self) -> None:
        """Nothing is cut off on any screen."""
        for width, scheme in [*SCREENS, (360, "light")]:
            self.reader.screen(width, scheme)
            wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"cut off at {width}"

    def nothing_left(self, *said: str) -> None:
        """The page says why it does not go on, and no sealed payload has left."""
        expect(self.refusal).to_be_visible(timeout=PATIENCE)
        for words in said:
            expect(self.refusal).to_contain_text(words)
        expect(self.refusal).to_contain_text("Nothing was encrypted or sent.")
        expect(self.step(LEAVES)).to_be_hidden()
        assert self.sent() == []

    # --- what left ---

    def sent(self) -> list[Request]:
        """The requests that carried something sealed."""
        return [one for one in self.requests if one.url.endswith(SEALED)]

    def everything_sent(self) -> Iterator[bytes]:
        """Each request, whole: address, headers, body."""
        for one in self.requests:
            headers = "\n".join(f"{name}: {value}" for name, value in one.all_headers().items())
            yield f"{one.method} {one.url}\n{headers}\n\n".encode() + (one.post_data_buffer or b"")


def spellings(secret: bytes) -> set[bytes]:
    """The ways in which bytes could be written in a request: also inside of base64 that began before them."""
    found = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        # Whole groups of three bytes only, so that neither what stands before nor what follows changes their letters.
        inner = secret[shift : shift + (len(secret) - shift) // 3 * 3]
        found |= {base64.b64encode(inner), base64.urlsafe_b64encode(inner)}
    return found


def pem(key: Any) -> bytes:
    """A private key as the page reads it."""
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


def altered(token: str, **members: Any) -> str:
    """A signed statement with other members under the old signature."""
    header, payload, signature = token.split(".")
    said = json.loads(from_b64u(payload)) | members
    return f"{header}.{b64u(canonical_json(said))}.{signature}"
