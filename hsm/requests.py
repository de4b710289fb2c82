"""An operation request: what one may look like at all, and what is known of it while it is answered."""

from dataclasses import dataclass

from hsm.loaded_keys import LoadedKey
from hsm.sealed_operations import check_shape as check_sealed_shape
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Item, Parameters, check_batch, largest_payload
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationRequest

MAX_INSTRUCTION = 16 * 1024
_USAGES = frozenset(Usage)


@dataclass(slots=True)
class Asked:
    """What a request asks for, as far as it is known: for the entry in the log, whatever becomes of it."""

    principal: str
    mechanism: str
    parameters: Parameters
    target: LoadedKey | None = None
    target_mechanism: str = ""
    items: list[Item] | None = None
    failed: int = 0


def check_shape(request: OperationRequest) -> None:
    """Raise `Refused`. What is refused here is not worth an entry in the log: no portal that works sends it."""
    most = largest_payload(request.operation)
    if len(request.payload) > most:
        raise Refused("too-large", f"a payload has at most {most} bytes")
    if request.items is not None:
        if request.payload:
            raise Refused("malformed", "a batch has its payloads in its items")
        check_batch(request.items)
    if request.sealed:
        check_sealed_shape(request)
    if len(request.instruction) > MAX_INSTRUCTION:
        raise Refused("too-large", f"an instruction has at most {MAX_INSTRUCTION} characters")
    key, principal, target = len(request.key), len(request.principal), len(request.parameters.target)
    if request.operation not in _USAGES or max(key, principal, target, len(request.mechanism)) > 128:
        raise Refused("malformed", "no such operation, or a name is too long")
