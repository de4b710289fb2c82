"""An operation over HTTP, from the request to the TEE and back: a WSGI application of its own."""

import logging
import time
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
import psycopg
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from portal import problems
from portal.counts import counts
from portal.dataplane import company
from portal.dataplane.batches import VALID, operate_batch
from portal.dataplane.bodies import (
    MAX_BODY,
    Asked,
    BatchAnswer,
    Body,
    OperationAnswer,
    OperationParameters,
    SealedAnswer,
    read_body,
)
from portal.dataplane.data_keys import split
from portal.dataplane.directory import Client, Directory, KeyPlace
from portal.dataplane.turns import Turns
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Item, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply, OperationRequest
from tee.drivers import secure_module
from tenants.api.media import check_length, check_media_type

OPERATIONS = frozenset(Usage)
turns: Turns[company.Errand] = Turns(at_once=3, for_one=2, under_way=24)
"""Of this process. More at once would only wait for one another: for the interpreter here, for a core there."""
logger = logging.getLogger(__name__)


_encode = msgspec.json.Encoder().encode
_HEADERS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
_NO_PARAMETERS_GIVEN, _NO_PARAMETERS = OperationParameters(), Parameters()


class OperationRefused(Refused):
    """What the TEE refused; `session` is the one in force, where the one that was named is stale."""

    def __init__(self, reply: OperationReply) -> None:
        super().__init__(reply.code if reply.code in CATALOGUE else "internal", reply.detail)
        self.session = reply.session


@cache
def directory() -> Directory:
    return Directory(settings.DATABASE_URL)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers `POST /api/v1/keys/{reference}/{operation}`, and nothing else."""
    begun = time.perf_counter()
    status, content_type, code = "200 OK", "application/json", ""
    more: list[tuple[str, str]] = []
    quota = None
    try:
        client = _client(environ)
        quota = client.quota
        body = _operate(environ, client)
    except Exception as error:  # noqa: BLE001 - the edge of the process: whatever it is, the caller is answered
        refused = _as_refused(error)
        code = refused.code
        status = f"{refused.problem.status} {HTTPStatus(refused.problem.status).phrase}"
        content_type, more = problems.CONTENT_TYPE, list(problems.headers(refused).items())
        document = problems.document(refused)
        if isinstance(refused, OperationRefused) and refused.session:
            document["session"] = refused.session
        body = _encode(document)
    if quota is not None:
        more += quota.headers()
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *_HEADERS, *more])
    counts().operation(environ["PATH_INFO"].rpartition("/")[2], code, time.perf_counter() - begun)
    return [body]


def _as_refused(error: Exception) -> Refused:
    """What the caller is told of it; what is our fault is logged."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, psycopg.DataError):
        return Refused("malformed", "no key has such a name")
    if isinstance(error, psycopg.Error):
        logger.warning("The database does not answer: %s", type(error).__name__)
        return Refused("unavailable")
    logger.error("An operation failed", exc_info=error)
    return Refused("internal")


def _client(environ: WSGIEnvironment) -> Client:
    """1. Which API client asks. Raises `Refused`, `psycopg.Error`."""
    if not _is_ours(environ.get("HTTP_HOST", environ["SERVER_NAME"])):
        raise Refused("malformed", problems.UNKNOWN_HOST)
    return directory().client(_bearer(environ))


def _operate(environ: WSGIEnvironment, client: Client) -> bytes:
    """The answer's body. Raises `Refused`, `psycopg.Error`."""
    client.quota.spend(requests=1)
    # 2. What it asks, however slowly it sends that. What is short goes with others; all else of the rest is for when it
    # is its tenant's turn.
    body = _read(environ)
    _, reference, operation = environ["PATH_INFO"].rsplit("/", 2)
    asked = read_body(body, operation) if len(body) <= company.SHORT_BODY else None
    if asked and asked.items is None and not asked.body.sealed:
        client.quota.spend(items=1)
        together = partial(company.operate, turns, client.tenant)
        return _encode(_perform(reference, operation, client, asked, together))
    turns.take(client.tenant)
    try:
        asked = asked or read_body(body, operation)
        client.quota.spend(items=len(asked.items or ()) or asked.body.count or 1)
        return _encode(_perform(reference, operation, client, asked, secure_module().operate))
    finally:
        turns.give(client.tenant)


def _perform(
    reference: str,
    operation: str,
    client: Client,
    asked: Asked,
    operate: Callable[[OperationRequest], OperationReply],
) -> OperationAnswer | BatchAnswer | SealedAnswer:
    """Raises `Refused`, `psycopg.Error`."""
    # 3. Of which key. A tenant's keys are all that it can name.
    known = directory()
    key = known.key(client.tenant, reference)
    parameters = parameters_of(asked.body, client, key, known)

    # 4. The TEE decides, does it, and puts it on record.
    def ask(payload: bytes, items: list[Item] | None, version: int, mechanism: str) -> OperationReply:
        request = OperationRequest(
            principal=client.principal,
            partition=key.partition,
            key=key.key_id,
            version=version,
            operation=operation,
            mechanism=mechanism,
            payload=payload,
            parameters=parameters,
            instruction=asked.body.instruction,
            items=items,
            sealed=asked.body.sealed,
            operations_key=asked.body.operations_key,
            count=asked.body.count,
        )
        reply = operate(request)
        if reply.code:
            raise OperationRefused(reply)
        return reply

    if asked.items is not None:
        return operate_batch(
            asked,
            asked.items,
            key_id=key.key_id,
            operation=operation,
            ask=lambda items, *chosen: ask(b"", items, *chosen),
            between=partial(turns.pass_on, client.tenant),
        )
    reply = ask(asked.body.payload or b"", None, asked.body.version, asked.body.mechanism)
    # 5. The answer; that to a sealed request is not for us.
    if asked.body.sealed:
        return SealedAnswer(
            sealed=reply.sealed,
            statement=reply.statement,
            key_id=reply.key,
            version=reply.version,
            mechanism=reply.mechanism,
        )
    if operation == Usage.VERIFY:
        return _answer(reply, valid=reply.result == VALID)
    if operation == Usage.WRAP:
        return _answer(reply, *split(asked.body)(reply.result))
    return _answer(reply, reply.result)


def _answer(
    reply: OperationReply, result: bytes | None = None, clear: bytes | None = None, valid: bool | None = None
) -> OperationAnswer:
    return OperationAnswer(
        result=result,
        clear=clear,
        valid=valid,
        key_id=reply.key,
        version=reply.version,
        target_version=reply.target_version,
        mechanism=reply.mechanism,
        target_mechanism=reply.target_mechanism,
    )


@lru_cache(maxsize=64)
def _is_ours(host: str) -> bool:
    """As Django's own check of the Host header."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _bearer(environ: WSGIEnvironment) -> bytes:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Refused("unauthenticated")
    return token.strip().encode()


def _read(environ: WSGIEnvironment) -> bytes:
    check_media_type(environ.get("CONTENT_TYPE", ""))
    body: bytes = environ["wsgi.input"].read(check_length(environ, MAX_BODY))
    return body


def parameters_of(body: Body, client: Client, key: KeyPlace, known: Directory) -> Parameters:
    """The mechanism's parameters as the TEE takes them; those of a signed instruction are inside it."""
    given = body.parameters
    if body.instruction or given == _NO_PARAMETERS_GIVEN:
        return _NO_PARAMETERS
    for name in ("signature", "aad", "salt", "target_aad"):
        if len(getattr(given, name) or b"") > MAX_PAYLOAD:
            raise Refused("too-large", f"`{name}` has at most {MAX_PAYLOAD} bytes")
    target = given.target
    if target:
        try:
            place = known.key(client.tenant, target)
        except Refused as error:
            if error.code != "not-found":
                raise
            raise Refused("not-found", "you have no `target` key of that name or id") from None
        if place.partition != key.partition:
            raise Refused("not-found", "the target is in another partition")
        target = place.key_id
    return Parameters(
        prehashed=given.prehashed,
        signature=b64u(given.signature or b""),
        aad=b64u(given.aad),
        format=given.format,
        salt=b64u(given.salt),
        length=given.length,
        target=target,
        target_mechanism=given.target_mechanism,
        target_aad=b64u(given.target_aad),
        generate=given.generate,
        clear=given.clear,
    )
