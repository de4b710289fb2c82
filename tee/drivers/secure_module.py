"""What the portal needs of a secure module, whatever it is made of."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

from strongroom.protocol.commands import Command
from strongroom.protocol.operations import OperationReply, OperationRequest

T = TypeVar("T")


class SecureModule(ABC):
    """A device that carries out commands and operations. Usable from many threads at once."""

    @abstractmethod
    def call(self, command: Command, reply_type: type[T]) -> T:
        """Carry out one administrative command.

        Raises `Refused`: what the device says, or `hsm-unreachable`, after which it may or may not have been done.
        """

    @abstractmethod
    def operate(self, request: OperationRequest) -> OperationReply:
        """Carry out one operation; a refusal is inside the reply.

        Raises `Refused("hsm-unreachable")`, after which it may or may not have been done.
        """

    @abstractmethod
    def operate_together(self, requests: list[OperationRequest]) -> Iterator[OperationReply]:
        """Carry out short operations one after another; the reply to each in order, as it comes.

        Raises `Refused("hsm-unreachable")`, after which those without a reply may or may not have been done.
        """
