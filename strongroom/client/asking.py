"""How an operation is asked for: by an instruction that this device signs, or on the API client's token alone."""

import secrets
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from strongroom.client import receipts, sealed_calls
from strongroom.client.connection import Connection
from strongroom.client.files import write_private
from strongroom.client.http import SessionStale, segment
from strongroom.client.question import Question
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest, from_b64u
from strongroom.protocol.instructions import SEALED, Instruction, Item, Parameters, batch_digest
from strongroom.protocol.mechanisms import Usage, default_mechanism
from strongroom.protocol.statements import Receipt

T = TypeVar("T")
ITEMS_A_SECOND = 20
"""Of a batch, at the least: the slowest are signatures by RSA-4096."""
_BYTES = ("signature", "aad", "salt", "target_aad")


class _SessionAnswer(msgspec.Struct, frozen=True):
    session: str


def prepare(
    connection: Connection,
    operation: Usage,
    key: str,
    *,
    now: int,
    version: int,
    mechanism: str,
    parameters: Parameters | None,
    token_mode: bool,
    sealed: bool = False,
) -> Question:
    """Which key it is, by the device's own receipt, and how: sealed also where the folder says so for all.

    Raises `Refused`, also where the key type cannot do it.
    """
    receipt = receipts.find(connection, key, now, version)
    mechanism = mechanism or usual_mechanism(receipt, operation)
    given = parameters or Parameters()
    if operation is Usage.TRANSLATE:
        # The target by its key id, with its mechanism, as the TEE wants it.
        target = receipts.find(connection, given.target, now)
        chosen = given.target_mechanism or usual_mechanism(target, Usage.ENCRYPT)
        given = msgspec.structs.replace(given, target=target.key_id, target_mechanism=chosen)
    sealed = sealed or connection.home.config().sealed
    return Question(receipt, operation, mechanism, given, token_mode, sealed)


def usual_mechanism(receipt: Receipt, operation: Usage) -> str:
    """The mechanism that a key of this type has for the operation. Raises `Refused("mechanism-unsupported")`."""
    return default_mechanism(receipt.key_type, operation).value


def ask(connection: Connection, question: Question, payload: bytes | list[Item], answer: type[T], now: int) -> T:
    """Send one payload, or the items of a batch, sealed where that is wanted.

    Raises `Refused` with the portal's or the device's code, and for what is sealed what `sealed_calls` does.
    """
    if question.sealed:
        call = sealed_calls.seal(connection, question, payload, now)
        body = {"sealed": call.sealed, "operations_key": call.binding.operations_key, "count": call.items or 0}
        outside = replace(question, parameters=Parameters())
        reply = _send(connection, outside, call.sealed, body, sealed_calls.SealedAnswer)
        return msgspec.convert(sealed_calls.open_answer(connection, question, call, reply, now), answer)
    if isinstance(payload, bytes):
        sent: dict[str, Any] = {"payload": payload}
    else:
        sent = {"items": [_item(one) for one in payload]}
    return _send(connection, question, payload, sent, answer)


def _send(
    connection: Connection, question: Question, payload: bytes | list[Item], sent: dict[str, Any], answer: type[T]
) -> T:
    if question.token_mode:
        plain = {
            "mechanism": question.mechanism,
            "version": question.receipt.version,
            "parameters": _plain(question.parameters),
        }
        return _post(connection, question, sent | plain, answer)
    return _ask_signed(connection, question, payload, sent, answer)


def _ask_signed(
    connection: Connection, question: Question, payload: bytes | list[Item], sent: dict[str, Any], answer: type[T]
) -> T:
    """Sign the instruction with a fresh nonce for the device's session, and send it."""
    receipt, device_key = question.receipt, connection.home.key("device")
    single = isinstance(payload, bytes)
    unsigned = Instruction(
        partition=receipt.partition,
        key=receipt.key_id,
        version=receipt.version,
        operation=question.operation,
        mechanism=question.mechanism,
        parameters=question.parameters,
        payload_digest=digest(payload) if isinstance(payload, bytes) else batch_digest(payload),
        items=0 if single else len(payload),
        recipient=SEALED if question.sealed else "",
        device=receipt.device,
        nonce="",
        session="",
    )

    def attempt(session: str) -> T:
        nonce = b64u(secrets.token_bytes(24))
        instruction = jws.sign(msgspec.structs.replace(unsigned, nonce=nonce, session=session), device_key)
        return _post(connection, question, sent | {"instruction": instruction}, answer)

    try:
        return attempt(_session(connection, receipt.partition))
    except SessionStale as stale:
        # The device has started anew since the session was kept: once more, with the one in force.
        _keep_session(connection, receipt.partition, stale.session)
        return attempt(stale.session)


def _item(item: Item) -> dict[str, bytes]:
    """As REST has it: what is empty is left out."""
    parts = {"payload": item.payload, "signature": item.signature, "aad": item.aad}
    return {name: part for name, part in parts.items() if part or name == "payload"}


def _plain(parameters: Parameters) -> dict[str, Any]:
    """As REST has them: bytes in standard base64; in an instruction they are base64url."""
    plain: dict[str, Any] = msgspec.to_builtins(parameters)
    return {name: from_b64u(value) if name in _BYTES else value for name, value in plain.items()}


def _post(connection: Connection, question: Question, body: dict[str, Any], answer: type[T]) -> T:
    path = f"keys/{segment(question.receipt.key_id)}/{question.operation.value}"
    items = len(body.get("items", ())) or body.get("count", 0)
    return connection.portal.post(path, body, answer, patience=items / ITEMS_A_SECOND)


def _session(connection: Connection, partition: str) -> str:
    path = connection.home.path / "sessions" / partition
    if path.exists():
        return path.read_text()
    session = connection.portal.get("session", _SessionAnswer, partition=partition).session
    _keep_session(connection, partition, session)
    return session


def _keep_session(connection: Connection, partition: str, session: str) -> None:
    write_private(connection.home.path / "sessions" / partition, session.encode())
