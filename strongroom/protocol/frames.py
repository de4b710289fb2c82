"""How messages cross a stream socket: four bytes of length, big endian, then that many bytes of MessagePack."""

import struct
from collections.abc import Callable, Iterator

from strongroom.protocol.errors import Refused

MAX_FRAME = 8 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_MOST_AT_ONCE = 4096  # room for more would be taken from the system and given back at each call


def pack(body: bytes) -> bytes:
    """One frame. Raises `Refused("too-large")` above `MAX_FRAME` bytes."""
    if len(body) > MAX_FRAME:
        raise Refused("too-large", f"a frame holds at most {MAX_FRAME} bytes")
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Collects received bytes and gives whole frames back."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def empty(self) -> bool:
        """Whether no part of a frame is waiting for its rest."""
        return not self._buffer

    def feed(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """Add `data`; yield the body of each frame that is now complete. Raises `Refused("too-large")`.

        A body that came alone and whole is a part of `data` itself, not a copy.
        """
        if not self._buffer and len(data) >= 4 and _LENGTH.unpack_from(data)[0] == len(data) - 4 <= MAX_FRAME:
            yield data[4:]
            return
        self._buffer += data
        while len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise Refused("too-large", f"a frame holds at most {MAX_FRAME} bytes")
            if len(self._buffer) < 4 + length:
                return
            body = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield body


def read_frame(receive: Callable[[int], bytes]) -> bytes:
    """Read one frame by `receive(n)`, which returns at most n bytes and b"" at the end. Raises `EOFError`."""
    return _read_exactly(receive, _checked(_LENGTH.unpack(_read_exactly(receive, 4))[0]))


def read_answer(receive: Callable[[int], bytes]) -> bytes:
    """As `read_frame`, where the peer sends nothing behind it before it is asked: a short frame is one `receive`."""
    data = receive(_MOST_AT_ONCE)
    if len(data) < 4:
        data += _read_exactly(receive, 4 - len(data))
    missing = _checked(_LENGTH.unpack_from(data)[0]) + 4 - len(data)
    if missing < 0:
        raise EOFError("the peer sent more than it was asked for")
    return data[4:] + _read_exactly(receive, missing) if missing else data[4:]


def _checked(length: int) -> int:
    if length > MAX_FRAME:
        raise Refused("too-large", f"a frame holds at most {MAX_FRAME} bytes")
    return length


def _read_exactly(receive: Callable[[int], bytes], count: int) -> bytes:
    chunks: list[bytes] = []
    while count:
        chunk = receive(count)
        if not chunk:
            raise EOFError("the peer closed the connection")
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)
