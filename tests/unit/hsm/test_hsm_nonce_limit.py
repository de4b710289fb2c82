"""A key under random nonces stops at 2³² encryptions, reserved in blocks by all workers together."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm import loaded_keys, nonces
from hsm import records as r
from hsm.clock import Clock
from hsm.keytree import KeyTree
from hsm.lanes import Lane
from hsm.loaded_keys import LoadedKeys
from hsm.operations import Operator
from hsm.records import Records
from hsm.shared import Generations, Sessions
from hsm.standings import Standings
from hsm.store import Store
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.instructions import MAX_ITEMS, Item, Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support.hardware import Card
from tests.support.materials import make_terms
from tests.support.steps import answer_of

CLIENT = "client:cl_1"
USES = "partitions/pt_1/uses/key_1/1"


@pytest.fixture
def make_worker(tmp_path: Path) -> Callable[[str], Operator]:
    """Operators over one store, as workers are, with one key in one partition."""
    tree, generations, sessions = KeyTree(b"d" * 32, b"w" * 32), Generations(), Sessions(slots=64)
    (tmp_path / "lanes").mkdir()
    owner = Card("o", "").signing
    principals = [Principal(principal=CLIENT, rights=["encrypt", "decrypt", "translate"])]
    document = jws.sign(
        AccessList(partition="pt_1", version=1, previous="", owners=[public_credential(owner)], principals=principals),
        owner,
    )
    with Records(Store(tmp_path / "store.db"), tree, generations).transaction() as changes:
        changes.put("partitions/pt_1", r.Partition("acme", "", [public_credential(owner)], 1, document))
        for key in ("key_1", "key_2"):
            stored = r.StoredKey("", key, 1, make_terms(KeyType.AES_256).encode(), os.urandom(32))
            changes.put(f"partitions/pt_1/keys/{key}", r.NamedKey(key, 1))
            changes.put(f"partitions/pt_1/keys/{key}/1", stored)

    def make(lane: str) -> Operator:
        records = Records(Store(tmp_path / "store.db"), tree, generations)
        return Operator(
            records=records,
            loaded=LoadedKeys(records, Standings()),
            sessions=sessions,
            clock=Clock(),
            lane=Lane(tmp_path / "lanes", lane, tree.lane_key()),
            device="dev_1",
            epoch=1,
            sign=lambda statement: jws.sign(statement, owner),
        )

    return make


def encrypt(worker: Operator, operation: str = "encrypt", **changes: object) -> OperationReply:
    fields: dict[str, object] = {"mechanism": "AES-GCM", "payload": b"m", "key": "key_1"} | changes
    answer = worker.operate(
        OperationRequest(principal=CLIENT, partition="pt_1", version=0, operation=operation, **fields)  # type: ignore[arg-type]
    )
    return answer_of(answer)


def reserve(worker: Operator, count: int) -> None:
    with worker._records.transaction() as changes:
        changes.put(USES, r.Uses(count))


def reserved(worker: Operator) -> int:
    return worker._records.need(USES, r.Uses).reserved


def test_workers_reserve_blocks_that_do_not_overlap(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonces, "NONCE_BLOCK", 4)
    first, second = make_worker("w0"), make_worker("w1")
    for count in range(1, 9):
        assert encrypt(first).code == encrypt(second).code == ""
        assert reserved(first) == reserved(second) == 8 * ((count + 3) // 4)


def test_a_new_worker_never_uses_the_rest_of_a_dead_ones_block(make_worker: Callable[[str], Operator]) -> None:
    assert encrypt(make_worker("w0")).code == ""
    later = make_worker("w1")
    assert encrypt(later).code == ""
    assert reserved(later) == 2 * nonces.NONCE_BLOCK


def test_the_last_block_is_used_up_and_then_nothing_is_encrypted_any_more(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonces, "NONCE_BLOCK", 4)
    worker = make_worker("w0")
    reserve(worker, 2**32 - 4)
    replies = [encrypt(worker) for _ in range(6)]
    assert [one.code for one in replies] == [""] * 4 + ["key-not-active"] * 2
    assert reserved(worker) == 2**32
    # Nor by another worker, nor as the target of a translation; but what was encrypted can be decrypted.
    other = make_worker("w1")
    assert encrypt(other).code == "key-not-active"
    sealed = encrypt(other, key="key_2").result
    parameters = Parameters(target="key_1")
    assert encrypt(other, "translate", key="key_2", payload=sealed, parameters=parameters).code == "key-not-active"
    assert encrypt(other, "decrypt", payload=replies[0].result).result == b"m"


def test_the_limit_is_that_of_the_standard() -> None:
    assert nonces.NONCE_LIMIT == 2**32  # SP 800-38D §8.3
    assert nonces.NONCE_LIMIT % nonces.NONCE_BLOCK == 0
    # A batch takes its nonces from one block.
    assert MAX_ITEMS <= nonces.NONCE_BLOCK


def test_a_batch_takes_its_nonces_from_one_block_and_leaves_the_rest_of_the_last_unused(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonces, "NONCE_BLOCK", 4)
    worker, batch = make_worker("w0"), {"payload": b"", "items": [Item(b"m")] * 3}
    for count in (4, 8, 12):
        reply = encrypt(worker, **batch)
        assert (reply.code, len({one[:12] for one in reply.results}), reserved(worker)) == ("", 3, count)
    # One is left of the block: a single uses it, and only the next one needs another block.
    for count in (12, 16):
        assert encrypt(worker).code == ""
        assert reserved(worker) == count


def test_a_batch_that_the_limit_does_not_allow_is_refused_whole(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonces, "NONCE_BLOCK", 4)
    worker, batch = make_worker("w0"), {"payload": b"", "items": [Item(b"m")] * 3}
    reserve(worker, 2**32 - 4)
    assert encrypt(worker, **batch).code == ""
    reply = encrypt(worker, **batch)
    assert (reply.code, reply.results, reply.errors) == ("key-not-active", [], {})


def fail(payload: bytes = b"spoilt", *_: object) -> bytes:
    if payload == b"spoilt":
        raise RuntimeError(b"terces a".decode()[::-1])
    return payload


def test_a_defect_in_one_operation_is_on_record_and_answers(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = make_worker("w0")
    monkeypatch.setattr(loaded_keys, "prepare", lambda *_: fail)
    reply = encrypt(worker, payload=b"spoilt")
    assert (reply.code, reply.detail, reply.result) == ("internal", "", b"")
    assert worker._lane.heads["pt_1"][0] == 1
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text


def test_a_defect_at_one_item_of_a_batch_is_that_items_alone(
    make_worker: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loaded_keys, "prepare", lambda *_: fail)
    reply = encrypt(make_worker("w0"), payload=b"", items=[Item(b"a"), Item(b"spoilt"), Item(b"b")])
    assert (reply.code, reply.results, reply.errors) == ("", [b"a", b"", b"b"], {1: ("internal", "")})
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text
