"""By every suite and transport: what was altered on its way is refused, leaves nothing, and spoils nothing."""

import os

import pytest

from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import changed, code_of, keys_of
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer
from tests.support.ways import WAYS, delivered, envelope_by

# What the device takes a layer off itself fails to open; what arrives as its inner layer is not what was signed.
CODES = {"tee": "envelope-unopenable", "engine": "envelope-altered", "channel": "envelope-altered"}
# Where one field of a ciphertext ends and the next begins: HPKE's `enc`, RSA's block, tags at the end.
EDGES = (0, 1, 383, 384, 391, 392, 1087, 1088, 1119, 1120)


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def sent(alice: Customer, name: str, way: tuple[str, str]) -> Envelope:
    return envelope_by(alice, way, os.urandom(32), make_terms(KeyType.AES_256).encode(), name)


def done_in(customer: Customer) -> list[bytes]:
    """What is in the partition's log but for the rest of keys whose endpoints, those of other tests, are no more."""
    return [one for one in customer.hsm.entries(customer.partition)["admin"] if b'"event":"key:suspend"' not in one]


def spoilt(envelope: Envelope, part: str, step: int = 1) -> list[Envelope]:
    """The part with a bit altered in every byte (or every `step`-th), cut short, lengthened."""
    whole: bytes = getattr(envelope, part)
    bits = [
        whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        for place in range(0, len(whole), step)
    ]
    lengths = {*range(0, len(whole), 41), *EDGES, *(len(whole) - n for n in (1, 8, 9, 16, 17))}
    sizes = [whole[:length] for length in sorted(lengths) if length < len(whole)]
    return [changed(envelope, **{part: one}) for one in [*bits, *sizes, whole + b"\0", whole + bytes(8)]]


def test_no_altered_byte_is_accepted_and_the_envelope_as_it_was_still_is(
    alice: Customer, sent: Envelope, way: tuple[str, str]
) -> None:
    envelope = delivered(sent)
    before = (keys_of(alice), done_in(alice))
    for part in ("material", "terms"):
        for one in spoilt(envelope, part):
            assert code_of(alice, one) == CODES[way[1]]
    exchanged = changed(envelope, material=envelope.terms, terms=envelope.material)
    # RSA-AES-KWP cannot tell the parts apart by itself: there it is the header that does.
    assert code_of(alice, exchanged) == ("envelope-altered" if way[0] == "RSA-AES-KWP" else CODES[way[1]])
    assert (keys_of(alice), done_in(alice)) == before
    # Neither were keys that serve once used up by it.
    assert code_of(alice, envelope) == "ok"


def test_no_altered_character_of_the_header_is_accepted(alice: Customer, sent: Envelope) -> None:
    envelope = delivered(sent)
    for place in range(0, len(envelope.header), 5):
        other = "A" if envelope.header[place] != "A" else "B"
        header = envelope.header[:place] + other + envelope.header[place + 1 :]
        code = code_of(alice, changed(envelope, header=header))
        assert code in {"statement-malformed", "signature-invalid", "device-not-listed"}


@pytest.mark.parametrize("way", [one for one in WAYS if one[1] == "engine"], ids="-".join, indirect=True)
def test_what_was_altered_on_its_way_to_the_engine_does_not_open_there(sent: Envelope) -> None:
    for part in ("material", "terms"):
        for one in spoilt(sent, part, step=23):
            with refused("envelope-unopenable"):
                delivered(one)
