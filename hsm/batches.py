"""A batch in slices: a worker answers others between two, and what was withdrawn meanwhile serves no further item."""

import time
from collections.abc import Callable, Generator
from typing import TypeVar

from hsm.faults import log_fault
from hsm.mechanisms import Prepared
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Item

T = TypeVar("T")
Steps = Generator[None, None, T]
"""What yields where others may be answered in between, and ends with its result."""

SLICE_SECONDS = 0.002
"""How long an operation may wait for a batch of the same worker, but for one item that takes longer alone."""


class Batch:
    """`run` on each of `items`. `aad`: where an item has none of its own; `most`: bytes of a payload."""

    def __init__(self, run: Prepared, items: list[Item], aad: bytes, most: int) -> None:
        self._run = run
        self._items = items
        self._aad = aad
        self._most = most
        self._results: list[bytes] = []
        self._errors: dict[int, tuple[str, str]] = {}

    def slices(self, check: Callable[[], None]) -> Steps[tuple[list[bytes], dict[int, tuple[str, str]]]]:
        """Each item's result in order, and by index the error of each that was refused, which harms no other.

        `check` is called before each slice but the first; where it raises `Refused`, that is the rest's error.
        """
        while True:
            self._slice()
            if len(self._results) == len(self._items):
                return self._results, self._errors
            yield
            try:
                check()
            except Refused as error:
                for _ in self._items[len(self._results) :]:
                    self._fail(error.code, error.detail)
                return self._results, self._errors

    def _slice(self) -> None:
        end = time.monotonic() + SLICE_SECONDS
        for item in self._items[len(self._results) :]:
            try:
                if len(item.payload) > self._most:
                    raise Refused("too-large", f"a payload has at most {self._most} bytes")
                self._results.append(self._run(item.payload, item.signature, item.aad or self._aad))
            except Refused as error:
                self._fail(error.code, error.detail)
            except Exception:  # noqa: BLE001 (nor does a defect take the other items' results)
                log_fault("an item of a batch")
                self._fail("internal", "")
            if time.monotonic() > end:
                return

    def _fail(self, code: str, detail: str) -> None:
        self._errors[len(self._results)] = (code, detail)
        self._results.append(b"")
