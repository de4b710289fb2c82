"""A lane on the disk: what was appended is read again, segments follow one another, and a failure stops it for good."""

import os
import resource
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm import lanes
from hsm.lanes import Lane
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.log import Entry, chain
from tests.support.refusals import refused

KEY = b"k" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lanes").mkdir()
    return tmp_path / "lanes"


def append(lane: Lane, *partitions: str) -> None:
    for partition in partitions:
        lane.append(partition, epoch=1, time=1, event="key:sign")


def read(folder: Path, name: str = "w0", limit: int = 1000) -> list[tuple[str, int]]:
    return [(one.partition, one.n) for one in lanes.read_lane(folder, name, KEY, "", limit).entries]


def test_a_lane_opened_again_goes_on_where_it_was(folder: Path) -> None:
    append(Lane(folder, "w0", KEY), "p", "q", "p")
    again = Lane(folder, "w0", KEY)
    assert again.gap == 0
    assert {partition: count for partition, (count, _) in again.heads.items()} == {"p": 2, "q": 1}
    append(again, "p")
    assert read(folder) == [("p", 1), ("q", 1), ("p", 2), ("p", 3)]
    assert len(list(folder.iterdir())) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("pqr"), max_size=12), st.integers(1, 400), st.data())
def test_whatever_is_cut_off_what_is_before_it_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, all_: list[str], cut: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("lanes")
    append(Lane(folder, "w0", KEY), *all_)
    path = lanes.segment_path(folder, "w0", 1)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])
    left = read(folder)
    assert left == read_of(all_)[: len(left)]
    again = Lane(folder, "w0", KEY)
    more = data.draw(st.lists(st.sampled_from("pqr"), max_size=3))
    append(again, *more)
    assert read(folder) == read_of([partition for partition, _ in left] + more)
    assert Lane(folder, "w0", KEY).gap == 0
    for partition, (count, head) in again.heads.items():
        raw = [one.entry for one in lanes.read_lane(folder, "w0", KEY, "", 100).entries if one.partition == partition]
        assert chain(raw) == (count, head)


def read_of(partitions: list[str]) -> list[tuple[str, int]]:
    return [(one, partitions[: n + 1].count(one)) for n, one in enumerate(partitions)]


def test_segments_follow_one_another_and_a_reader_passes_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SEGMENT_BYTES", 1000)
    lane = Lane(folder, "w0", KEY)
    append(lane, *("p" * 30))
    assert len(lanes.segment_numbers(folder, "w0")) >= 4
    assert read(folder) == [("p", n) for n in range(1, 31)]
    cursor, found = "", []
    while True:
        page = lanes.read_lane(folder, "w0", KEY, cursor, 4)
        found += [one.n for one in page.entries]
        cursor = page.cursor
        if not page.more:
            break
    assert found == list(range(1, 31))
    append(lane, "p")
    assert [one.n for one in lanes.read_lane(folder, "w0", KEY, cursor, 4).entries] == [31]
    # Only the newest segment is needed to go on.
    assert Lane(folder, "w0", KEY).heads == lane.heads


def test_an_answer_holds_a_bounded_number_of_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "READ_BYTES", 500)
    append(Lane(folder, "w0", KEY), *("p" * 20))
    page = lanes.read_lane(folder, "w0", KEY, "", 1000)
    assert (0 < len(page.entries) < 20, page.more) == (True, True)


def test_a_lane_under_another_key_is_not_believed(folder: Path) -> None:
    append(Lane(folder, "w0", KEY), "p")
    other = Lane(folder, "w0", b"o" * 32)
    assert (other.heads, other.gap > 0) == ({}, True)


def test_an_entry_of_another_lane_is_out_of_its_chain(folder: Path) -> None:
    for name in ("w0", "w1"):
        append(Lane(folder, name, KEY), "p", "p")
    one, other = (lanes.segment_path(folder, name, 1) for name in ("w0", "w1"))
    frames = [end for end, _ in lanes.read_frames(other, 0, KEY)]
    one.write_bytes(one.read_bytes() + other.read_bytes()[frames[1] : frames[2]])
    assert Lane(folder, "w0", KEY).gap == frames[2] - frames[1]


def test_files_that_are_no_lanes_are_not_taken_for_some(folder: Path) -> None:
    append(Lane(folder, "w0", KEY), "p")
    for name in ("w0-x.log", "evil-00000001.log", "w1-00000001.log.bak", "w00000001.log", ".log"):
        (folder / name).write_bytes(b"x")
    assert lanes.lane_names(folder) == ["w0"]
    assert lanes.segment_numbers(folder, "w0") == [1]


def test_entries_are_flushed_to_the_disk_within_the_promised_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = threading.Event()
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        real(descriptor)
        if descriptor == lane._fd:
            flushed.set()

    lane = Lane(folder, "w0", KEY)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    begun = time.monotonic()
    append(lane, "p")
    assert flushed.wait(5)
    assert 0.02 < time.monotonic() - begun < 0.5


def test_a_flush_that_fails_once_stops_the_lane_although_the_next_would_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports a failed write to the disk once: asked again it says that all is well."""
    lane, asked = Lane(folder, "w0", KEY), threading.Event()

    def fdatasync(descriptor: int) -> None:
        if descriptor == lane._fd and not asked.is_set():
            asked.set()
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    append(lane, "p")
    assert asked.wait(5)
    time.sleep(0.1)
    for _ in range(2):
        with refused("log-unwritable"):
            lane.check_writable()
        with refused("log-unwritable"):
            append(lane, "p")


@pytest.mark.parametrize("room", [0, 10, 300])
def test_a_write_that_fails_or_is_cut_short_stops_the_lane(folder: Path, room: int) -> None:
    lane = Lane(folder, "w0", KEY)
    append(lane, "p")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (lanes.segment_path(folder, "w0", 1).stat().st_size + room, limits[1]))
    try:
        with refused("log-unwritable"):
            append(lane, *("p" * 5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with refused("log-unwritable"):  # room again, but what is in the file is not known any more
        append(lane, "p")
    count = lane.heads["p"][0]
    assert [one for _, one in read(folder)] == list(range(1, count + 1))
    assert Lane(folder, "w0", KEY).heads["p"][0] == count


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["", "ok", "access-denied"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_entry_made_from_a_form_is_what_the_encoder_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, principal: str, key: str, result: str, digested: bool
) -> None:
    folder = tmp_path_factory.mktemp("lanes")
    lane = Lane(folder, "w0", KEY)
    fields = {"event": 'key:"n":0,', "principal": f'"n":0,{principal}', "key": key + '"time":0}', "result": result}
    more = {"digest": "d" * 64, "details": {"items": 3}} if digested else {}
    lane.append("p", epoch=7, time=1001, **fields, **more)
    lane.append_alike(lane.form("p", epoch=7, **fields, **more), 1002)
    expected = [
        canonical_json(Entry(partition="p", lane="w0", n=n, epoch=7, time=1000 + n, **fields, **more)) for n in (1, 2)
    ]
    assert [one.entry for one in lanes.read_lane(folder, "w0", KEY, "", 9).entries] == expected
