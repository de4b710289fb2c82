"""How tests say which refusal they expect."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from strongroom.protocol.errors import Refused


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """The block is refused with one of `codes`."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code in codes, caught.value
