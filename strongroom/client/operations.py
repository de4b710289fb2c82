"""Operations with a key in the partition: sign, verify, encrypt, decrypt, hash, translate, derive (DESIGN §6).

In signed mode this machine's device key signs each instruction; in token mode the portal's word for the API client must
do, and a dishonest portal could then use the key.
"""

import secrets
from typing import Any

import msgspec

from strongroom.client import receipts
from strongroom.client.connection import Connection
from strongroom.client.files import write_private
from strongroom.client.http import SessionStale, segment
from strongroom.client.signatures import signature_holds
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Instruction, Parameters
from strongroom.protocol.mechanisms import Usage, default_mechanism
from strongroom.protocol.statements import Receipt

_BYTES = ("signature", "aad", "target_aad")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's answer to an operation: `result`, or `valid` for verify."""

    key_id: str
    version: int
    mechanism: str
    result: bytes = b""
    valid: bool | None = None


class _SessionAnswer(msgspec.Struct, frozen=True):
    session: str


def operate(
    connection: Connection,
    operation: Usage,
    key: str,
    payload: bytes,
    *,
    now: int,
    version: int = 0,
    mechanism: str = "",
    parameters: Parameters | None = None,
    token_mode: bool = False,
) -> Outcome:
    """Have the device carry out `operation` with `key` (name or id) on `payload`.

    Version 0 is the newest whose receipt is known here.

    Raises `Refused` with the device's code; `too-large` above 1 MiB; `signature-invalid` where a signature that came
    back is not by the key whose receipt is known, or where the answer to verify is not what that key says; `internal`
    where the answer is for something else than was asked.
    """
    if len(payload) > MAX_PAYLOAD:
        raise Refused("too-large", f"at most {MAX_PAYLOAD} bytes; of larger files sign or verify the digest")
    # 1. Which key it is, by the device's own receipt.
    receipt = receipts.find(connection, key, now, version)
    mechanism = mechanism or usual_mechanism(receipt, operation)
    parameters = _with_target(connection, parameters or Parameters(), operation, now)
    # 2. Ask: by an instruction that this device signs, or by the API client's token alone.
    if token_mode:
        body = _token_body(payload, mechanism, receipt.version, parameters)
        outcome = _post(connection, receipt.key_id, operation, body)
    else:
        instruction = Instruction(
            partition=receipt.partition,
            key=receipt.key_id,
            version=receipt.version,
            operation=operation,
            mechanism=mechanism,
            parameters=parameters,
            payload_digest=digest(payload),
            device=receipt.device,
            nonce="",
            session="",
        )
        outcome = _ask_signed(connection, instruction, payload)
    # 3. The answer is for what was asked; a signature is by this key, and whether one holds is known here too.
    if (outcome.key_id, outcome.version, outcome.mechanism) != (receipt.key_id, receipt.version, mechanism):
        raise Refused("internal", "the answer is for another key, version or mechanism")
    if operation is Usage.SIGN and not signature_holds(receipt, mechanism, payload, outcome.result, parameters):
        raise Refused("signature-invalid", "what came back is not a signature by this key")
    if operation is Usage.VERIFY:
        holds = signature_holds(receipt, mechanism, payload, from_b64u(parameters.signature), parameters)
        if outcome.valid is not holds:
            raise Refused(
                "signature-invalid", f"the answer says {outcome.valid}, but by the key's receipt it is {holds}"
            )
    return outcome


def usual_mechanism(receipt: Receipt, operation: Usage) -> str:
    """The mechanism that a key of this type has for the operation. Raises `Refused("mechanism-unsupported")`."""
    try:
        return default_mechanism(receipt.key_type, operation).value
    except KeyError:
        raise Refused("mechanism-unsupported", f"a key of type {receipt.key_type} cannot {operation}") from None


def _with_target(connection: Connection, parameters: Parameters, operation: Usage, now: int) -> Parameters:
    """The target of a translation by its key id, with its mechanism, as the TEE wants it."""
    if operation is not Usage.TRANSLATE:
        return parameters
    target = receipts.find(connection, parameters.target, now)
    return msgspec.structs.replace(
        parameters,
        target=target.key_id,
        target_mechanism=parameters.target_mechanism or usual_mechanism(target, Usage.TRANSLATE),
    )


def _ask_signed(connection: Connection, unsigned: Instruction, payload: bytes) -> Outcome:
    """Sign the instruction with a fresh nonce for the device's session, and send it."""
    device_key = connection.home.key("device")

    def ask(session: str) -> Outcome:
        nonce = b64u(secrets.token_bytes(24))
        instruction = msgspec.structs.replace(unsigned, nonce=nonce, session=session)
        body = {"payload": payload, "instruction": jws.sign(instruction, device_key)}
        return _post(connection, unsigned.key, unsigned.operation, body)

    try:
        return ask(_session(connection, unsigned.partition))
    except SessionStale as stale:
        # The device has started anew since the session was kept: once more, with the one in force.
        _keep_session(connection, unsigned.partition, stale.session)
        return ask(stale.session)


def _token_body(payload: bytes, mechanism: str, version: int, parameters: Parameters) -> dict[str, Any]:
    """The body of REST, where bytes are standard base64; in an instruction they are base64url."""
    plain: dict[str, Any] = msgspec.to_builtins(parameters)
    for name in _BYTES:
        if name in plain:
            plain[name] = from_b64u(plain[name])
    return {"payload": payload, "mechanism": mechanism, "version": version, "parameters": plain}


def _post(connection: Connection, key_id: str, operation: Usage, body: dict[str, Any]) -> Outcome:
    return connection.portal.post(f"keys/{segment(key_id)}/{operation.value}", body, Outcome)


def _session(connection: Connection, partition: str) -> str:
    path = connection.home.path / "sessions" / partition
    if path.exists():
        return path.read_text()
    session = connection.portal.get("session", _SessionAnswer, partition=partition).session
    _keep_session(connection, partition, session)
    return session


def _keep_session(connection: Connection, partition: str, session: str) -> None:
    write_private(connection.home.path / "sessions" / partition, session.encode())
