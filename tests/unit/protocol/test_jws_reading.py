"""A statement is read before it is verified only to choose a key; whatever is sent, it ends in a refusal or a value."""

import base64

import pytest

from strongroom.protocol import jws
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "e31",  # {} with a tail that is not canonical
        segment(b"null"),
        segment(b"[]"),
        segment(b"{"),
        segment(b"\xff"),
        segment(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ],
)
def test_a_header_that_is_no_json_object_is_refused(header: str) -> None:
    with pytest.raises(Refused, match="statement-malformed"):
        jws.read_header(f"{header}.e30.AA")


@pytest.mark.parametrize("payload", ["", "e31", segment(b"{}"), segment(b"[" * 5000)])
def test_a_payload_that_is_no_such_statement_is_refused(payload: str) -> None:
    header = segment(b'{"typ":"strongroom.receipt","alg":"EdDSA"}')
    with pytest.raises(Refused, match="statement-malformed"):
        jws.read_unverified(f"{header}.{payload}.AA", Receipt)


def test_a_token_has_one_spelling() -> None:
    for token in ("e30.e30.AA=", "e30.e30", "e30.e30.AA.AA", " e30.e30.AA", "e30.e30.AA\n"):
        with pytest.raises(Refused, match="not a compact JWS"):
            jws.read_header(token)
