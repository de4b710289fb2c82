"""Terms say exactly what they say: read as they were written, the unknown and the contradictory refused."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage, fits
from strongroom.protocol.terms import Terms, new_salt, read_terms, terms_digest
from tests.support.refusals import refused

MOMENTS = st.none() | st.integers(0, 2**40)


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Terms of any kind, more often than not without a contradiction."""
    key_type = draw(st.sampled_from(KeyType))
    fitting = [usage for usage in Usage if any(fits(one, key_type, usage) for one in Mechanism)]
    usages = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=4, unique=True))
    serving = [one for one in Mechanism if any(fits(one, key_type, usage) for usage in usages)]
    mechanisms = [] if draw(st.booleans()) else draw(st.lists(st.sampled_from(serving), max_size=3, unique=True))
    targets = st.lists(st.text(alphabet="abc*", max_size=3), max_size=3)
    return Terms(
        salt="s" * 22,
        key_type=key_type,
        usages=usages,
        authorisation=draw(st.sampled_from(["signed", "token"])),  # type: ignore[arg-type]
        mechanisms=mechanisms,
        not_before=draw(MOMENTS),
        not_after=draw(MOMENTS),
        translate_to=draw(targets) if Usage.TRANSLATE in usages else [],
    )


ANY = any_terms()


@given(ANY)
def test_terms_are_read_as_they_were_written(terms: Terms) -> None:
    try:
        kept = read_terms(terms.encode())
    except Refused:
        assume(False)
    assert kept == terms
    assert kept.encode() == terms.encode()
    assert terms_digest(kept.encode()) == terms_digest(terms.encode())


@given(ANY)
def test_terms_in_force_have_a_mechanism_for_each_usage_and_a_use_for_each_mechanism(terms: Terms) -> None:
    try:
        read_terms(terms.encode())
    except Refused:
        assume(False)
    for usage in terms.usages:
        assert any(fits(one, terms.key_type, usage) for one in terms.mechanisms or Mechanism)
    for mechanism in terms.mechanisms:
        assert any(fits(mechanism, terms.key_type, usage) for usage in terms.usages)


@given(ANY, st.integers(0, 2**41))
def test_a_key_is_active_exactly_within_its_validity(terms: Terms, now: int) -> None:
    begins = terms.not_before is None or terms.not_before <= now
    ends = terms.not_after is not None and terms.not_after <= now
    state = terms.state_at(now)
    assert (state == "active") == (begins and not ends)
    assert begins or state == "pre-activation"


def written(**changes: Any) -> bytes:
    terms = Terms(salt=new_salt(), key_type=KeyType.AES_256, usages=[Usage.ENCRYPT])
    return json.dumps(json.loads(terms.encode()) | changes).encode()


def test_sound_terms_are_accepted_and_signed_mode_is_what_nobody_chose() -> None:
    assert read_terms(written()).authorisation == "signed"
    assert read_terms(
        b'{"v":1,"salt":"ssssssssssssssssssssss","key_type":"AES-256","usages":["hash"]}'
    ).authorisation == ("signed")


@pytest.mark.parametrize(
    "changes",
    [
        {"revocation": {}},
        {"Usages": ["encrypt"]},
        {"v": 2},
        {"v": "1"},
        {"usages": "encrypt"},
        {"usages": ["Encrypt"]},
        {"not_after": 1.5},
        {"not_after": "1"},
        {"not_after": True},
        {"translate_to": "*"},
        {"authorisation": None},
        {"salt": "s" * 21},
    ],
)
def test_the_unknown_is_refused_and_not_ignored(changes: dict[str, Any]) -> None:
    with refused("terms-refused"):
        read_terms(written(**changes))


def test_two_equal_terms_have_different_digests_by_their_salt() -> None:
    assert terms_digest(written()) != terms_digest(written())


def test_every_term_is_in_the_digest() -> None:
    plain = Terms(salt="s" * 22, key_type=KeyType.AES_256, usages=[Usage.ENCRYPT])
    digests = {terms_digest(plain.encode())}
    for change in (
        {"authorisation": "token"},
        {"not_before": 1},
        {"not_after": 9},
        {"mechanisms": [Mechanism.AES_GCM]},
    ):
        digests.add(terms_digest(msgspec.structs.replace(plain, **change).encode()))
    assert len(digests) == 5
