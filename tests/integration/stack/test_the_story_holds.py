"""The story of `bin/demo` is true on a running stack, and its search would have told if it were not."""

import secrets

import pytest

from stack.layout import StackError
from stack.story import Story
from stack.whereabouts import show_whereabouts
from tests.support.stack import Stack


def test_it_can_be_told(stack: Stack) -> None:
    Story.begin(stack.state).tell()
    told = Story.begin(stack.state).number - 1
    signature = stack.tenant("acme").home.path / "demo" / str(told) / "readme.rsa.sig"
    assert len(signature.read_bytes()) == 384


def test_a_key_that_lies_about_is_found(stack: Stack) -> None:
    key = stack.tenant("acme").home.path / "lost.key"
    key.write_bytes(secrets.token_bytes(32))
    leak = stack.state.log("leak")
    leak.write_text(f"debug: {key.read_bytes().hex()}\n")
    try:
        with pytest.raises(StackError, match=r"Key bytes were found: logs$"):
            show_whereabouts(stack.state, stack.run, stack.tenant("acme").home, [key])
    finally:
        leak.unlink()
