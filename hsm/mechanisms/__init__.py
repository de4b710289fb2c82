"""What the device computes with a key, mechanism by mechanism: pure functions, prepared once and run for each item."""

from collections.abc import Callable

from hsm.material import Key
from hsm.mechanisms.agreement import AGREEMENT
from hsm.mechanisms.ciphers import CIPHERS
from hsm.mechanisms.digests import DIGESTS
from hsm.mechanisms.kinds import INVALID, VALID, Prepared
from hsm.mechanisms.signatures import SIGNATURES
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

__all__ = ["INVALID", "VALID", "Prepared", "prepare"]

_PREPARE: dict[tuple[Usage, Mechanism], Callable[[Key, Parameters], Prepared]] = {
    **SIGNATURES,
    **CIPHERS,
    **DIGESTS,
    **AGREEMENT,
}


def prepare(operation: Usage, mechanism: Mechanism, key: Key, parameters: Parameters) -> Prepared:
    """What does one operation other than translate: a function of payload, signature and additional data.

    Raises `Refused("mechanism-unsupported")`; the function raises `Refused` where an item does not fit.
    """
    try:
        make = _PREPARE[operation, mechanism]
    except KeyError:
        raise Refused("mechanism-unsupported", f"{mechanism} cannot {operation}") from None
    return make(key, parameters)
