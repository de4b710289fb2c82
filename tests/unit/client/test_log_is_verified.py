"""The log must be exactly what the device's checkpoint states, and continue what was seen before."""

import msgspec
import pytest
from authorities import PARTITION
from simulator import Simulator

from strongroom.client import log
from strongroom.client.connection import Connection
from strongroom.client.log import verify
from strongroom.protocol.errors import Refused


@pytest.fixture
def logged(listed: Connection, provider: Simulator) -> Connection:
    """A partition with two lanes: three administrative entries and two operations."""
    for event in ("partition:define", "access:update", "key:import"):
        provider.record("admin", event)
    for _ in range(2):
        provider.record("1", "key:sign")
    return listed


def never(_: float) -> None:
    raise AssertionError("nothing to wait for")


def test_an_honest_log_verifies_and_its_checkpoint_is_kept(logged: Connection, now: int) -> None:
    verified = verify(logged, now, never)
    assert {lane: len(entries) for lane, entries in verified.lanes.items()} == {"admin": 3, "1": 2}
    assert verified.events()["key:sign", "ok"] == 2
    assert verified.extends is None
    assert logged.home.kept("checkpoints", PARTITION)


def test_a_longer_log_continues_the_kept_checkpoint(logged: Connection, provider: Simulator, now: int) -> None:
    verify(logged, now, never)
    provider.record("1", "key:sign")
    provider.record("2", "key:sign")
    assert verify(logged, now, never).extends is not None


def test_a_log_longer_than_a_page_is_fetched_whole(
    logged: Connection, provider: Simulator, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "PAGE", 2)
    assert len(verify(logged, now, never).lanes["admin"]) == 3


def test_an_altered_entry_is_noticed(logged: Connection, provider: Simulator, now: int) -> None:
    provider.answers[f"GET /partitions/{PARTITION}/log"] = lambda: {
        "lanes": ["admin"],
        "entries": [{"lane": "admin", "n": 1, "entry": b"altered"}] * 5,
    }
    with pytest.raises(Refused, match="log-inconsistent"):
        verify(logged, now, never)


def test_a_copy_that_catches_up_is_waited_for(logged: Connection, provider: Simulator, now: int) -> None:
    late = provider.entries["1"]
    heads = provider._checkpoint
    provider.lies["checkpoint"] = lambda statement: statement
    whole = list(late)

    def checkpoint(partition: str, nonce: str) -> str:
        token = heads(partition, nonce)
        late.clear()
        return token

    provider._checkpoint = checkpoint  # type: ignore[method-assign]
    waits: list[float] = []

    def catch_up(seconds: float) -> None:
        waits.append(seconds)
        late.extend(whole)

    assert len(verify(logged, now, catch_up).lanes["1"]) == 2
    assert len(waits) == 1


def test_entries_that_never_come_are_a_cut_log(logged: Connection, provider: Simulator, now: int) -> None:
    provider.answers[f"GET /partitions/{PARTITION}/log"] = lambda: {"lanes": ["admin"], "entries": []}
    waits: list[float] = []
    with pytest.raises(Refused, match="log-inconsistent"):
        verify(logged, now, waits.append)
    assert sum(waits) >= 15


def test_a_rolled_back_log_is_noticed_although_its_new_checkpoint_is_signed(
    logged: Connection, provider: Simulator, now: int
) -> None:
    verify(logged, now, never)
    provider.entries["1"].pop()
    with pytest.raises(Refused, match="log-inconsistent"):
        verify(logged, now, never)


def test_a_forked_log_is_noticed_although_its_new_checkpoint_is_signed(
    logged: Connection, provider: Simulator, now: int
) -> None:
    verify(logged, now, never)
    provider.entries["1"].clear()
    for event in ("key:decrypt", "key:sign", "key:sign"):
        provider.record("1", event)
    with pytest.raises(Refused, match="log-inconsistent"):
        verify(logged, now, never)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"nonce": "an-older-nonce"}, "nonce-mismatch"),
        ({"issued_at": 1_700_000_000}, "stale"),
        ({"partition": "pt_other"}, "log-inconsistent"),
        ({"device": "dev_other"}, "log-inconsistent"),
    ],
)
def test_a_checkpoint_that_is_not_the_answer_to_us_is_refused(
    logged: Connection, provider: Simulator, now: int, lie: dict[str, str | int], code: str
) -> None:
    provider.lies["checkpoint"] = lambda statement: msgspec.structs.replace(statement, **lie)
    with pytest.raises(Refused) as refused:
        verify(logged, now, never)
    assert refused.value.code == code
    assert not logged.home.kept("checkpoints", PARTITION)
