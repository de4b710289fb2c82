"""The search finds key bytes in every form that they could lie about in, and nothing where there are none."""

import base64
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.search import CHUNK, Place, Trace, files, memory, search, traces

SECRET = bytes.fromhex("8f3c5be07a1d49d2b6f0e4a8137c95d2e1b80f6a4cd3972b5e08f1d7a63b942c")
WANTED = traces("key", SECRET)

FORMS = {
    "raw": SECRET,
    "reversed, as big numbers lie in memory": SECRET[::-1],
    "hexadecimal": SECRET.hex().encode(),
    "hexadecimal in capitals": SECRET.hex().upper().encode(),
    "base64": base64.b64encode(SECRET),
    "base64, one byte before": base64.b64encode(b"x" + SECRET),
    "base64, two bytes before": base64.b64encode(b"xy" + SECRET),
    "base64url": base64.urlsafe_b64encode(b"x" + SECRET),
    "PEM, broken over lines": "\n".join(textwrap.wrap(base64.b64encode(bytes(36) + SECRET).decode(), 64)).encode(),
    "its first half alone": SECRET[:18],
    "its second half alone": SECRET[-18:],
}


def found_in(*chunks: bytes, wanted: list[Trace] | None = None) -> set[str]:
    return search([Place("here", lambda: iter(chunks))], wanted or WANTED)[0].found


@pytest.mark.parametrize("form", FORMS)
def test_it_finds(form: str) -> None:
    assert found_in(b"before" + FORMS[form] + b"after") == {"key"}


@pytest.mark.parametrize("length", [32, 48, 192, 384])
@pytest.mark.parametrize("before", range(48))
def test_no_line_break_of_pem_hides_it(length: int, before: int) -> None:
    secret = os.urandom(length)
    text = base64.b64encode(bytes(before) + secret).decode()
    assert found_in("\n".join(textwrap.wrap(text, 64)).encode(), wanted=traces("key", secret)) == {"key"}


def test_it_finds_what_is_torn_between_two_chunks() -> None:
    hexadecimal = SECRET.hex().encode()
    assert found_in(b"before" + hexadecimal[:29], hexadecimal[29:] + b"after") == {"key"}


def test_it_finds_nothing_where_nothing_is() -> None:
    assert found_in(os.urandom(CHUNK)) == set()


def test_it_says_how_much_it_read_and_what_it_could_not() -> None:
    def closed() -> Iterator[bytes]:
        raise PermissionError
        yield b""

    places = [Place("a", lambda: iter([b"12345"])), Place("a", closed)]
    (result,) = search(places, WANTED)
    assert (result.places, result.size, result.refused) == (1, 5, 1)


def test_it_looks_into_files_and_into_memory(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(SECRET)
    found = search([*files("files", tmp_path), memory("memory", os.getpid(), set())], WANTED)
    assert {one.name: one.found for one in found} == {"files": {"key"}, "memory": {"key"}}
