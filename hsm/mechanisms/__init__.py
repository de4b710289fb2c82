"""What the device computes with a key, mechanism by mechanism: pure functions, prepared once and run for each item."""

from collections.abc import Callable

from hsm.material import Key
from hsm.mechanisms.agreement import AGREEMENT
from hsm.mechanisms.ciphers import CIPHERS
from hsm.mechanisms.digests import DIGESTS
from hsm.mechanisms.kinds import INVALID, VALID, Prepared
from hsm.mechanisms.requests import REQUESTS
from hsm.mechanisms.signatures import SIGNATURES
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import REGISTRY, Mechanism, Usage

__all__ = ["INVALID", "VALID", "Prepared", "prepare"]

_PREPARE: dict[tuple[Usage, Mechanism], Callable[[Key, Parameters], Prepared]] = {
    **SIGNATURES,
    **CIPHERS,
    **DIGESTS,
    **AGREEMENT,
    **REQUESTS,
}
_MAKING = ("prehashed", "format", "salt", "length", "generate", "clear")


def prepare(operation: Usage, mechanism: Mechanism, key: Key, parameters: Parameters) -> Prepared:
    """What does one operation other than translate: a function of payload, signature and additional data.

    Raises `Refused("mechanism-unsupported")`; the function raises `Refused` where an item does not fit. A parameter
    that the mechanism does not take is refused and never ignored: whoever sends it believes that it counts.
    """
    try:
        make = _PREPARE[operation, mechanism]
    except KeyError:
        raise Refused("mechanism-unsupported", f"{mechanism} cannot {operation}") from None
    takes = REGISTRY[mechanism].parameters
    for name in _MAKING:
        if getattr(parameters, name) and name not in takes:
            raise Refused("mechanism-unsupported", f"{mechanism} takes no `{name}`")
    run = make(key, parameters)
    takes_aad, takes_signature = "aad" in takes, operation is Usage.VERIFY
    if takes_aad and takes_signature:
        return run

    def checked(payload: bytes, signature: bytes, aad: bytes) -> bytes:
        if aad and not takes_aad:
            raise Refused("mechanism-unsupported", f"{mechanism} takes no `aad`")
        if signature and not takes_signature:
            raise Refused("mechanism-unsupported", f"{operation} takes no `signature`")
        return run(payload, signature, aad)

    return checked
