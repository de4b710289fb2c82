"""A permit serves operations like the first one, and ends with whatever it was made from."""

import gc
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hsm import permits
from hsm import records as r
from hsm.clock import NANO, Clock, age_ns
from hsm.keytree import KeyTree
from hsm.lanes import Lane, read_lane
from hsm.loaded_keys import LoadedKey, LoadedKeys
from hsm.operations import Operator
from hsm.permits import like_of
from hsm.records import Records
from hsm.shared import Generations, Sessions
from hsm.standings import SUSPENDED, UNCHECKED, Standings
from hsm.store import Store
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.instructions import MAX_PAYLOAD, Item, Parameters
from strongroom.protocol.log import Entry
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.revocation import Revocation
from tests.support.hardware import Card, now
from tests.support.materials import make_terms
from tests.support.steps import answer_of

ALICE, BOB = "client:cl_alice", "client:cl_bob"
PARTITION, KEY = "partitions/pt_1", "partitions/pt_1/keys/key_1"
REQUEST = OperationRequest(
    principal=ALICE, partition="pt_1", key="key_1", version=0, operation="encrypt", mechanism="AES-GCM", payload=b"m"
)


class Worker:
    """One worker's parts over a store with a partition and a key, of which any can be changed behind its back."""

    def __init__(self, folder: Path) -> None:
        (folder / "lanes").mkdir()
        self.folder = folder
        self.tree = KeyTree(b"d" * 32, b"w" * 32)
        self.records = Records(Store(folder / "store.db"), self.tree, Generations())
        self.standings, self.clock = Standings(), Clock()
        self.loaded = LoadedKeys(self.records, self.standings)
        self.owner = Card("o", "").signing
        self.grant(1, ALICE)
        self.store_key(1)
        self.operator = Operator(
            records=self.records,
            loaded=self.loaded,
            sessions=Sessions(slots=64),
            clock=self.clock,
            lane=Lane(folder / "lanes", "w0", self.tree.lane_key()),
            device="dev_1",
            epoch=1,
            sign=lambda statement: jws.sign(statement, self.owner),
        )

    def grant(self, version: int, *principals: str) -> None:
        owners, rights = [public_credential(self.owner)], ["encrypt", "decrypt"]
        listed = [Principal(principal=one, rights=rights) for one in principals]  # type: ignore[arg-type]
        members = AccessList(partition="pt_1", version=version, previous="", owners=owners, principals=listed)
        self.put(PARTITION, r.Partition("acme", "", owners, version, jws.sign(members, self.owner)))

    def store_key(self, version: int, *, minimum: int = 0, destroyed: bool = False, **terms: Any) -> None:
        made = make_terms(KeyType.AES_256, **terms).encode()
        stored = r.StoredKey("", "key_1", version, made, b"" if destroyed else os.urandom(32), destroyed=destroyed)
        self.put(f"{KEY}/{version}", stored)
        self.put(KEY, r.NamedKey("key_1", version, minimum=minimum))

    def put(self, path: str, record: msgspec.Struct) -> None:
        with self.records.transaction() as changes:
            changes.put(path, record)

    def ask(self, **changes: Any) -> OperationReply:
        return answer_of(self.operator.operate(msgspec.structs.replace(REQUEST, **changes)))

    def entries(self) -> list[Entry]:
        found = read_lane(self.folder / "lanes", "w0", self.tree.lane_key(), "", 100).entries
        return [msgspec.json.decode(one.entry, type=Entry) for one in found]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def permitted(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    """A worker that has answered once under these terms, and has shown that it then looks nothing up again."""

    def make(**terms: Any) -> Worker:
        if terms:
            worker.store_key(1, **terms)
        if "revocation" in terms:
            answer(worker, age_ns() + 3600 * NANO)
        assert worker.ask().code == ""
        with monkeypatch.context() as context:
            context.delattr(LoadedKeys, "access")
            context.delattr(LoadedKeys, "key")
            assert worker.ask().code == ""
        return worker

    return make


def answer(worker: Worker, good_until: int, why: int = UNCHECKED) -> None:
    worker.standings.set(worker.standings.add(f"{KEY}/1"), good_until, 1, why)


# --- what ends a permit ---


def test_who_is_taken_off_the_access_list_is_refused_the_next_time(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    worker.grant(2, BOB)
    assert worker.ask().code == "access-denied"


def test_a_destroyed_version_is_refused_the_next_time(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    stored = worker.records.need(f"{KEY}/1", r.StoredKey)
    worker.put(f"{KEY}/1", msgspec.structs.replace(stored, destroyed=True, material=b""))
    assert worker.ask().code == "key-not-active"


def test_no_version_number_means_the_newest_as_soon_as_there_is_one(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    worker.store_key(2)
    assert worker.ask().version == 2


def test_a_version_below_a_new_minimum_is_refused_the_next_time(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    assert [worker.ask(version=1).code for _ in range(2)] == ["", ""]
    worker.put(KEY, r.NamedKey("key_1", 2, minimum=2))
    assert worker.ask(version=1).code == "version-below-minimum"


def test_a_key_is_refused_from_the_second_in_which_its_validity_ends(permitted: Callable[..., Worker]) -> None:
    worker = permitted(not_after=now() + 1000)
    worker.clock._shared[0] += 1000 * NANO
    assert worker.ask().code == "key-not-active"


def test_a_key_is_refused_once_the_answer_on_its_revocation_has_run_out_or_says_no(
    permitted: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsm.standings.WAIT_SECONDS", 0.01)
    terms = Revocation(url="https://alice.example/keys", token="t" * 16, public_keys=["a" * 64], every=60)
    worker = permitted(revocation=terms)
    answer(worker, age_ns() - 1)
    assert worker.ask().code == "key-suspended"
    answer(worker, age_ns() + 3600 * NANO)
    assert worker.ask().code == ""
    answer(worker, 0, SUSPENDED)
    assert worker.ask().code == "key-suspended"


def test_a_payload_that_is_too_large_is_refused_under_a_permit_too(permitted: Callable[..., Worker]) -> None:
    assert permitted().ask(payload=bytes(MAX_PAYLOAD + 1)).code == "too-large"


# --- for whom and what it is ---

OTHERS = [
    {"principal": BOB},
    {"partition": "pt_2"},
    {"key": "key_2"},
    {"version": 1},
    {"operation": "decrypt"},
    {"mechanism": "AES-CMAC"},
    {"parameters": Parameters(prehashed=True)},
    {"parameters": Parameters(format="raw")},
]


@pytest.mark.parametrize("change", OTHERS, ids=str)
def test_what_differs_in_anything_that_is_checked_needs_its_own(change: dict[str, Any]) -> None:
    base, other = like_of(REQUEST), like_of(msgspec.structs.replace(REQUEST, **change))
    assert base is not None
    assert other not in {base, None}


KINDS = [
    {"instruction": "a.b.c"},
    {"sealed": b"s"},
    {"items": [Item(b"m")], "payload": b""},
    {"operation": "rewrap"},
    *(
        {"parameters": Parameters(**{name: value})}  # type: ignore[arg-type]
        for name in Parameters.__struct_fields__
        for value in ["x" if isinstance(getattr(Parameters(), name), str) else 1]
        if name not in {"prehashed", "format", "signature", "aad"}
    ),
]


@pytest.mark.parametrize("change", KINDS, ids=str)
def test_instructions_sealed_requests_batches_and_rare_parameters_are_checked_each_time(change: dict[str, Any]) -> None:
    assert like_of(msgspec.structs.replace(REQUEST, **change)) is None


def test_additional_data_is_that_of_the_request_and_not_of_the_first(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    sealed = worker.ask(parameters=Parameters(aad="YQ")).result
    opened = [
        worker.ask(operation="decrypt", payload=sealed, parameters=Parameters(aad=aad)).code
        for aad in ("YQ", "Yg", "YQ")
    ]
    assert opened == ["", "ciphertext-invalid", ""]


# --- the record, and memory ---


def test_the_log_has_every_operation_also_those_refused_under_a_permit(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    sealed = worker.ask().result
    for payload in (sealed, sealed, sealed[:-1] + bytes([sealed[-1] ^ 1])):
        worker.ask(operation="decrypt", payload=payload)
    found = worker.entries()
    assert [(one.n, one.event, one.result) for one in found] == [
        (1, "key:encrypt", "ok"),
        (2, "key:encrypt", "ok"),
        (3, "key:encrypt", "ok"),
        (4, "key:decrypt", "ok"),
        (5, "key:decrypt", "ok"),
        (6, "key:decrypt", "ciphertext-invalid"),
    ]
    assert {(one.principal, one.key, one.mechanism, one.epoch) for one in found} == {(ALICE, "key_1", "AES-GCM", 1)}


def test_what_is_dropped_is_not_held_by_a_permit(permitted: Callable[..., Worker]) -> None:
    worker = permitted()
    kept: weakref.ref[LoadedKey] = weakref.ref(worker.loaded.key("pt_1", "key_1", 1))
    worker.operator.drop(f"{KEY}/2")
    assert kept() is not None
    worker.operator.drop(f"{KEY}/1")
    gc.collect()
    assert kept() is None


def test_permits_hold_on_to_no_more_than_they_may(
    permitted: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "MOST_OF_PERMITS", 60_000)
    worker = permitted()
    worker.grant(2, *(f"client:cl_{n}" for n in range(40)))
    for n in range(40):
        assert worker.ask(principal=f"client:cl_{n}").code == ""
        assert len(worker.operator._permits._kept) <= 11
