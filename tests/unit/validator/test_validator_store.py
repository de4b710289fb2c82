"""The validator's store and settings: made once, said anew, closed to others."""

import ssl
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom.protocol.errors import Refused
from tests.support.device import Device
from tests.support.watched import WatchedManufacturer, WatchedProvider, settings
from validator import identity
from validator import settings as settings_file
from validator.settings import Settings
from validator.store import Store


@pytest.fixture
def known(manufacturer: WatchedManufacturer, provider: WatchedProvider) -> Settings:
    return settings(manufacturer, provider)


def test_nobody_else_can_read_it(watched: Any) -> None:
    for one in [watched.store.folder, *watched.store.folder.rglob("*")]:
        assert one.stat().st_mode & 0o777 == (0o700 if one.is_dir() else 0o600), one


def test_making_it_again_keeps_keys_and_history(
    watched: Any, manufacturer: WatchedManufacturer, device: Device, known: Settings
) -> None:
    manufacturer.list_key(device)
    watched.look()
    before = [path.read_bytes() for path in (watched.store.signing_key, watched.store.tls)]
    watched.store.create()
    identity.create(store=watched.store, now=int(time.time()))
    moved = msgspec.structs.replace(known, interval=1.0)
    settings_file.save(store=watched.store, settings=moved)
    assert [path.read_bytes() for path in (watched.store.signing_key, watched.store.tls)] == before
    assert settings_file.load(watched.store) == moved
    assert watched.events(device.key_id) == ["first-seen"]


def test_a_tls_certificate_that_has_run_out_is_replaced_and_the_signing_key_never(watched: Any) -> None:
    before = identity.anchor(store=watched.store, url="https://validator.test")
    identity.create(store=watched.store, now=int(time.time()) + 366 * 86400)
    after = identity.anchor(store=watched.store, url="https://validator.test")
    assert after.credential == before.credential
    assert after.tls != before.tls


def test_the_anchor_holds_nothing_secret(watched: Any) -> None:
    anchor = msgspec.json.encode(identity.anchor(store=watched.store, url="https://validator.test"))
    assert set(msgspec.json.decode(anchor)) == {"url", "credential", "tls"}
    assert b"PRIVATE" not in anchor


@pytest.mark.parametrize("name", ["manufacturer", "provider", "", "Watchful", "../x", "two words"])
def test_a_name_that_could_mislead_is_refused(tmp_path: Path, known: Settings, name: str) -> None:
    with pytest.raises(Refused) as refused:
        settings_file.save(store=Store(tmp_path), settings=msgspec.structs.replace(known, name=name))
    assert refused.value.code == "configuration"


@pytest.mark.parametrize("spoilt", [{"url": "http://provider.test"}, {"tls": "not a certificate"}], ids=str)
def test_what_could_never_work_is_refused(tmp_path: Path, known: Settings, spoilt: dict[str, str]) -> None:
    provider = msgspec.structs.replace(known.provider, **spoilt)
    with pytest.raises(Refused) as refused:
        settings_file.save(store=Store(tmp_path), settings=msgspec.structs.replace(known, provider=provider))
    assert refused.value.code == "configuration"
    assert not (tmp_path / "settings.json").exists()


def test_only_the_pinned_certificate_is_trusted(known: Settings) -> None:
    context = settings_file.tls_context(known.provider)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509"] == 1


def test_without_init_there_is_a_clear_error(tmp_path: Path) -> None:
    nothing = Store(tmp_path / "nothing")
    for read in (settings_file.load, identity.signing_key):
        with pytest.raises(Refused) as refused:
            read(nothing)
        assert refused.value.code == "configuration"
    with pytest.raises(Refused), nothing.reading():
        pass
