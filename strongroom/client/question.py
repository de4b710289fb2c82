"""What an operation is asked with, before anything of it is signed or sealed."""

from dataclasses import dataclass

from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.statements import Receipt


@dataclass(frozen=True)
class Question:
    """An operation with a key whose receipt is known, by one mechanism."""

    receipt: Receipt
    operation: Usage
    mechanism: str
    parameters: Parameters
    token_mode: bool
    sealed: bool = False
