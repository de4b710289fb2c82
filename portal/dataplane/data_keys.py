"""Data keys that wrap makes: where they were asked for in clear, the TEE's result is the key and then its wrapping."""

from collections.abc import Callable

from portal.dataplane.bodies import Body
from strongroom.protocol import jws
from strongroom.protocol.instructions import Instruction


def split(body: Body) -> Callable[[bytes], tuple[bytes, bytes | None]]:
    """Divides a result into the wrapped key and the clear one (None where the request did not ask for it)."""
    given = jws.read_unverified(body.instruction, Instruction).parameters if body.instruction else body.parameters
    length = given.generate if given.clear else 0
    return lambda result: (result[length:], result[:length] or None)
