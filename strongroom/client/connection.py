"""A configuration folder together with the services that it talks to."""

from dataclasses import dataclass
from types import TracebackType
from typing import Literal

import httpx

from strongroom.client.home import Home
from strongroom.client.http import Service
from strongroom.client.validators import ThirdParty
from strongroom.protocol.errors import Refused

Who = Literal["client", "person", "nobody"]
API = "/api/v1/"


@dataclass(frozen=True)
class Connection:
    """What every function of the SDK works on. Use it as a context manager, or `close` it."""

    home: Home
    portal: Service
    transport: httpx.BaseTransport | None = None

    def manufacturer(self) -> Service:
        """The manufacturer's service, over TLS with nothing but its pinned certificate trusted."""
        config = self.home.config()
        if not config.manufacturer_url.startswith("https://"):
            raise Refused("configuration", "manufacturer_url must be https")
        return Service(config.manufacturer_url, trusted=self.home.manufacturer_tls(), transport=self.transport)

    def third_party(self, validator: ThirdParty) -> Service:
        """A third-party validator, over TLS with nothing but its own certificate trusted."""
        return Service(validator.url, trusted=validator.tls.encode(), transport=self.transport)

    def close(self) -> None:
        self.portal.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def connect(home: Home, who: Who = "client", transport: httpx.BaseTransport | None = None) -> Connection:
    """Connect as the API client whose token the folder holds (else the person), as the person, or as nobody.

    `transport` takes the network's place, for whoever tries the client against a simulated provider.

    Raises `Refused("configuration")` where the folder has no such token.
    """
    url = home.config().url.rstrip("/") + API
    token = {"client": home.token() or home.session(), "person": home.session(), "nobody": ""}[who]
    if not token and who == "client":
        raise Refused("configuration", "no token: run `strongroom client token`, or `strongroom login`")
    if not token and who == "person":
        raise Refused("configuration", "nobody is logged in: run `strongroom login`")
    return Connection(home, Service(url, token=token, trusted=home.provider_tls(), transport=transport), transport)
