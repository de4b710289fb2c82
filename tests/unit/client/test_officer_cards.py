"""Card files give nothing away without the PIN, and take their unseal part from the ceremony of one device."""

import base64
import time
from pathlib import Path

import msgspec
import pytest
from authorities import WORLD, Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.officer.cards import (
    CardFile,
    CeremonyOutcome,
    OpenCard,
    new_card,
    open_card,
    read_card,
    receive,
    write_card,
)
from strongroom.officer.unseal import make_unseal_part
from strongroom.protocol import jws
from strongroom.protocol.certificates import device_id, to_x5c
from strongroom.protocol.commands import unseal_part_info
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey
from strongroom.protocol.statements import CeremonyTranscript, Endorsement

PIN = "482915"
PART = b"one officer's part of the secret"
NOW = int(time.time())


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.make("root")


@pytest.fixture(scope="module")
def device(root: Authority) -> Authority:
    return Authority.make("device", root)


def ceremony(device: Authority, *cards: CardFile) -> CeremonyOutcome:
    """What a device's ceremony gives out for these cards."""
    transcript = CeremonyTranscript(
        device=device_id(device.key.public_key()),
        mode="development",
        world=WORLD,
        officers={one.face.fingerprint: one.face.officer_class for one in cards},
        thresholds={"domain": 2, "security": 2, "partition": 2},
        measurement="m",
        issued_at=NOW,
    )
    parts = {
        one.face.fingerprint: b64u(
            RecipientPublicKey.from_text(one.face.sealing_key).seal(PART, unseal_part_info(WORLD, one.face.fingerprint))
        )
        for one in cards
        if one.face.officer_class == "security"
    }
    token = jws.sign(transcript, device.key, x5c=to_x5c(device.certificate))
    return CeremonyOutcome(world=WORLD, parts=parts, transcript=token)


@pytest.fixture(scope="module")
def received(root: Authority, device: Authority) -> CardFile:
    """A security officer's card after the ceremony."""
    card = new_card("security1", "security", PIN)
    return receive(card, PIN, ceremony(device, card), [root.certificate], NOW)


def test_the_right_pin_opens_a_card_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    card = new_card("partition1", "partition", PIN)
    write_card(tmp_path / "card.json", card)
    kept = read_card(tmp_path / "card.json")
    assert public_credential(open_card(kept, PIN).signing_key) == kept.face.credential
    for pin in ("482916", "", PIN + "0"):
        with pytest.raises(Refused, match="card-pin-wrong"):
            open_card(kept, pin)


def test_a_card_file_is_for_its_owner_alone_and_holds_no_key_in_clear(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    card = new_card("partition1", "partition", PIN)
    write_card(path, card)
    secret = open_card(card, PIN).signing_key.private_bytes_raw()
    assert path.stat().st_mode & 0o777 == 0o600
    data = path.read_bytes()
    for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:-2], b64u(secret).encode()):
        assert form not in data


def test_a_short_pin_and_an_unknown_class_are_refused() -> None:
    with pytest.raises(Refused, match="at least 6"):
        new_card("partition1", "partition", "12345")
    with pytest.raises(Refused, match="classes"):
        new_card("partition1", "auditor", PIN)  # type: ignore[arg-type]


def test_a_card_whose_public_part_was_changed_does_not_open() -> None:
    card = new_card("partition1", "partition", PIN)
    other = public_credential(Ed25519PrivateKey.generate())
    for change in ({"name": "security1"}, {"officer_class": "security"}, {"credential": other}, {"world": "wd_other"}):
        altered = msgspec.structs.replace(card, face=msgspec.structs.replace(card.face, **change))
        with pytest.raises(Refused, match="card-pin-wrong"):
            open_card(altered, PIN)


def test_a_card_whose_secret_part_was_cut_or_changed_does_not_open() -> None:
    card = new_card("partition1", "partition", PIN)
    raw = from_b64u(card.secret)
    for secret in (raw[:20], raw[:-1], raw[:-1] + bytes([raw[-1] ^ 1]), b""):
        with pytest.raises(Refused, match="card-pin-wrong"):
            open_card(msgspec.structs.replace(card, secret=b64u(secret)), PIN)


def test_an_open_card_does_not_show_its_secrets(received: CardFile) -> None:
    opened = open_card(received, PIN)
    assert PART not in repr(opened).encode()
    assert "signing" not in repr(vars(opened))


def test_a_security_card_receives_its_part_and_its_world(received: CardFile, device: Authority) -> None:
    assert (received.face.world, received.face.device) == (WORLD, device_id(device.key.public_key()))
    assert open_card(received, PIN).unseal_part() == PART


def test_a_partition_card_learns_its_world_and_has_no_part(root: Authority, device: Authority) -> None:
    card = new_card("partition1", "partition", PIN)
    card = receive(card, PIN, ceremony(device, card), [root.certificate], NOW)
    assert card.face.world == WORLD
    with pytest.raises(Refused, match="no unseal part"):
        open_card(card, PIN).unseal_part()


def test_the_outcome_of_another_ceremony_is_refused(root: Authority, device: Authority) -> None:
    mine, other = new_card("security1", "security", PIN), new_card("security2", "security", PIN)
    with pytest.raises(Refused, match="officer-unknown"):
        receive(mine, PIN, ceremony(device, other), [root.certificate], NOW)
    outcome = msgspec.structs.replace(ceremony(device, mine), world="wd_other")
    with pytest.raises(Refused, match="malformed"):
        receive(mine, PIN, outcome, [root.certificate], NOW)
    stranger = Authority.make("device", Authority.make("root"))
    with pytest.raises(Refused, match="certificate-invalid"):
        receive(mine, PIN, ceremony(stranger, mine), [root.certificate], NOW)


def test_a_part_that_was_sealed_to_another_card_is_refused(root: Authority, device: Authority) -> None:
    mine, other = new_card("security1", "security", PIN), new_card("security2", "security", PIN)
    outcome = ceremony(device, mine, other)
    swapped = {mine.face.fingerprint: outcome.parts[other.face.fingerprint]}
    with pytest.raises(Refused, match="envelope-unopenable"):
        receive(mine, PIN, msgspec.structs.replace(outcome, parts=swapped), [root.certificate], NOW)


UNSEAL_KEY = RecipientPrivateKey.generate()


def endorsed(by: Authority, **change: str | int) -> str:
    public = UNSEAL_KEY.public()
    statement = Endorsement(
        device=device_id(by.key.public_key()),
        purpose="unseal-key",
        key_id=public.key_id("uk_"),
        public_key=public.text,
        nonce="n" * 24,
        issued_at=NOW,
    )
    return jws.sign(msgspec.structs.replace(statement, **change), by.key, x5c=to_x5c(by.certificate))


@pytest.fixture(scope="module")
def opened(received: CardFile) -> OpenCard:
    return open_card(received, PIN)


def test_the_part_goes_to_the_devices_fresh_key_and_opens_there_alone(
    opened: OpenCard, root: Authority, device: Authority
) -> None:
    part = make_unseal_part(opened, endorsed(device), "n" * 24, [root.certificate], NOW)
    assert part["card"] == opened.face.fingerprint
    info = unseal_part_info(WORLD, part["card"], part["key_id"])
    assert UNSEAL_KEY.open(from_b64u(part["part"]), info) == PART
    with pytest.raises(Refused, match="envelope-unopenable"):
        UNSEAL_KEY.open(from_b64u(part["part"]), unseal_part_info(WORLD, part["card"], "uk_other"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nonce": "m" * 24}, "nonce-mismatch"),
        ({"issued_at": NOW - 3600}, "stale"),
        ({"purpose": "provider-key"}, "validation-failed"),
        ({"key_id": "uk_other"}, "validation-failed"),
        ({"public_key": RecipientPrivateKey.generate().public().text}, "validation-failed"),
        ({"device": "dev_other"}, "wrong-device"),
    ],
)
def test_the_part_is_not_given_to_any_other_key(
    opened: OpenCard, root: Authority, device: Authority, change: dict[str, str | int], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        make_unseal_part(opened, endorsed(device, **change), "n" * 24, [root.certificate], NOW)
    assert refused.value.code == code


def test_the_part_is_not_given_to_another_certified_device(opened: OpenCard, root: Authority) -> None:
    another = Authority.make("device", root)
    with pytest.raises(Refused, match="wrong-device"):
        make_unseal_part(opened, endorsed(another), "n" * 24, [root.certificate], NOW)
