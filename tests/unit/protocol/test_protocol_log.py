"""The log's arithmetic: a chain accepts one continuation, and a checkpoint only what it counts."""

from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.log import GENESIS, Entry, chain, check_extends, check_lane
from strongroom.protocol.statements import Checkpoint, LaneHead
from tests.support.refusals import refused

LANES = st.dictionaries(st.sampled_from(["admin", "w0", "w1"]), st.integers(1, 6), min_size=1)


def entries(lane: str, count: int, partition: str = "pt_1") -> list[bytes]:
    return [
        canonical_json(Entry(partition=partition, lane=lane, n=n, epoch=1, time=n, event="key:sign"))
        for n in range(1, count + 1)
    ]


def head(raw: list[bytes]) -> LaneHead:
    count, value = chain(raw)
    return LaneHead(count, value.hex())


def checkpoint(lanes: dict[str, int], **changes: object) -> Checkpoint:
    fields: dict[str, object] = {
        "device": "dev_1",
        "world": "wd_1",
        "partition": "pt_1",
        "boot_epoch": 1,
        "lanes": {lane: head(entries(lane, count)) for lane, count in lanes.items()},
        "nonce": "n" * 16,
        "issued_at": 1,
    }
    return Checkpoint(**(fields | changes))  # type: ignore[arg-type]


def raw(lanes: dict[str, int]) -> dict[str, list[bytes]]:
    return {lane: entries(lane, count) for lane, count in lanes.items()}


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(0, 8))
def test_a_chain_may_be_computed_in_pieces(all_: list[bytes], cut: int) -> None:
    count, middle = chain(all_[:cut])
    more, end = chain(all_[cut:], start=middle)
    assert (count + more, end) == chain(all_)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8))
def test_an_empty_chain_has_the_head_of_no_other(all_: list[bytes]) -> None:
    assert chain([]) == (0, GENESIS)
    assert chain(all_)[1] != GENESIS


@given(LANES, LANES)
def test_a_log_extends_another_exactly_where_no_lane_is_shorter_or_left_out(
    older: dict[str, int], newer: dict[str, int]
) -> None:
    if all(lane in newer and newer[lane] >= count for lane, count in older.items()):
        check_extends(checkpoint(older), checkpoint(newer), raw(newer))
    else:
        with refused("log-inconsistent"):
            check_extends(checkpoint(older), checkpoint(newer), raw(newer))


def test_a_lane_left_out_is_missed_even_where_its_entries_are_still_shown() -> None:
    older, newer = {"admin": 2, "w1": 3}, {"admin": 4}
    with refused("log-inconsistent"):
        check_extends(checkpoint(older), checkpoint(newer), raw({"admin": 4, "w1": 5}))


def test_another_device_partition_or_an_earlier_start_extends_nothing() -> None:
    lanes = {"admin": 2}
    for changes in ({"device": "dev_2"}, {"partition": "pt_2"}, {"boot_epoch": 0}):
        with refused("log-inconsistent"):
            check_extends(checkpoint(lanes), checkpoint(lanes, **changes), raw(lanes))
    check_extends(checkpoint(lanes), checkpoint(lanes, boot_epoch=2), raw(lanes))


def test_a_fork_is_found() -> None:
    other = {"admin": [*entries("admin", 1), *entries("admin", 2, "pt_2")[1:]]}
    with refused("log-inconsistent"):
        check_extends(checkpoint({"admin": 2}), checkpoint({"admin": 2}), other)


def test_entries_that_say_they_belong_elsewhere_are_refused_even_in_a_right_chain() -> None:
    for foreign in (entries("w1", 2), entries("admin", 2, "pt_2"), entries("admin", 3)[1:], [b"{}", b"no"]):
        with refused("log-inconsistent"):
            check_lane("admin", foreign, "pt_1", head(foreign))
    assert [one.n for one in check_lane("admin", entries("admin", 3), "pt_1", head(entries("admin", 3)))] == [1, 2, 3]
