"""Many operations with one key in one request: each item has its own result or error, checked as a single one's."""

from collections.abc import Iterable, Iterator

import msgspec

from strongroom.client import asking
from strongroom.client.connection import Connection
from strongroom.client.operations import check_answers, check_target
from strongroom.client.question import Question
from strongroom.client.signatures import checker
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_BATCH, Item, Parameters, check_batch, item_bytes, most_items
from strongroom.protocol.mechanisms import Usage


class ItemError(msgspec.Struct, frozen=True):
    code: str
    detail: str


class ItemOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item's answer: `error`, else `valid` for verify, else `result`."""

    result: bytes | None = None
    valid: bool | None = None
    error: ItemError | None = None
    clear: bytes | None = None


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's answer to a batch, in the order of its items. `sealed` as of `Outcome`."""

    results: list[ItemOutcome]
    key_id: str
    version: int
    target_version: int = 0
    mechanism: str
    target_mechanism: str = ""
    sealed: bool = False


def operate_batch(
    connection: Connection,
    operation: Usage,
    key: str,
    items: list[Item],
    *,
    now: int,
    version: int = 0,
    mechanism: str = "",
    parameters: Parameters | None = None,
    token_mode: bool = False,
    sealed: bool = False,
) -> BatchOutcome:
    """Have the device carry out `operation` with `key` (name or id) on each item. One signature is over all of them.

    Raises `Refused` as `operate` does, `signature-invalid` also where one item's answer is a lie; `batch-too-large` for
    more than one batch may have (`in_batches` splits what is longer). What is refused of an item is in its outcome.
    """
    # 1. Which key it is, by the device's own receipt.
    check_batch(items)
    question = asking.prepare(
        connection,
        operation,
        key,
        now=now,
        version=version,
        mechanism=mechanism,
        parameters=parameters,
        token_mode=token_mode,
        sealed=sealed,
    )
    # 2. Ask.
    answer = asking.ask(connection, question, items, BatchOutcome, now)
    outcome = msgspec.structs.replace(answer, sealed=question.sealed)
    # 3. The answers are for what was asked, and each signature is by this key.
    check_answers(question, outcome.key_id, outcome.version, outcome.mechanism)
    check_target(question, outcome.target_version)
    _check_each(question, items, outcome.results)
    return outcome


def in_batches(items: Iterable[Item], operation: Usage, mechanism: str, length: int = 0) -> Iterator[list[Item]]:
    """Split what is longer than one batch may be. `mechanism` is the one by which it will be done."""
    most = most_items(operation, mechanism, length)
    batch: list[Item] = []
    size = 0
    for item in items:
        own = item_bytes(item)
        if batch and (len(batch) == most or size + own > MAX_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += own
    if batch:
        yield batch


def _check_each(question: Question, items: list[Item], outcomes: list[ItemOutcome]) -> None:
    if len(outcomes) != len(items):
        raise Refused("internal", f"{len(outcomes)} answers to {len(items)} items")
    operation = question.operation
    wanted = "valid" if operation is Usage.VERIFY else "result"
    for index, one in enumerate(outcomes):
        if one.error is None and getattr(one, wanted) is None:
            raise Refused("internal", f"item {index} has no answer")
    if operation not in {Usage.SIGN, Usage.VERIFY} or not question.receipt.public_key:
        return
    holds = checker(question.receipt, question.mechanism, question.parameters)
    aad = from_b64u(question.parameters.aad)
    for index, (item, one) in enumerate(zip(items, outcomes, strict=True)):
        if one.error is not None:
            continue
        if operation is Usage.SIGN and not holds(item.payload, one.result or b"", item.aad or aad):
            raise Refused("signature-invalid", f"item {index}: what came back is not a signature by this key")
        if operation is Usage.VERIFY and one.valid is not holds(item.payload, item.signature, item.aad or aad):
            raise Refused("signature-invalid", f"item {index}: the answer is not what the key's receipt says")
