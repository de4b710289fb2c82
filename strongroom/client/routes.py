"""The way an envelope goes: who strips its outer layer, and by which suite it is sealed."""

from dataclasses import dataclass

from strongroom.protocol.envelope import Transport
from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import Suite


@dataclass(frozen=True)
class Route:
    """What the customer asks for. It is followed exactly, or nothing is sent: there is no falling back.

    `validators`: third parties (by name or address) who must vouch besides those that the policy names.
    """

    transport: Transport = "tee"
    suite: Suite = "HPKE-XWING"
    validators: tuple[str, ...] = ()

    @property
    def single_use(self) -> bool:
        """Whether the vendor key is made for one import: the suite cannot bind an envelope to its context."""
        return self.suite == "RSA-AES-KWP"

    def check(self, url: str) -> None:
        """Raise `Refused("transport-insecure")` where the portal's address does not allow this transport."""
        if self.transport == "channel" and not url.startswith("https://"):
            raise Refused("transport-insecure", f"{url} is not https, and this transport has no layer but TLS")
