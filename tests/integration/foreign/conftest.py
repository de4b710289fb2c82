"""What the tests with others' tools share: a folder to work in, and Alice's command."""

from pathlib import Path

import pytest

from tests.support.foreign import Bench
from tests.support.stack import Stack


@pytest.fixture
def bench(tmp_path: Path, stack: Stack) -> Bench:
    return Bench(tmp_path, stack.tenant("acme").home.path)
