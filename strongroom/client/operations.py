"""Operations with a key in the partition: every `Usage` that its terms name.

In signed mode this machine's device key signs each instruction; in token mode the portal's word for the API client must
do, and a dishonest portal could then use the key (DESIGN §6).
"""

import msgspec

from strongroom.client import asking
from strongroom.client.asking import usual_mechanism
from strongroom.client.connection import Connection
from strongroom.client.question import Question
from strongroom.client.signatures import signature_holds
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters, largest_payload
from strongroom.protocol.mechanisms import Usage

__all__ = ["Outcome", "check_answers", "operate", "usual_mechanism"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's answer to an operation: `result`, or `valid` for verify.

    `clear`: the data key itself, where it was asked for. `target_version`, `target_mechanism`: what the result of
    translate or rewrap is under. `sealed`: whether the provider saw neither payload nor result, which is not its word.
    """

    key_id: str
    version: int
    mechanism: str
    result: bytes = b""
    valid: bool | None = None
    clear: bytes = b""
    target_version: int = 0
    target_mechanism: str = ""
    sealed: bool = False


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
    sealed: bool = False,
) -> Outcome:
    """Have the device carry out `operation` with `key` (name or id) on `payload`.

    Version 0 is the newest whose receipt is known here.

    Raises `Refused` with the device's code; `too-large` above 1 MiB; `signature-invalid` where a signature that came
    back is not by the key whose receipt is known, or where the answer to verify is not what that key says; `internal`
    where the answer is for something else than was asked. `sealed`: neither payload nor result is seen by the provider,
    and `result-mismatch` where the device does not vouch for the answer.
    """
    if len(payload) > largest_payload(operation):
        raise Refused(
            "too-large", f"at most {largest_payload(operation)} bytes; of larger files sign or verify the digest"
        )
    # 1. Which key it is, by the device's own receipt.
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
    # 2. Ask: by an instruction that this device signs, or by the API client's token alone.
    answer = asking.ask(connection, question, payload, Outcome, now)
    outcome = msgspec.structs.replace(answer, sealed=question.sealed)
    # 3. The answer is for what was asked; a signature is by this key, and whether one holds is known here too.
    check_answers(question, outcome.key_id, outcome.version, outcome.mechanism)
    check_target(question, outcome.target_version)
    if not question.receipt.public_key:
        return outcome
    if operation is Usage.SIGN and not _holds(question, payload, outcome.result):
        raise Refused("signature-invalid", "what came back is not a signature by this key")
    if operation is Usage.VERIFY:
        holds = _holds(question, payload, from_b64u(question.parameters.signature))
        if outcome.valid is not holds:
            raise Refused(
                "signature-invalid", f"the answer says {outcome.valid}, but by the key's receipt it is {holds}"
            )
    return outcome


def check_answers(question: Question, key_id: str, version: int, mechanism: str) -> None:
    """Raise `Refused("internal")` where an answer is for something else than was asked."""
    receipt = question.receipt
    if (key_id, version, mechanism) != (receipt.key_id, receipt.version, question.mechanism):
        raise Refused("internal", "the answer is for another key, version or mechanism")


def check_target(question: Question, target_version: int) -> None:
    """Raise `Refused("internal")` where rewrap went to an older version than it came from."""
    if question.operation is Usage.REWRAP and target_version < question.receipt.version:
        raise Refused("internal", "the answer does not say to which version it went")


def _holds(question: Question, payload: bytes, signature: bytes) -> bool:
    return signature_holds(question.receipt, question.mechanism, payload, signature, question.parameters)
