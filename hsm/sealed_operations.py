"""Sealed operations: the device's operations key, and how a worker opens requests and seals their answers."""

from collections.abc import Callable

import msgspec

from hsm import records as r
from hsm.device import Device
from hsm.loaded_keys import Cache
from hsm.records import Changes, Records
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.sealed import (
    MAX_SEALED_REQUEST,
    Binding,
    OperationResult,
    SealedContent,
    SealedReply,
    open_content,
    seal_reply,
)
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import Endorsement

FOLDER = "world/operations-keys/"
_MOST_LOADED = 16


def ensure_operations_key(device: Device, records: Records, changes: Changes) -> None:
    """Make and endorse the operations key where `records` have none yet: at the first unsealing."""
    if records.store.paths(FOLDER):
        return
    key = RecipientPrivateKey.generate()
    endorsement = Endorsement(
        device=device.device_id,
        purpose="operations-key",
        key_id=key.public().key_id("ok_"),
        public_key=b64u(key.public().raw),
        issued_at=device.now(),
    )
    changes.put(FOLDER + endorsement.key_id, r.WrappingKey(key.raw, device.sign(endorsement)))


def check_shape(request: OperationRequest) -> None:
    """Raise `Refused` for a sealed request that is too large, or has in clear what belongs inside."""
    if len(request.sealed) > MAX_SEALED_REQUEST:
        raise Refused("too-large", f"a sealed request has at most {MAX_SEALED_REQUEST} bytes")
    if request.payload or request.items is not None or request.parameters != Parameters():
        raise Refused("malformed", "payload, items and parameters of a sealed request are inside it")
    if len(request.operations_key) > 128:
        raise Refused("malformed", "a name is too long")


class Seals:
    """Opens requests and seals answers in one worker. `sign` signs with the device's identity."""

    def __init__(self, records: Records, device: str, sign: Callable[[jws.Statement], str]) -> None:
        self._records = records
        self._device = device
        self._sign = sign
        self._keys: Cache[RecipientPrivateKey] = Cache(records, _MOST_LOADED, lambda _: 1)

    def open(self, request: OperationRequest, version: int, mechanism: str) -> SealedContent:
        """What is inside, if it was sealed for this request. `version` and `mechanism` as they were asked for.

        Raises `Refused`: `operations-key-unknown`, `malformed` for another number of items than the request states, by
        which the portal keeps its quotas, and what `open_content` does.
        """
        binding = Binding(
            device=self._device,
            operations_key=request.operations_key,
            partition=request.partition,
            key=request.key,
            version=version,
            operation=request.operation,
            mechanism=mechanism,
        )
        content = open_content(self._key(request.operations_key), binding, request.sealed)
        if request.count != (count := len(content.items or ())):
            raise Refused("malformed", f"`count` is {request.count}, and {count} items are sealed inside")
        return content

    def close(
        self, request: OperationRequest, reply_key: bytes, reply: OperationReply, principal: str, now: int
    ) -> OperationReply:
        """`reply` with its results sealed to the client, and the device's statement about both."""
        request_digest = digest(request.sealed)
        inside = SealedReply(reply.result, reply.results, reply.errors, reply.target_version, reply.target_mechanism)
        sealed = seal_reply(reply_key, request_digest, inside)
        statement = OperationResult(
            device=self._device,
            request_digest=request_digest,
            reply_digest=digest(sealed),
            partition=request.partition,
            key=reply.key,
            version=reply.version,
            operation=request.operation,
            mechanism=reply.mechanism,
            principal=principal,
            issued_at=now,
        )
        return msgspec.structs.replace(
            reply,
            result=b"",
            results=[],
            errors={},
            target_version=0,
            target_mechanism="",
            sealed=sealed,
            statement=self._sign(statement),
        )

    def _key(self, key_id: str) -> RecipientPrivateKey:
        path = FOLDER + key_id
        return self._keys.get(path, lambda: self._load(path))

    def _load(self, path: str) -> RecipientPrivateKey:
        kept = self._records.get(path, r.WrappingKey)
        if kept is None or not kept.in_force:
            raise Refused("operations-key-unknown")
        return RecipientPrivateKey(kept.private_key)
