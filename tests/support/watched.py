"""What a validator watches, in tests: a real manufacturer without its port, and a provider that can be told to lie."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from manufacturer import hierarchy, services
from manufacturer.api import make_app
from manufacturer.store import Store
from strongroom.protocol import jws
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import digest
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey
from strongroom.protocol.statements import Endorsement, ValidationStatement
from tests.support.device import Device
from validator.settings import Manufacturer, Provider, Settings

PROVIDER = "Acme Hosting"
Change = Callable[[httpx.Request, Any], Any]


class Tampered(httpx.BaseTransport):
    """An adversary between the validator and a source: `change` gets each request and the JSON of its answer."""

    def __init__(self, source: httpx.BaseTransport) -> None:
        self.source = source
        self.change: Change = lambda _request, answer: answer
        self.down = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody there")
        response = self.source.handle_request(request)
        content = b"".join(response.stream)  # type: ignore[arg-type]
        if response.status_code >= 400:
            return httpx.Response(response.status_code, content=content)
        return httpx.Response(response.status_code, json=self.change(request, json.loads(content)))


class WatchedManufacturer:
    """The manufacturer's own code over a store of its own, and devices that it certified for `PROVIDER`."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "manufacturer")
        hierarchy.create(store=self.store, now=int(time.time()))
        self.hierarchies = hierarchy.load(self.store)
        self.wire = Tampered(httpx.WSGITransport(app=make_app(self.store, self.hierarchies)))

    def device(self, provider: str = PROVIDER) -> Device:
        device = Device()
        line = services.certify_device(
            store=self.store,
            hierarchies=self.hierarchies,
            request=device.request,
            mode="production",
            provider=provider,
            now=int(time.time()),
        )
        return device.certified(line.certificate)

    def list_key(self, device: Device, **changes: Any) -> None:
        services.list_vendor_key(
            store=self.store,
            hierarchies=self.hierarchies,
            endorsement=device.endorse(**changes),
            now=int(time.time()),
        )

    @property
    def roots(self) -> list[x509.Certificate]:
        return hierarchy.roots(self.hierarchies)


class WatchedProvider:
    """A provider that publishes what it is told: `GET /api/v1/trust` and `POST /api/v1/validation`."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.key = Ed25519PrivateKey.generate()
        self.provider_keys: list[RecipientPublicKey] = []
        self.vendor_keys: list[str] = []
        self.engine_keys: list[RecipientPublicKey] = []
        self.statuses: dict[str, str] = {}
        self.changes: dict[str, Any] = {}
        self.wire = Tampered(httpx.MockTransport(self._handle))

    def endorse(self, key: RecipientPublicKey, **changes: Any) -> str:
        members = {
            "device": self.device.id,
            "purpose": "provider-key",
            "key_id": key.key_id("pk_"),
            "public_key": key.text,
            "issued_at": int(time.time()),
        }
        if self.device.certificate is None:
            raise ValueError("not certified")
        chain = to_x5c(self.device.certificate)
        return jws.sign(Endorsement(**members | changes), self.device.identity, x5c=chain)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/trust":
            published = {
                "device": self.device.id,
                "vendor_keys": self.vendor_keys,
                "provider_keys": [self.endorse(one) for one in self.provider_keys],
            }
            engine = [
                {"key_id": one.key_id("pk_"), "suite": "HPKE-XWING", "public_key": one.text, "status": "in-force"}
                for one in self.engine_keys
            ]
            return httpx.Response(200, json={"provider": PROVIDER, "devices": [published], "engine_keys": engine})
        asked = json.loads(request.content)
        return httpx.Response(200, json={"statement": self._state(asked["key_id"], asked["nonce"])})

    def _state(self, key_id: str, nonce: str) -> str:
        known = {one.key_id("pk_"): one for one in self.provider_keys + self.engine_keys}
        key, now = known.get(key_id), int(time.time())
        engine = key in self.engine_keys
        members: dict[str, Any] = {
            "validator": f"provider {PROVIDER}",
            "subject": "provider-key",
            "key_id": key_id,
            "public_key_digest": digest(key.raw) if key else "",
            "device": self.device.id if key and not engine else "",
            "device_status": "in-force" if key else "unknown",
            "provider": PROVIDER if key else "",
            "status": self.statuses.get(key_id, "in-force") if key else "unknown",
            "not_before": None,
            "not_after": None,
            "nonce": nonce,
            "issued_at": now,
            "expires_at": now + 300,
        }
        return jws.sign(ValidationStatement(**members | self.changes), self.key)


def settings(manufacturer: WatchedManufacturer, provider: WatchedProvider) -> Settings:
    roots = "".join(one.public_bytes(Encoding.PEM).decode() for one in manufacturer.roots)
    tls = (manufacturer.store.public / "tls.pem").read_text()
    return Settings(
        name="watchful",
        manufacturer=Manufacturer(url="https://manufacturer.test", tls=tls, roots=roots),
        provider=Provider(
            name=PROVIDER, url="https://provider.test", tls=tls, credential=public_credential(provider.key)
        ),
    )


def wrapping_key() -> RecipientPublicKey:
    return RecipientPrivateKey.generate().public()
