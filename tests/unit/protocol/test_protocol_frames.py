"""Frames arrive whole however the stream is cut, and never larger than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.frames import MAX_FRAME, FrameBuffer, pack, read_answer, read_frame
from tests.support.refusals import refused


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 40))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(bodies: list[bytes], size: int) -> None:
    stream, buffer = b"".join(map(pack, bodies)), FrameBuffer()
    found = [frame for n in range(0, len(stream), size) for frame in buffer.feed(stream[n : n + size])]
    assert found == bodies
    assert buffer.empty


@given(st.binary(max_size=50), st.integers(1, 7))
def test_a_reader_takes_one_frame_and_leaves_the_next(body: bytes, size: int) -> None:
    stream = bytearray(pack(body) + pack(b"next"))

    def receive(count: int) -> bytes:
        taken = bytes(stream[: min(count, size)])
        del stream[: len(taken)]
        return taken

    assert read_frame(receive) == body
    assert read_frame(receive) == b"next"
    with pytest.raises(EOFError):
        read_frame(receive)


def test_an_oversize_frame_is_refused_by_its_length_alone() -> None:
    header = (MAX_FRAME + 1).to_bytes(4, "big")
    with refused("too-large"):
        list(FrameBuffer().feed(header))
    with refused("too-large"):
        read_frame(lambda count: header[:count])
    with refused("too-large"):
        pack(bytes(MAX_FRAME + 1))
    assert len(pack(bytes(MAX_FRAME))) == MAX_FRAME + 4


def test_half_a_frame_waits() -> None:
    buffer = FrameBuffer()
    assert list(buffer.feed(pack(b"body")[:-1])) == []
    assert not buffer.empty
    assert list(buffer.feed(b"y")) == [b"body"]


def test_a_stream_that_ends_inside_a_frame_is_no_frame() -> None:
    stream = [b"\0\0\0\x04", b"bo", b""]
    with pytest.raises(EOFError):
        read_frame(lambda _: stream.pop(0))


@given(st.binary(max_size=10_000), st.integers(1, 9_000))
def test_an_answer_is_read_whole_however_it_comes(body: bytes, size: int) -> None:
    stream = bytearray(pack(body))

    def receive(count: int) -> bytes:
        taken = bytes(stream[: min(count, size)])
        del stream[: len(taken)]
        return taken

    assert read_answer(receive) == body


def test_an_answer_that_more_follows_or_that_ends_early_is_none() -> None:
    for stream in ([pack(b"body") + b"x"], [pack(b"body")[:-1], b""], [b"", b""], [b"\0\0", b""]):
        with pytest.raises(EOFError):
            read_answer(lambda _, stream=stream: stream.pop(0))
    with refused("too-large"):
        read_answer(lambda _: (MAX_FRAME + 1).to_bytes(4, "big"))
