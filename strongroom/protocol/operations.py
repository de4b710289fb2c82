"""The operations lane of the TEE's socket: one request for an operation or a batch of them, and its answer."""

import msgspec

from strongroom.protocol.instructions import Item, Parameters


class OperationRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One operation. `principal` is the API client that the portal authenticated (`client:…`).

    A batch has `items` and no `payload`; `parameters` are for all of its items. With `instruction` (a signed
    `Instruction`) the principal is the device that signed it, and mechanism, version and
    parameters are the instruction's; those given here are then ignored. No `mechanism`: the key type's first.
    A sealed request has `sealed` (`strongroom.protocol.sealed`) to the key `operations_key` instead of payload, items
    and parameters; `count` says how many items are inside, 0 for a single payload, and must be true.
    """

    principal: str
    partition: str
    key: str
    version: int
    operation: str
    mechanism: str
    payload: bytes
    parameters: Parameters = Parameters()
    instruction: str = ""
    items: list[Item] | None = None
    sealed: bytes = b""
    operations_key: str = ""
    count: int = 0


class OperationReply(msgspec.Struct, frozen=True, array_like=True):
    """`result` of verify is `b"\\x01"` or `b"\\x00"`. `session` comes with `session-stale`: the one in force.

    Of a batch `results` are in the items' order; `errors` has code and detail of those that failed, by index, whose
    result is empty. `code` is then for what was wrong with the batch as a whole. `target_version` and
    `target_mechanism`: under what the result of translate or rewrap is.
    To a sealed request all of these are inside `sealed`, and `statement` is the device's signed `OperationResult`.
    """

    code: str = ""
    detail: str = ""
    result: bytes = b""
    key: str = ""
    version: int = 0
    mechanism: str = ""
    session: str = ""
    results: list[bytes] = []
    errors: dict[int, tuple[str, str]] = {}
    target_version: int = 0
    sealed: bytes = b""
    statement: str = ""
    target_mechanism: str = ""
