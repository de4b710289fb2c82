"""A validator over a real manufacturer and a provider that can be told to lie, asked over its own HTTP interface."""

import time
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from strongroom.protocol import jws
from strongroom.protocol.statements import ValidationStatement
from tests.support.device import Device
from tests.support.watched import WatchedManufacturer, WatchedProvider, settings
from validator import identity
from validator import settings as settings_file
from validator.api import make_app
from validator.sources import Sources
from validator.store import Store
from validator.validation import Validator
from validator.watcher import Watcher

NONCE = "a-nonce-of-the-client-0123456789"


@pytest.fixture
def manufacturer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WatchedManufacturer:
    monkeypatch.delenv("STRONGROOM_ENV", raising=False)
    return WatchedManufacturer(tmp_path)


@pytest.fixture
def device(manufacturer: WatchedManufacturer) -> Device:
    return manufacturer.device()


@pytest.fixture
def provider(device: Device) -> WatchedProvider:
    return WatchedProvider(device)


class Watched:
    """The validator at work. `look` is what its threads do every few seconds."""

    def __init__(self, folder: Path, manufacturer: WatchedManufacturer, provider: WatchedProvider) -> None:
        self.store = Store(folder / "validator")
        self.store.create()
        identity.create(store=self.store, now=int(time.time()))
        known = settings(manufacturer, provider)
        settings_file.save(store=self.store, settings=known)
        sources = Sources(known, {"manufacturer": manufacturer.wire, "provider": provider.wire})
        self.watcher = Watcher(self.store, sources)
        self.key = identity.signing_key(self.store)
        validator = Validator(name=known.name, key=self.key, store=self.store, watcher=self.watcher)
        self.http = falcon.testing.TestClient(make_app(self.store, validator))

    def look(self) -> None:
        self.watcher.look("manufacturer")
        self.watcher.look("provider")

    def post(self, **question: Any) -> falcon.testing.Result:
        return self.http.simulate_post("/v1/validation", json={"nonce": NONCE} | question)

    def ask(self, key_id: str) -> ValidationStatement:
        """The validator's answer, its signature checked as a client checks it."""
        subject = "vendor-key" if key_id.startswith("vk_") else "provider-key"
        answer = self.post(subject=subject, key_id=key_id)
        assert answer.status_code == 200, answer.text
        says = jws.verify(answer.json["statement"], ValidationStatement, self.key.public_key())
        assert (says.validator, says.nonce, says.key_id) == ("watchful", NONCE, key_id)
        return says

    def events(self, key_id: str) -> list[str]:
        history = self.http.simulate_get(f"/v1/history/{key_id}")
        assert history.status_code == 200, history.text
        return [one["what"] for one in history.json["events"]]

    def seen_earlier(self, key_id: str, seconds: int) -> None:
        """Move what is known of a key, and of the sources, back in time."""
        with self.store.transaction() as history:
            moved = "UPDATE keys SET first_seen = first_seen - ?1, last_seen = last_seen - ?1 WHERE key_id = ?2"
            history.execute(moved, (seconds, key_id))
            history.execute("UPDATE looks SET at = at - ?", (seconds,))


@pytest.fixture
def watched(tmp_path: Path, manufacturer: WatchedManufacturer, provider: WatchedProvider) -> Watched:
    return Watched(tmp_path, manufacturer, provider)
