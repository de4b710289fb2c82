"""A signed statement has one spelling, one kind and one signer."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.protocol import jws
from strongroom.protocol.admin_actions import Approval
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Checkpoint
from tests.support.refusals import refused

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATEMENT = Approval(action_digest="d" * 64, approved_at=1)
TOKEN = jws.sign(STATEMENT, KEY)


def verify(token: str) -> Approval:
    return jws.verify(token, Approval, KEY.public_key())


def test_it_is_read_as_it_was_signed_and_signing_again_gives_the_same() -> None:
    assert verify(TOKEN) == STATEMENT
    assert jws.sign(STATEMENT, KEY) == TOKEN
    assert jws.signer(TOKEN) == public_credential(KEY).fingerprint


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="utf-8"))
def test_no_character_can_be_exchanged(place: int, other: str) -> None:
    if TOKEN[place] != other:
        with refused("signature-invalid", "statement-malformed"):
            verify(TOKEN[:place] + other + TOKEN[place + 1 :])


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(TOKEN)), st.text(min_size=1, max_size=3))
def test_nothing_can_be_added(place: int, more: str) -> None:
    with refused("signature-invalid", "statement-malformed"):
        verify(TOKEN[:place] + more + TOKEN[place:])


@given(st.text(max_size=200))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    for read in (verify, jws.signer, jws.read_header):
        with refused("statement-malformed"):
            read(text)


def test_padding_is_another_spelling_and_refused() -> None:
    for more in ("=", "==", "===", "===="):
        with refused("statement-malformed"):
            verify(TOKEN + more)


def test_another_key_or_another_kind_is_refused() -> None:
    with refused("signature-invalid"):
        jws.verify(TOKEN, Approval, Ed25519PrivateKey.generate().public_key())
    with refused("statement-malformed"):
        jws.verify(TOKEN, Checkpoint, KEY.public_key())
    with refused("statement-malformed"):
        jws.read_unverified(TOKEN, Checkpoint)


@pytest.mark.parametrize(
    "changes",
    [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}, {"kid": 1}, {"kid": "short"}, {"kid": "\ud800" * 43},
     {"kid": "!" * 43}, {"typ": None}, {"b64": False, "crit": ["b64"]}, {"crit": ["x"]}],
)  # fmt: skip
def test_another_header_is_refused_even_where_its_signer_wrote_it(changes: dict[str, object]) -> None:
    head, body, _ = TOKEN.split(".")
    other = b64u(json.dumps(json.loads(from_b64u(head)) | changes).encode())
    signature = b64u(KEY.sign(f"{other}.{body}".encode()))
    with refused("statement-malformed", "signature-invalid"):
        verify(f"{other}.{body}.{signature}")
    with refused("statement-malformed", "signature-invalid"):
        verify(f"{other}.{body}.")


def test_a_header_nested_without_end_is_refused() -> None:
    deep = b64u(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    with refused("statement-malformed"):
        jws.signer(f"{deep}.e30.AAAA")


def test_a_statement_with_a_member_that_is_not_its_own_is_refused() -> None:
    head, body, _ = TOKEN.split(".")
    more = b64u(json.dumps(json.loads(from_b64u(body)) | {"extra": 1}).encode())
    with refused("statement-malformed"):
        verify(f"{head}.{more}.{b64u(KEY.sign(f'{head}.{more}'.encode()))}")


def test_a_credential_is_an_ed25519_key_in_its_one_spelling() -> None:
    good = public_credential(KEY)
    assert good.public_key().public_bytes_raw() == KEY.public_key().public_bytes_raw()
    for x in ("", good.x[:-1], good.x + "A", "!" * 43, "A" * 42 + "B"):
        with pytest.raises(ValueError, match="not an Ed25519"):
            PublicCredential(x=x)
    with pytest.raises(ValueError, match="not an Ed25519"):
        PublicCredential(x=good.x, crv="X25519")


def test_the_thumbprint_is_that_of_the_standard() -> None:
    # RFC 8037 appendix A.3
    credential = PublicCredential(x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert credential.fingerprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_refusals_have_codes_of_the_catalogue_alone() -> None:
    with pytest.raises(KeyError):
        Refused("no-such-code")
