"""Encodings have one spelling, and what cannot be read is refused without being quoted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, make_id, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.terms import Terms
from tests.support.refusals import refused

TEXTS = st.text(alphabet=st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200))
def test_base64url_goes_there_and_back(data: bytes) -> None:
    assert from_b64u(b64u(data)) == data


@given(st.text(max_size=20))
def test_only_the_one_spelling_of_base64url_is_read(text: str) -> None:
    try:
        data = from_b64u(text)
    except Refused:
        return
    assert b64u(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "AAA=", "A+AA", "A/AA", "AA A", "AA\n", "ÄAAA", "AAB"])
def test_other_spellings_of_base64url_are_refused(text: str) -> None:
    with refused("malformed"):
        from_b64u(text)


@given(VALUES)
def test_canonical_json_is_json_with_sorted_keys_and_no_white_space(value: object) -> None:
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(canonical_json(value)) == value
    assert canonical_json(json.loads(expected)) == canonical_json(value)
    assert b"\n" not in canonical_json(value)


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_ids_of_different_parts_differ_however_they_are_cut(one: list[bytes], other: list[bytes]) -> None:
    if one and other:
        assert (make_id("x_", *one) == make_id("x_", *other)) == (one == other)


def test_ids_without_parts_are_random_and_the_prefix_counts() -> None:
    assert make_id("x_") != make_id("x_")
    assert make_id("x_", b"a")[2:] != make_id("y_", b"a")[2:]
    assert len(make_id("x_", b"a")) == 2 + 32


@pytest.mark.parametrize(
    "data",
    [
        b'{"v":1,"salt":"x","key_type":"SECRET-TYPE","usages":[]}',
        b'{"v":1,"salt":"x","key_type":"RSA","usages":["SECRET"]}',
        b'{"SECRET":1}',
        b"SECRET",
        b'{"salt":"SECRET"',
        b"\xffSECRET",
        b"[" * 100_000,
    ],
)
def test_a_refusal_never_quotes_what_was_read(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_json(data, Terms, "terms-refused")
    assert "SECRET" not in str(caught.value)
    assert caught.value.code == "terms-refused"
