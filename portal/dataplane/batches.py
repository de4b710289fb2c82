"""A batch over HTTP: as few round trips to the TEE as frames allow, and each item's answer in its place."""

from collections.abc import Callable, Iterator, Sequence

from portal.dataplane.bodies import Asked, BatchAnswer, Errors, ItemAnswer, ItemError
from portal.dataplane.data_keys import split
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import MAX_BATCH, MAX_ITEMS, Item, item_bytes, largest_payload, most_items
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply

CHUNK_ITEMS = 200
"""So many items are one turn (`portal.dataplane.turns`); a round trip costs little beside them."""

Ask = Callable[[list[Item], int, str], OperationReply]
"""(items, version, mechanism) to the TEE. Raises `Refused` for what it refuses as a whole."""
VALID = b"\x01"


def operate_batch(
    asked: Asked,
    items: list[Item | None],
    *,
    key_id: str,
    operation: str,
    ask: Ask,
    between: Callable[[], None],
) -> BatchAnswer:
    """Answer every item; `between` is called between two round trips.

    Raises `Refused`: `malformed`, `batch-too-large`, and what the TEE says of the whole.
    """
    # 1. Which items the TEE is asked about: all under one signature, or those that can be, in chunks.
    check_count(items)
    if asked.body.instruction:
        chunks = [_signed(asked, items)]
    else:
        chunks = list(_chunks(_sendable(items, asked.errors, largest_payload(operation)), operation, asked))
    # 2. Ask. What refuses the first chunk refuses the batch; later, what was done before is not lost.
    results: dict[int, bytes] = {}
    errors = dict(asked.errors)
    version, mechanism, target, target_mechanism = asked.body.version, asked.body.mechanism, 0, ""
    for number, chunk in enumerate(chunks):
        if number:
            between()
        try:
            reply = ask([item for _, item in chunk], version, mechanism)
        except Refused as refused:
            if not number:
                raise
            left = (index for rest in chunks[number:] for index, _ in rest)
            errors.update(dict.fromkeys(left, (refused.code, refused.detail)))
            break
        # The version that was current for the first chunk is so for all.
        version, mechanism = reply.version, reply.mechanism
        target, target_mechanism = reply.target_version, reply.target_mechanism
        for place, (index, _) in enumerate(chunk):
            if place in reply.errors:
                errors[index] = reply.errors[place]
            else:
                results[index] = reply.results[place]
    # 3. The answers in the items' order.
    answer = _answer_of(operation, asked)
    return BatchAnswer(
        results=[answer(results[n]) if n in results else _error(errors[n]) for n in range(len(items))],
        key_id=key_id,
        version=version,
        target_version=target,
        mechanism=mechanism,
        target_mechanism=target_mechanism,
    )


def check_count(items: Sequence[object]) -> None:
    """Raises `Refused`: `malformed` for a batch without items, `batch-too-large`."""
    if not items:
        raise Refused("malformed", "a batch without items")
    if len(items) > MAX_ITEMS:
        raise Refused("batch-too-large", f"a batch has at most {MAX_ITEMS} items")


Chunk = list[tuple[int, Item]]


def _signed(asked: Asked, items: list[Item | None]) -> Chunk:
    """One digest is for all items, so that none can be left out and they go in one frame."""
    chunk = [(index, item) for index, item in enumerate(items) if item is not None]
    if asked.errors:
        index, (_, detail) = min(asked.errors.items())
        raise Refused("malformed", f"item {index}: {detail}")
    if sum(item_bytes(item) for _, item in chunk) > MAX_BATCH:
        raise Refused("batch-too-large", f"a batch under one signature has at most {MAX_BATCH} bytes")
    return chunk


def _sendable(items: list[Item | None], errors: Errors, most: int) -> Iterator[tuple[int, Item]]:
    """The items that fit into a frame; what is too large for one is in the errors then."""
    for index, item in enumerate(items):
        if item is None:
            continue
        if len(item.payload) > most:
            errors[index] = ("too-large", f"a payload holds at most {most} bytes")
        elif item_bytes(item) > MAX_BATCH:
            errors[index] = ("too-large", f"payload, `signature` and `aad` have at most {MAX_BATCH} bytes together")
        else:
            yield index, item


def _chunks(items: Iterator[tuple[int, Item]], operation: str, asked: Asked) -> Iterator[Chunk]:
    most = most_items(operation, asked.body.mechanism, asked.body.parameters.length)
    most = max(1, min(CHUNK_ITEMS, most))
    chunk: Chunk = []
    size = 0
    for index, item in items:
        own = item_bytes(item)
        if chunk and (len(chunk) == most or size + own > MAX_BATCH):
            yield chunk
            chunk, size = [], 0
        chunk.append((index, item))
        size += own
    if chunk:
        yield chunk


def _answer_of(operation: str, asked: Asked) -> Callable[[bytes], ItemAnswer]:
    if operation == Usage.VERIFY:
        return lambda result: ItemAnswer(valid=result == VALID)
    if operation == Usage.WRAP:
        parts = split(asked.body)

        def data_key(result: bytes) -> ItemAnswer:
            wrapped, clear = parts(result)
            return ItemAnswer(wrapped, clear=clear)

        return data_key
    return ItemAnswer


def _error(error: tuple[str, str]) -> ItemAnswer:
    code = error[0] if error[0] in CATALOGUE else "internal"
    return ItemAnswer(error=ItemError(code, error[1] or CATALOGUE[code].sentence))
