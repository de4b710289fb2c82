"""Asynchronous operations: what came in clear is sealed to the device in this process, and rests nowhere else.

The reply key is not kept: it is derived from the caller's token and the operation's id, so that whoever shows the same
token gets the result in clear, and nobody else can, this portal neither.
"""

from typing import Annotated, Any, TypeVar
from wsgiref.types import WSGIEnvironment

import msgspec
import psycopg
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.dataplane.batches import VALID, check_count
from portal.dataplane.bodies import Asked, BatchAnswer, Errors, ItemAnswer, ItemError, OperationAnswer, read_body
from portal.dataplane.directory import KeyPlace
from portal.dataplane.operations import directory, parameters_of
from portal.jobs import operations
from portal.jobs.models import Operation
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import MAX_ITEMS, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealed import (
    REPLY_KEY,
    Binding,
    SealedContent,
    SealedReply,
    open_reply,
    seal_content,
    seal_reply,
)
from strongroom.protocol.sealing import RecipientPublicKey
from tee.selectors import operations_key
from tenants.authentication import Caller
from tenants.models import Tenant

T = TypeVar("T")
MAX_INSTRUCTION = 16 * 1024
_LABEL = b"strongroom-asynchronous-reply-1\x00"


def is_wanted(environ: WSGIEnvironment) -> bool:
    """Whether a request asks for 202: `?async=1`, or `Prefer: respond-async` (RFC 7240).

    Raises `Refused("malformed")` for another value of `async`: whoever sends it means something by it.
    """
    asked = [one for one in environ.get("QUERY_STRING", "").split("&") if one.split("=", 1)[0] == "async"]
    if any(one != "async=1" for one in asked):
        raise Refused("malformed", "`async` is 1, or left out")
    preferred = environ.get("HTTP_PREFER", "").lower().split(",")
    return bool(asked) or "respond-async" in map(str.strip, preferred)


class _Sealed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of a call whose request the client has sealed."""

    sealed: bytes
    operations_key: Annotated[str, msgspec.Meta(max_length=64)]
    version: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    mechanism: Annotated[str, msgspec.Meta(max_length=64)] = ""
    instruction: Annotated[str, msgspec.Meta(max_length=MAX_INSTRUCTION)] = ""
    count: Annotated[int, msgspec.Meta(ge=0, le=MAX_ITEMS)] = 0


def submit(*, tenant: Tenant, caller: Caller, token: bytes, reference: str, operation: str, data: bytes) -> Operation:
    """Keep an operation for a worker, sealed. Raises `Refused` for what can be seen to be wrong now."""
    # 1. Which callback is told is the portal's matter alone.
    members = _members(data)
    callback = _read(members.pop("callback", msgspec.Raw(b'""')), str)
    known = directory()
    operation_id = operations.new_operation_id()
    try:
        client = known.client(token)
        key = known.key(tenant.pk, reference)
        # 2. What the client has sealed goes on as it is; what came in clear is sealed here.
        if "sealed" in members:
            kept = msgspec.structs.asdict(_read(msgspec.json.encode(members), _Sealed))
            client.quota.spend(items=kept["count"] or 1)
        else:
            asked = read_body(msgspec.json.encode(members), operation)
            client.quota.spend(items=len(asked.items or ()) or 1)
            parameters = parameters_of(asked.body, client, key, known)
            kept = _seal(
                asked,
                parameters,
                tenant=tenant,
                key=key,
                operation=operation,
                operation_id=operation_id,
                reply_key=_reply_key(token, operation_id),
            )
    except psycopg.DataError:
        raise Refused("malformed", "no key has such a name") from None
    except psycopg.Error:
        raise Refused("unavailable") from None
    # 3. For a worker.
    return operations.create(
        tenant=tenant,
        user=caller.user,
        token_digest=caller.token_digest,
        operation_id=operation_id,
        partition=key.partition,
        key_id=key.key_id,
        operation=operation,
        callback=callback,
        **kept,
    )


def answer(row: Operation, token: bytes) -> OperationAnswer | BatchAnswer | None:
    """The answer that the synchronous call would have had, to the token that asked; None to any other."""
    if not row.portal_sealed or row.status != Operation.Status.DONE:
        return None
    key = _reply_key(token, row.operation_id)
    try:
        reply = open_reply(key, row.request_digest, bytes(row.reply)) if row.reply else SealedReply()
        unread = open_reply(key, row.operation_id, bytes(row.unread)).errors if row.unread else {}
    except Refused:
        return None
    verified = row.operation == Usage.VERIFY
    how: dict[str, Any] = {
        "key_id": row.key_id,
        "version": row.used_version,
        "target_version": reply.target_version,
        "mechanism": row.used_mechanism,
        "target_mechanism": reply.target_mechanism,
    }
    if not row.batch:
        one = _succeeded(reply.result, verified)
        return OperationAnswer(result=one.result, valid=one.valid, **how)
    # What could not be read was not sent to the device: it stands between what was.
    done = iter(
        _failed(*reply.errors[place]) if place in reply.errors else _succeeded(one, verified)
        for place, one in enumerate(reply.results)
    )
    count = len(reply.results) + len(unread)
    return BatchAnswer(
        results=[_failed(*unread[place]) if place in unread else next(done) for place in range(count)], **how
    )


def _members(data: bytes) -> dict[str, msgspec.Raw]:
    return _read(data, dict[str, msgspec.Raw])


def _read(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Refused("malformed", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("malformed", "not JSON") from None


def _seal(
    asked: Asked,
    parameters: Parameters,
    *,
    tenant: Tenant,
    key: KeyPlace,
    operation: str,
    operation_id: str,
    reply_key: bytes,
) -> dict[str, Any]:
    """The request sealed to the device's operations key, and how it was asked for."""
    body = asked.body
    if body.instruction:
        raise Refused("instruction-mismatch", "a deferred instruction is over a sealed request: send `sealed`")
    if operation == Usage.WRAP and parameters.clear:
        raise Refused("malformed", "a data key that is wanted in clear is not asked for asynchronously")
    items = None if asked.items is None else [one for one in asked.items if one is not None]
    if asked.items is not None:
        check_count(asked.items)
    endorsement = operations_key(tenant=tenant, partition_id=key.partition)
    binding = Binding(
        device=endorsement.device,
        operations_key=endorsement.key_id,
        partition=key.partition,
        key=key.key_id,
        version=body.version,
        operation=operation,
        mechanism=body.mechanism,
    )
    content = SealedContent(reply_key, body.payload or b"", parameters, items)
    public_key = RecipientPublicKey.from_text(endorsement.public_key)
    return {
        "sealed": b"" if items == [] else seal_content(public_key, binding, content),
        "operations_key": endorsement.key_id,
        "version": body.version,
        "mechanism": body.mechanism,
        "portal_sealed": True,
        "batch": items is not None,
        "count": len(items or ()),
        "unread": _seal_errors(reply_key, operation_id, asked.errors),
    }


def _seal_errors(reply_key: bytes, operation_id: str, errors: Errors) -> bytes:
    """Errors may quote what was sent: they rest as the result does, for the token that asked."""
    return seal_reply(reply_key, operation_id, SealedReply(errors=errors)) if errors else b""


def _reply_key(token: bytes, operation_id: str) -> bytes:
    return HKDF(SHA256(), REPLY_KEY, salt=None, info=_LABEL + operation_id.encode()).derive(token)


def _succeeded(result: bytes, verified: bool) -> ItemAnswer:
    return ItemAnswer(valid=result == VALID) if verified else ItemAnswer(result)


def _failed(code: str, detail: str) -> ItemAnswer:
    known = code if code in CATALOGUE else "internal"
    return ItemAnswer(error=ItemError(known, detail or CATALOGUE[known].sentence))
