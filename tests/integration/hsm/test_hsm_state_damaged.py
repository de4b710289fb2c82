"""Who alters what the device stores gets a plain sentence with advice, and never a device that works on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.protocol.errors import Refused
from tests.support.sealed import SealedDevice

ADVICE = "what the device stores was altered or damaged. Stop it and put back its whole state folder"


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    """A device that was in use, and is stopped."""
    made = make_device(workers=1)
    made.bring_up()
    made.customer()
    made.stop()
    return made


def overwrite(place: int, data: bytes) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        with store.open("r+b") as file:
            file.seek(place)
            file.write(data)

    return change


def flip(path: str) -> Callable[[Path], None]:
    """Change the last byte of one sealed record."""

    def change(store: Path) -> None:
        with closing(sqlite3.connect(store)) as database, database:
            (sealed,) = database.execute("SELECT sealed FROM record WHERE path = ?", (path,)).fetchone()
            altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
            database.execute("UPDATE record SET sealed = ? WHERE path = ?", (altered, path))

    return change


@pytest.mark.parametrize(
    "damage",
    [overwrite(0, b"no database"), overwrite(4096, bytes(8192)), flip("device/boot"), flip("device/identity")],
    ids=["header", "pages", "boot", "identity"],
)
def test_it_does_not_start_on_an_altered_store_and_says_what_to_do(
    device: SealedDevice, damage: Callable[[Path], None]
) -> None:
    damage(device.folder / "store.db")
    said = device.log.stat().st_size
    with pytest.raises(TimeoutError):
        device.start()
    assert device.process is not None
    assert device.process.wait(10) == 1
    text = device.log.read_bytes()[said:].decode()
    assert ADVICE in text
    assert "Traceback" not in text


def test_what_only_the_world_key_opens_is_found_at_unsealing(device: SealedDevice) -> None:
    flip("world/log-head")(device.folder / "store.db")
    device.start()
    with pytest.raises(Refused, match=f"internal: {ADVICE}"):
        device.unseal()
    assert device.status().state == "sealed"
