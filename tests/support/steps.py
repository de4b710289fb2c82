"""What a worker's operator answers, when nobody has to be answered in between."""

from hsm.batches import Steps
from strongroom.protocol.operations import OperationReply


def answer_of(answer: OperationReply | Steps[OperationReply]) -> OperationReply:
    """The answer, after as many steps as it takes."""
    while not isinstance(answer, OperationReply):
        try:
            next(answer)
        except StopIteration as done:
            return done.value
    return answer
