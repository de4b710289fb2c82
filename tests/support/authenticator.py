"""A virtual security key in Chromium."""

from typing import Any

from tests.support.reader import Reader


class Authenticator:
    """Chromium's virtual security key on a reader's page (WebAuthn domain of the DevTools protocol)."""

    def __init__(self, reader: Reader) -> None:
        self.devtools = reader.page.context.new_cdp_session(reader.page)
        self.devtools.send("WebAuthn.enable")
        self.id = ""

    def plug_in(self, **options: Any) -> None:
        self.unplug()
        usual = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": usual | options})
        self.id = str(added["authenticatorId"])

    def unplug(self) -> None:
        if self.id:
            self.devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})
            self.id = ""


def complaints(reader: Reader, *expected: str) -> list[str]:
    """The browser's, but for those. It misses RS256, which security keys need not have and the device does not take."""
    usual = ("publicKey.pubKeyCredParams is missing", *expected)
    found = [one for one in reader.complaints if not any(text in one for text in usual)]
    reader.complaints.clear()
    return found
