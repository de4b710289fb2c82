"""An envelope altered on its way is refused; and no refusal to open it tells one failure from another."""

import os

import pytest

from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealing import OVERHEAD
from tests.support.imports import changed, code_of, resigned
from tests.support.materials import make_terms
from tests.support.sealed import Customer

AES = KeyType.AES_256
pytestmark = pytest.mark.usefixtures("_leaves_nothing")


# --- altered in transit ---


@pytest.mark.parametrize("part", ["material", "terms"])
def test_a_bit_altered_anywhere_in_a_ciphertext_is_refused(alice: Customer, envelope: Envelope, part: str) -> None:
    whole: bytes = getattr(envelope, part)
    edges = [0, 1087, 1088, 1119, 1120, OVERHEAD - 17, len(whole) - 17, len(whole) - 16, len(whole) - 1]
    for place in sorted({*range(0, len(whole), 61), *edges}):
        for bit in (0x01, 0x80):
            spoilt = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            assert code_of(alice, changed(envelope, **{part: spoilt})) == "envelope-unopenable", place


@pytest.mark.parametrize("part", ["material", "terms"])
def test_a_truncated_or_lengthened_ciphertext_is_refused(alice: Customer, envelope: Envelope, part: str) -> None:
    whole: bytes = getattr(envelope, part)
    lengths = [0, 1, 31, 32, 1087, 1088, 1119, 1120, OVERHEAD - 1, OVERHEAD, OVERHEAD + 1, 2 * OVERHEAD, len(whole) - 1]
    for length in lengths:
        assert code_of(alice, changed(envelope, **{part: whole[:length]})) == "envelope-unopenable", length
    assert code_of(alice, changed(envelope, **{part: whole + b"\0"})) == "envelope-unopenable"


def test_material_and_terms_exchanged_are_refused(alice: Customer, envelope: Envelope) -> None:
    spoilt = changed(envelope, material=envelope.terms, terms=envelope.material)
    assert code_of(alice, spoilt) == "envelope-unopenable"


def test_a_character_altered_anywhere_in_the_header_is_refused(alice: Customer, envelope: Envelope) -> None:
    codes = {"statement-malformed", "signature-invalid", "device-not-listed"}
    header = envelope.header
    for place in range(len(header)):
        for other in ("A", "B", "="):
            if header[place] != other:
                spoilt = header[:place] + other + header[place + 1 :]
                assert code_of(alice, changed(envelope, header=spoilt)) in codes, place


def test_a_truncated_or_respelt_header_is_refused(alice: Customer, envelope: Envelope) -> None:
    header = envelope.header
    for spoilt in (header[:-1], header[: len(header) // 2], "", "..", header + "=", header + "==", header + ".x"):
        assert code_of(alice, changed(envelope, header=spoilt)) in {"statement-malformed", "signature-invalid"}


def test_no_refusal_to_open_tells_one_layer_or_part_from_another(alice: Customer, name: str) -> None:
    terms = make_terms(AES).encode()
    answers = set()
    for one in (
        alice.envelope(os.urandom(32), terms, name),
        resigned(alice, alice.envelope(os.urandom(32), terms, name), created_at=1, import_id=make_id("imp_")),
    ):
        for part in ("material", "terms"):
            whole = getattr(one, part)
            for place in (0, 1100, len(whole) - 1):
                spoilt = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
                with pytest.raises(Refused) as caught:
                    alice.send(changed(one, **{part: spoilt}))
                answers.add((caught.value.code, caught.value.detail))
    assert answers == {("envelope-unopenable", "")}
