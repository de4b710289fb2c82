"""Bulk jobs: a file of many lines, sealed chunk by chunk here, carried out in the background.

`job_results` opens the answers.
The reply keys of all chunks come from one secret, in `jobs/JOB.json` of the folder, which never leaves it. Whoever is
interrupted continues: what the portal has of a job is not sent again.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.client import asking, operations_keys
from strongroom.client.account import Record
from strongroom.client.batches import ItemError
from strongroom.client.connection import Connection
from strongroom.client.files import read_file, write_private
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.client.job_files import Form, file_digest, in_chunks, read_items
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest, make_id, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MOST_DEFERRED, SEALED, Instruction, Item, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealed import REPLY_KEY, Binding, SealedContent, seal_content

T = TypeVar("T")
Told = Callable[[int, int], None]
"""Is told of so many chunks of so many."""
PATIENCE_SECONDS = 60.0
"""So long what does not answer, or not now, is asked again."""
QUOTA_SECONDS = 600.0
"""So long a minute is waited for in which the quota leaves room for the next chunk."""
_PAUSE_SECONDS = 1.0
_LABEL = b"strongroom-job-reply-1\x00"


class KeptJob(msgspec.Struct, frozen=True, kw_only=True):
    """`jobs/JOB.json`: what opens the results. `chunks`: how many items each has; `unread`: lines that are no item."""

    v: Literal[1] = 1
    job: str
    binding: Binding
    parameters: Parameters
    signed: bool
    form: Form
    secret: bytes
    chunks: list[int]
    unread: dict[int, ItemError]
    source_digest: str

    def __repr__(self) -> str:
        return f"KeptJob({self.job})"


class _Opened(msgspec.Struct, frozen=True):
    id: str


class _Stored(msgspec.Struct, frozen=True):
    number: int


def submit(
    connection: Connection,
    operation: Usage,
    key: str,
    source: Path,
    form: Form,
    *,
    now: int,
    told: Told,
    version: int = 0,
    mechanism: str = "",
    parameters: Parameters | None = None,
    token_mode: bool = False,
    callback: str = "",
) -> str:
    """Have `operation` carried out on each line of a file; the job's id, as soon as all of it is with the portal.

    Raises `Refused` as `operate` does, and `malformed` for a file without items.
    """
    # 1. Which key it is, by the device's own receipt, and what is to be sealed to.
    question = asking.prepare(
        connection,
        operation,
        key,
        now=now,
        version=version,
        mechanism=mechanism,
        parameters=parameters,
        token_mode=token_mode,
    )
    receipt = question.receipt
    operations_key = operations_keys.fetch(connection, receipt.device, now)
    # 2. How the file falls into chunks.
    unread: dict[int, ItemError] = {}
    chunks = [len(one) for one in in_chunks(_items(source, form, unread))]
    if not chunks:
        raise Refused("malformed", "the file holds no items that can be read")
    # 3. The job, and what opens its results, before anything is sent.
    body = {
        "key": receipt.key_id,
        "operation": operation.value,
        "version": receipt.version,
        "mechanism": question.mechanism,
        "operations_key": operations_key.key_id,
        "chunks": len(chunks),
        "items": sum(chunks),
        "callback": callback,
    }
    once = make_id("")
    opened = patiently(lambda: connection.portal.post("jobs", body, _Opened, once=once))
    job = KeptJob(
        job=opened.id,
        binding=Binding(
            device=receipt.device,
            operations_key=operations_key.key_id,
            partition=receipt.partition,
            key=receipt.key_id,
            version=receipt.version,
            operation=operation.value,
            mechanism=question.mechanism,
        ),
        parameters=question.parameters,
        signed=not token_mode,
        form=form,
        secret=secrets.token_bytes(32),
        chunks=chunks,
        unread=unread,
        source_digest=file_digest(source),
    )
    write_private(_path(connection.home, job.job), msgspec.json.encode(job))
    # 4. The chunks, and off it goes.
    return send(connection, job, source, now=now, told=told)


def send(connection: Connection, job: KeptJob, source: Path, *, now: int, told: Told) -> str:
    """Send the chunks that the portal does not have, and start. Raises `Refused`: `conflict` for another file."""
    if file_digest(source) != job.source_digest:
        raise Refused("conflict", "this is not the file that the job was made from")
    binding = job.binding
    key = operations_keys.fetch(connection, binding.device, now)
    if key.key_id != binding.operations_key:
        raise Refused("operations-key-unknown", "the device has another one since: cancel the job and submit it anew")
    path = f"jobs/{segment(job.job)}"
    there = {one.number for one in connection.portal.get(f"{path}/chunks", list[_Stored])}
    for number, items in enumerate(in_chunks(_items(source, job.form, {}))):
        if number not in there:
            content = SealedContent(reply_key(job, number), b"", job.parameters, items)
            sealed = seal_content(key.public_key, binding, content)
            body = {
                "sealed": sealed,
                "items": len(items),
                "instruction": _instruction(connection.home, job, sealed, now),
            }
            patiently(lambda n=number, b=body: connection.portal.put(f"{path}/chunks/{n}", b, Record))  # type: ignore[misc]
        told(number + 1, len(job.chunks))
    patiently(lambda: connection.portal.post(f"{path}/start", {}, Record))
    return job.job


def kept(home: Home, job: str) -> KeptJob:
    """What this folder knows of a job. Raises `Refused`: `malformed`, `configuration`."""
    data = read_file(_path(home, job), "only the folder that submitted a job opens its results")
    return read_json(data, KeptJob, "configuration")


def status(connection: Connection, job: str) -> Record:
    """What the portal says of a job."""
    return patiently(lambda: connection.portal.get(f"jobs/{segment(job)}", Record))


def jobs(connection: Connection) -> list[Record]:
    return connection.portal.get("jobs", list[Record])


def cancel(connection: Connection, job: str) -> Record:
    """End a job; what the portal has of it is deleted."""
    return connection.portal.post(f"jobs/{segment(job)}/cancel", {}, Record)


def delete(connection: Connection, job: str) -> None:
    """Delete what the portal has of a job, results too, and what opens them here. Raises `Refused`."""
    opens = _path(connection.home, job)
    connection.portal.delete(f"jobs/{segment(job)}")
    opens.unlink(missing_ok=True)


def _items(source: Path, form: Form, unread: dict[int, ItemError]) -> Iterator[Item]:
    for line, item in enumerate(read_items(source, form)):
        if isinstance(item, Item):
            yield item
        else:
            unread[line] = item


def _instruction(home: Home, job: KeptJob, sealed: bytes, now: int) -> str:
    """This device's signature over one chunk, good for a week; empty in token mode."""
    if not job.signed:
        return ""
    binding = job.binding
    instruction = Instruction(
        partition=binding.partition,
        key=binding.key,
        version=binding.version,
        operation=Usage(binding.operation),
        mechanism=binding.mechanism,
        parameters=Parameters(),
        payload_digest=digest(sealed),
        recipient=SEALED,
        device=binding.device,
        nonce=b64u(secrets.token_bytes(24)),
        session="",
        expires_at=now + MOST_DEFERRED - 3600,
    )
    return jws.sign(instruction, home.key("device"))


def reply_key(job: KeptJob, number: int) -> bytes:
    """What opens the reply to one chunk."""
    return HKDF(SHA256(), REPLY_KEY, salt=None, info=_LABEL + str(number).encode()).derive(job.secret)


def _path(home: Home, job: str) -> Path:
    if not job.isidentifier():
        raise Refused("malformed", "that is no job's id")
    return home.path / "jobs" / f"{job}.json"


def patiently(ask: Callable[[], T]) -> T:
    """Ask again what may be asked again, while a part of the provider is away."""
    begun = time.monotonic()
    while True:
        try:
            return ask()
        except Refused as refused:
            patience = QUOTA_SECONDS if refused.code == "quota-exceeded" else PATIENCE_SECONDS
            may_pass = refused.problem.status == 503 or refused.code == "quota-exceeded"
            if not may_pass or time.monotonic() > begun + patience:
                raise
        time.sleep(_PAUSE_SECONDS)
