"""Sealed operations: what is asked is encrypted to the device, and of the answer the device's statement is checked."""

from dataclasses import dataclass
from typing import Any

import msgspec

from strongroom.client import operations_keys
from strongroom.client.connection import Connection
from strongroom.client.question import Question
from strongroom.protocol.access import client_principal, device_principal
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealed import (
    Binding,
    SealedContent,
    SealedReply,
    check_result,
    new_reply_key,
    open_reply,
    seal_content,
)

_VALID = b"\x01"


class SealedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's answer to a sealed request."""

    sealed: bytes
    statement: str


@dataclass(frozen=True)
class SealedCall:
    """A request as it is sent, what it is bound to, and the key that opens its reply. `items`: of a batch, how many."""

    sealed: bytes
    binding: Binding
    reply_key: bytes
    items: int | None


def seal(connection: Connection, question: Question, payload: bytes | list[Item], now: int) -> SealedCall:
    """Seal to the operations key of the device that holds the key. Raises `Refused` as `operations_keys.fetch`."""
    receipt = question.receipt
    key = operations_keys.fetch(connection, receipt.device, now)
    binding = Binding(
        device=receipt.device,
        operations_key=key.key_id,
        partition=receipt.partition,
        key=receipt.key_id,
        version=receipt.version,
        operation=question.operation.value,
        mechanism=question.mechanism,
    )
    reply_key = new_reply_key()
    batch = None if isinstance(payload, bytes) else payload
    content = SealedContent(reply_key, payload if isinstance(payload, bytes) else b"", question.parameters, batch)
    return SealedCall(
        seal_content(key.public_key, binding, content), binding, reply_key, None if batch is None else len(batch)
    )


def open_answer(
    connection: Connection, question: Question, call: SealedCall, answer: SealedAnswer, now: int
) -> dict[str, Any]:
    """The answer's members as one in clear would have them.

    Raises `Refused`: `result-mismatch` where the device does not vouch for exactly this reply to exactly this request,
    or for another principal than asked; `certificate-invalid`, `signature-invalid`, `statement-malformed`.
    """
    # 1. The device says that it is its reply to this.
    roots = connection.home.manufacturer_roots()
    result = check_result(answer.statement, roots, now, binding=call.binding, sealed=call.sealed, reply=answer.sealed)
    if not question.token_mode:
        wanted = device_principal(connection.home.credential("device"))
        if result.principal != wanted:
            raise Refused("result-mismatch", f"the device did it for {result.principal}")
    elif not result.principal.startswith(client_principal("")):
        raise Refused("result-mismatch", f"the device did it for {result.principal}")
    # 2. What is inside.
    reply = open_reply(call.reply_key, digest(call.sealed), answer.sealed)
    found = {"key_id": result.key, "version": result.version, "mechanism": result.mechanism}
    found |= {"target_version": reply.target_version, "target_mechanism": reply.target_mechanism}
    if call.items is None:
        return found | _result(question.operation, question.parameters, reply.result)
    if len(reply.results) != call.items:
        raise Refused("result-mismatch", f"{len(reply.results)} answers to {call.items} items")
    return found | {"results": [_item(question, reply, place) for place in range(call.items)]}


def _item(question: Question, reply: SealedReply, place: int) -> dict[str, Any]:
    if place in reply.errors:
        code, detail = reply.errors[place]
        return {"error": {"code": code, "detail": detail}}
    return _result(question.operation, question.parameters, reply.results[place])


def _result(operation: Usage, parameters: Parameters, result: bytes) -> dict[str, Any]:
    """`valid` of verify; of a data key that was wanted in clear `clear` and its wrapping; else `result`."""
    if operation is Usage.VERIFY:
        return {"valid": result == _VALID}
    length = parameters.generate if operation is Usage.WRAP and parameters.clear else 0
    return {"result": result[length:]} | ({"clear": result[:length]} if length else {})
