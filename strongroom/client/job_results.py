"""What a bulk job came to: the device's sealed replies, opened with what the folder of its submitter keeps."""

from collections.abc import Iterator

import msgspec

from strongroom.client.batches import ItemError, ItemOutcome
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.client.jobs import KeptJob, Told, patiently, reply_key, status
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealed import OperationResult, open_reply

VALID = b"\x01"


class _Reply(msgspec.Struct, frozen=True):
    sealed: bytes
    statement: str


def results(connection: Connection, job: KeptJob, *, now: int, told: Told) -> Iterator[ItemOutcome]:
    """The outcome of every line, in order, each as the device vouches for it.

    Raises `Refused`: `conflict` where the job is not done; `result-mismatch`, `certificate-invalid`,
    `signature-invalid` where what came is not the device's answer to what was sent.
    """
    state = status(connection, job.job).get("status")
    if state != "done":
        raise Refused("conflict", f"the job is {state}")
    line = 0
    for number in range(len(job.chunks)):
        path = f"jobs/{segment(job.job)}/chunks/{number}"
        reply = patiently(lambda p=path: connection.portal.get(p, _Reply))  # type: ignore[misc]
        for outcome in _open(connection.home, job, number, reply, now):
            while line in job.unread:
                yield ItemOutcome(error=job.unread[line])
                line += 1
            yield outcome
            line += 1
        told(number + 1, len(job.chunks))
    while line in job.unread:
        yield ItemOutcome(error=job.unread[line])
        line += 1


def _open(home: Home, job: KeptJob, number: int, reply: _Reply, now: int) -> list[ItemOutcome]:
    """The answers of one chunk. Its reply key is in its request alone, so that a reply which it opens is to that."""
    binding = job.binding
    result, certified = verify_statement(reply.statement, OperationResult, home.manufacturer_roots(), "device", now)
    if not result.device == certified.device_id == binding.device or result.reply_digest != digest(reply.sealed):
        raise Refused("result-mismatch", f"chunk {number}: the device does not vouch for it")
    for name in ("partition", "key", "version", "operation", "mechanism"):
        if getattr(result, name) != getattr(binding, name):
            raise Refused("result-mismatch", f"chunk {number}: its {name} is not the one that was asked for")
    opened = open_reply(reply_key(job, number), result.request_digest, reply.sealed)
    if len(opened.results) != job.chunks[number]:
        raise Refused("result-mismatch", f"chunk {number}: {len(opened.results)} answers, {job.chunks[number]} items")
    verified = binding.operation == Usage.VERIFY
    return [
        ItemOutcome(error=ItemError(*opened.errors[place]))
        if place in opened.errors
        else ItemOutcome(valid=one == VALID)
        if verified
        else ItemOutcome(result=one)
        for place, one in enumerate(opened.results)
    ]
