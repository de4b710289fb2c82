"""Unsealing takes K distinct officers' parts, the device secret and the state: whatever is missing, nothing opens."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable

import pytest

from hsm.keytree import KeyTree
from strongroom.protocol import commands as c
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Attestation, Endorsement
from tests.support.hardware import Card
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, nonce, now


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    """A sealed device after its ceremony."""
    made = make_device(workers=1)
    made.start()
    made.manufacture()
    made.ceremony()
    return made


def sealed_part(device: SealedDevice, card: Card, part: bytes | None = None) -> c.GiveUnsealPart:
    begun = device.line().call(c.BeginUnseal(nonce=nonce()), c.BeginUnsealReply)
    says = verify_statement(begun.endorsement, Endorsement, [device.factory.root], "device", now())[0]
    info = c.unseal_part_info(device.world, card.fingerprint, says.key_id)
    sealed = RecipientPublicKey.from_text(says.public_key).seal(part or card.part, info)
    return c.GiveUnsealPart(key_id=says.key_id, card=card.fingerprint, part=sealed)


def give(device: SealedDevice, part: c.GiveUnsealPart) -> c.GiveUnsealPartReply:
    return device.line().call(part, c.GiveUnsealPartReply)


def code_of(device: SealedDevice, part: c.GiveUnsealPart) -> str:
    try:
        give(device, part)
    except Refused as error:
        return error.code
    return "ok"


def test_one_part_is_not_enough_and_two_are(device: SealedDevice) -> None:
    first, second, _ = device.of("security")
    assert device.give_part(first) == c.GiveUnsealPartReply(1, 2, "sealed")
    assert device.give_part(second) == c.GiveUnsealPartReply(2, 2, "operational")


def test_the_same_part_twice_is_one(device: SealedDevice) -> None:
    card = device.of("security")[0]
    part = sealed_part(device, card)
    assert give(device, part).progress == 1
    assert give(device, part).progress == 1
    assert device.status().state == "sealed"


def test_any_two_officers_can(device: SealedDevice) -> None:
    _, second, third = device.of("security")
    device.give_part(third)
    device.give_part(second)
    assert device.status().state == "operational"


def test_two_cards_of_the_same_officer_are_not_two(make_device: Callable[..., SealedDevice]) -> None:
    made = make_device(workers=1)
    made.start()
    made.manufacture()
    made.cards.append(Card("security1", "security"))
    made.ceremony()
    one, two = (card for card in made.of("security") if card.name == "security1")
    assert made.give_part(one).progress == 1
    assert made.give_part(two).progress == 1
    assert made.status().state == "sealed"
    made.give_part(made.of("security")[1])
    assert made.status().state == "operational"


def test_a_wrong_part_is_refused_and_makes_everyone_wait_longer_each_time(device: SealedDevice) -> None:
    card = device.of("security")[0]
    waits = []
    for _ in range(2):
        with refused("unseal-part-refused"):
            device.give_part(card, os.urandom(32))
        begun = time.monotonic()
        part = sealed_part(device, card)
        with refused("throttled"):
            give(device, part)
        while code_of(device, part) == "throttled":
            time.sleep(0.05)
        waits.append(time.monotonic() - begun)
    assert 0.5 < waits[0] < waits[1]
    assert device.status().unseal_progress == 1


def test_a_card_of_another_class_is_refused(device: SealedDevice) -> None:
    with refused("unseal-part-refused"):
        device.give_part(device.of("domain")[0], os.urandom(32))


def test_a_part_is_bound_to_its_card(device: SealedDevice) -> None:
    first, second, _ = device.of("security")
    with refused("unseal-part-refused"):
        device.give_part(second, first.part)


def test_a_part_sealed_for_an_earlier_start_is_refused(device: SealedDevice) -> None:
    part = sealed_part(device, device.of("security")[0])
    device.stop()
    device.start()
    with refused("unseal-part-refused"):
        give(device, part)
    assert device.status().unseal_progress == 0


def test_a_start_seals_again_and_ends_what_was_collected(device: SealedDevice) -> None:
    device.unseal()
    epoch = device.status().boot_epoch
    device.stop()
    device.start()
    assert (device.status().state, device.status().boot_epoch) == ("sealed", epoch + 1)
    device.give_part(device.of("security")[0])
    device.kill()
    device.start()
    assert (device.status().state, device.status().unseal_progress) == ("sealed", 0)


def test_another_devices_parts_are_refused(device: SealedDevice, hsm: SealedDevice) -> None:
    with refused("unseal-part-refused"):
        device.give_part(device.of("security")[0], hsm.of("security")[0].part)


def test_state_files_and_enough_parts_are_useless_without_the_device_secret(
    device: SealedDevice, make_device: Callable[..., SealedDevice]
) -> None:
    device.unseal()
    device.stop()
    thief = make_device(workers=1)
    shutil.copytree(device.folder, thief.folder, ignore=shutil.ignore_patterns("device-secret", "lock"))
    with pytest.raises(TimeoutError):
        thief.start()
    # Nor do the parts open what the other secret protects, where the thief reads the files with tools of his own.
    sealed = dict(sqlite3.connect(thief.folder / "store.db").execute("SELECT path, sealed FROM record"))
    with refused("internal"):
        KeyTree(os.urandom(32)).open("device/unsealing", sealed["device/unsealing"])


def test_device_secret_and_state_are_useless_without_the_parts(device: SealedDevice) -> None:
    device.unseal()
    device.stop()
    tree = KeyTree((device.folder / "device-secret").read_bytes())
    sealed = dict(sqlite3.connect(device.folder / "store.db").execute("SELECT path, sealed FROM record"))
    assert {path.partition("/")[0] for path in sealed} == {"device", "world"}
    for path, record in sealed.items():
        if path.startswith("world/"):
            with refused("hsm-sealed"):
                tree.open(path, record)
            with refused("internal"):
                KeyTree((device.folder / "device-secret").read_bytes(), os.urandom(32)).open(path, record)


def test_a_record_moved_to_another_path_does_not_open(device: SealedDevice) -> None:
    device.stop()
    tree = KeyTree((device.folder / "device-secret").read_bytes())
    sealed = dict(sqlite3.connect(device.folder / "store.db").execute("SELECT path, sealed FROM record"))
    assert tree.open("device/identity", sealed["device/identity"])
    with refused("internal"):
        tree.open("device/certificate", sealed["device/identity"])


def test_a_sealed_device_says_so_and_nothing_of_its_world(device: SealedDevice) -> None:
    token = device.line().call(c.Attest(nonce=nonce()), c.AttestReply).attestation
    says = verify_statement(token, Attestation, [device.factory.root], "device", now())[0]
    assert (says.state, says.vendor_keys, says.provider_keys, says.partition) == ("sealed", [], [], None)
    with refused("hsm-sealed"):
        device.line().call(c.Attest(nonce=nonce(), partition="pt_any"), c.AttestReply)


@pytest.mark.parametrize("short", ["", "n" * 15, "n" * 129])
def test_a_nonce_that_is_too_short_or_too_long_is_refused(device: SealedDevice, short: str) -> None:
    with refused("malformed"):
        device.line().call(c.BeginUnseal(nonce=short), c.BeginUnsealReply)
