"""Nothing secret stands where others can look: neither in the device's files nor in what it says."""

import base64
import os
import stat
from collections.abc import Callable

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice


def test_files_are_its_users_alone(hsm: SealedDevice, alice: Customer) -> None:
    assert alice.partition
    assert stat.S_IMODE(hsm.folder.stat().st_mode) == 0o700
    found = list(hsm.folder.rglob("*"))
    assert {"store.db", "device-secret", "lanes"} <= {path.name for path in found}
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def spellings(secret: bytes) -> list[bytes]:
    """The secret as it might be written somewhere; base64 at each of three alignments, without its ends."""
    hexes = [secret.hex().encode(), secret.hex().upper().encode()]
    bases = [base64.b64encode(bytes(n) + secret)[4 + n : -4] for n in range(3)]
    return [secret, *hexes, *bases, *(one.translate(bytes.maketrans(b"+/", b"-_")) for one in bases)]


def test_no_key_or_term_stands_in_its_files_or_words(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device()
    device.bring_up()
    customer = device.customer()
    secret, canary = os.urandom(32), os.urandom(32)
    terms = make_terms(KeyType.AES_256, not_after=4_102_444_800, translate_to=["partner-of-acme"])
    key = customer.import_key(secret, terms, "k").key_id
    for operation in ("encrypt", "hash", "decrypt"):
        customer.operate(key, operation, b"a payload that nobody may keep")
    customer.operate(key, "nonsense", secret)
    bad = customer.envelope(secret[:31], terms.encode(), "bad")
    with refused("key-unparsable"):
        customer.send(bad)
    device.restart()
    device.stop()
    (device.folder / "canary").write_bytes(b"x" + canary.hex().encode())
    searched = [device.log, *(path for path in device.folder.rglob("*") if path.is_file())]
    held = {path: path.read_bytes() for path in searched}
    assert len(held) >= 5
    assert sum(map(len, held.values())) > 10_000

    def found(what: bytes) -> set[str]:
        return {path.name for path, data in held.items() for one in spellings(what) if one in data}

    assert found(canary) == {"canary"}
    for sealed in (secret, b"partner-of-acme", b"4102444800", terms.salt.encode(), b"a payload that nobody may keep"):
        assert found(sealed) == set(), sealed
    for card in device.of("security"):
        assert found(card.part) == set()
    assert found((device.folder / "device-secret").read_bytes()) == {"device-secret"}


def test_its_words_name_no_secret_even_where_it_fails(hsm: SealedDevice, alice: Customer, aes_key: Imported) -> None:
    words = hsm.log.read_bytes()
    assert b"serving" in words
    for one in spellings(aes_key.material):
        assert one not in words
