"""`access editors add` takes what the portal's page shows, or a file with it."""

from pathlib import Path

import pytest
from simulator import Simulator

from strongroom.cli.editors import read_key, rows_of
from strongroom.client import access
from strongroom.client.connection import Connection
from strongroom.protocol.encoding import b64u, canonical_json
from tests.support.refusals import refused
from tests.support.security_keys import SoftwareKey

KEY = SoftwareKey("bob")
JSON = canonical_json(KEY.credential).decode()


def test_a_key_is_given_as_the_word_that_the_page_shows(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert read_key(b64u(JSON.encode())) == KEY.credential
    for written in (JSON, b64u(JSON.encode()) + "\n"):
        file.write_text(written)
        assert read_key(str(file)) == KEY.credential


@pytest.mark.parametrize("given", ["", "no-such-file", "{}", b64u(b"{}"), b64u(JSON.encode())[:-8], "x" * 5000])
def test_anything_else_is_refused(given: str) -> None:
    with refused("malformed"):
        read_key(given)


def test_a_key_is_added_once_renamed_and_removed(listed: Connection, provider: Simulator, now: int) -> None:
    before = access.in_force(listed, listed.home.partition()).principals
    for label in ("Bob's", "Bob's blue one"):
        current = access.put_in_force(listed, now, editors=access.add_editor(KEY.editor(label)))
    assert [one["label"] for one in rows_of(current)] == ["Bob's blue one"]
    assert current.principals == before
    off = access.remove_editor(KEY.credential.fingerprint)
    assert access.put_in_force(listed, now, editors=off).editors == []
    with refused("not-found"):
        access.put_in_force(listed, now, editors=off)
