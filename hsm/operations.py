"""An operation, from request to answer: the worker's main path. Every refusal inside a partition is on record too."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hsm.access import Access
from hsm.batches import Batch, Steps
from hsm.clock import Clock
from hsm.faults import log_fault
from hsm.lanes import Lane
from hsm.loaded_keys import LoadedKey, LoadedKeys
from hsm.nonces import take_nonces
from hsm.permits import Permits, like_of
from hsm.preparing import check_terms, default_of, prepare, while_in_force
from hsm.records import Records
from hsm.requests import Asked, check_shape
from hsm.sealed_operations import Seals
from hsm.shared import Sessions
from strongroom.protocol import jws
from strongroom.protocol.commands import refusal
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import (
    Instruction,
    Parameters,
    check_deferred,
    check_instruction,
    largest_payload,
    most_items,
)
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply, OperationRequest

_INACTIVE = {
    "pre-activation": "pre-activation: its validity has not begun",
    "deactivated": "deactivated: its validity has ended",
}


class Operator:
    """Carries operations out in one worker process."""

    def __init__(
        self,
        *,
        records: Records,
        loaded: LoadedKeys,
        sessions: Sessions,
        lane: Lane,
        clock: Clock,
        device: str,
        epoch: int,
        sign: Callable[[jws.Statement], str],
    ) -> None:
        self._records = records
        self._clock = clock
        self._sessions = sessions
        self._lane = lane
        self._device = device
        self._epoch = epoch
        self._loaded = loaded
        self._seals = Seals(records, device, sign)
        self._permits = Permits(records.generations, loaded)

    def operate(self, request: OperationRequest) -> OperationReply | Steps[OperationReply]:
        """The answer to one request, or the steps to it; the record of it is written before the answer is returned.

        What was permitted before and still is needs steps 5 and 6 alone, and is answered at once.
        """
        now = self._clock.now()
        return self._repeat(request, now) or self._operate(request, now)

    def _operate(self, request: OperationRequest, now: int) -> Steps[OperationReply]:
        """The whole way. Between the slices of a batch it yields, so that others can be answered."""
        try:
            # 1. The device can keep its log, the partition exists, and what is asked has a bearable shape.
            self._lane.check_writable()
            check_shape(request)
            access = self._loaded.access(request.partition)
        except Refused as error:
            return OperationReply(**refusal(error))
        asked = Asked(request.principal, request.mechanism, request.parameters, items=request.items)
        try:
            reply = yield from self._answer(request, access, asked, now)
        except Refused as error:
            session = self._sessions.current() if error.code == "session-stale" else ""
            reply = OperationReply(**refusal(error), session=session)
        except Exception:  # noqa: BLE001 (a defect is on record too, and must not end other callers' connections)
            log_fault("an operation")
            reply = OperationReply(**refusal(Refused("internal")))
        # 6. On record before it is answered.
        try:
            self._record(request, asked, reply, now)
        except Refused as error:
            return OperationReply(**refusal(error))
        return reply

    def drop(self, path: str) -> None:
        """Let go of a version of a key that is gone."""
        self._loaded.drop(path)
        self._permits.drop(path)

    def _repeat(self, request: OperationRequest, now: int) -> OperationReply | None:
        """The answer under a permit; None where there is none, or where something is to be refused after all."""
        permit = self._permits.find(request, now)
        if permit is None:
            return None
        key, parameters = permit.key, request.parameters
        try:
            if request.operation == Usage.ENCRYPT:
                take_nonces(self._records, request.partition, key, permit.mechanism, 1)
            result = permit.run(request.payload, from_b64u(parameters.signature), from_b64u(parameters.aad))
            self._lane.append_alike(permit.form, now)
        except Exception:  # noqa: BLE001 (what it was, the whole way finds, answers and puts on record)
            return None
        return OperationReply(result=result, key=key.key_id, version=key.version, mechanism=permit.mechanism)

    def _answer(self, request: OperationRequest, access: Access, asked: Asked, now: int) -> Steps[OperationReply]:
        operation = Usage(request.operation)
        # 2. Who asks: the device that signed the instruction, or the API client that the portal names.
        version = request.version
        if request.instruction:
            asked.principal = f"device:{jws.signer(request.instruction)}"
            instruction = self._check_instruction(request, access, now)
            version, asked.mechanism = instruction.version, instruction.mechanism
            asked.parameters = instruction.parameters
        elif not request.principal.startswith("client:"):
            raise Refused("access-denied", "only a signature makes a device a principal")
        else:
            access.check(request.principal, request.operation)
        # 2b. What was sealed, opened: it was sealed for this request, or it stays closed.
        payload, reply_key = request.payload, b""
        if request.sealed:
            content = self._seals.open(request, version, asked.mechanism)
            payload, reply_key = content.payload, content.reply_key
            asked.items, asked.parameters = content.items, content.parameters
        # 3. The key in the version that is wanted, for translate the key it goes to, for rewrap its newest version.
        key = self._loaded.key(request.partition, request.key, version)
        asked.target = self._target(request, operation, asked.parameters)
        # 4. The terms of the key (and of the target) permit it, now, in this way.
        for one in (key, asked.target) if asked.target else (key,):
            if one.terms.authorisation == "signed" and not request.instruction:
                raise Refused("signed-instruction-required")
            if one.destroyed or one.terms.state_at(now) != "active":
                raise self._not_active(request.partition, one, now)
        asked.mechanism = asked.mechanism or default_of(key, operation)
        check_terms(key, operation, asked.mechanism)
        # 5. The operation itself, on the one payload or on each item.
        prepared = prepare(self._records, request, access, key, asked)
        run = while_in_force(prepared, key, asked.target)
        aad = from_b64u(asked.parameters.aad)
        result = b""
        results: list[bytes] = []
        errors: dict[int, tuple[str, str]] = {}
        if asked.items is None:
            result = run(payload, from_b64u(asked.parameters.signature), aad)
            if like := like_of(request):
                form = self._lane.form(request.partition, **self._named(request, asked))
                self._permits.keep(like, key, asked.mechanism, prepared, form)
        else:
            _check_results_fit(len(asked.items), operation, asked)
            batch = Batch(run, asked.items, aad, largest_payload(operation))
            results, errors = yield from batch.slices(lambda: self._check_again(request, asked, key))
        asked.failed = len(errors)
        reply = OperationReply(
            result=result,
            key=key.key_id,
            version=key.version,
            mechanism=asked.mechanism,
            results=results,
            errors=errors,
            target_version=asked.target.version if asked.target else 0,
            target_mechanism=asked.target_mechanism,
        )
        return self._seals.close(request, reply_key, reply, asked.principal, now) if request.sealed else reply

    def _check_again(self, request: OperationRequest, asked: Asked, key: LoadedKey) -> None:
        """What may have changed since a batch began. Raises `Refused` where the rest of it must not be done."""
        access, now = self._loaded.access(request.partition), self._clock.now()
        access.check(asked.principal, request.operation)
        if request.operation == Usage.WRAP and asked.parameters.clear:
            access.check(asked.principal, Usage.UNWRAP)
        for used in (key, asked.target) if asked.target else (key,):
            one = self._loaded.key(request.partition, used.key_id, used.version)
            if one.destroyed or one.terms.state_at(now) != "active":
                raise self._not_active(request.partition, one, now)

    def _target(self, request: OperationRequest, operation: Usage, given: Parameters) -> LoadedKey | None:
        if operation is Usage.TRANSLATE:
            if not given.target:
                raise Refused("malformed", "translate needs the `target` key")
            try:
                return self._loaded.key(request.partition, given.target, 0)
            except Refused as error:
                if error.code != "not-found":
                    raise
                raise Refused("not-found", "there is no such `target` key in the partition") from None
        if operation is Usage.REWRAP:
            return self._loaded.key(request.partition, request.key, 0)
        if given.target or given.target_mechanism or given.target_aad:
            raise Refused("mechanism-unsupported", f"{operation} takes no `target`")
        return None

    def _not_active(self, partition: str, key: LoadedKey, now: int) -> Refused:
        state = key.gone or _INACTIVE[key.terms.state_at(now)]
        if not key.gone and key.terms.not_after is not None and key.terms.not_after <= now:
            state += f" at {datetime.fromtimestamp(key.terms.not_after, UTC):%Y-%m-%d %H:%M:%S} UTC"
        newest = self._loaded.newest_active(partition, key.key_id, now)
        hint = f"; the newest version that is active is {newest}" if newest else ""
        return Refused("key-not-active", state + hint)

    def _check_instruction(self, request: OperationRequest, access: Access, now: int) -> Instruction:
        signer = jws.signer(request.instruction)
        instruction = check_instruction(
            request.instruction,
            access.device(signer, request.operation),
            payload=request.sealed or (request.payload if request.items is None else request.items),
            partition=request.partition,
            key_id=request.key,
            operation=request.operation,
            device=self._device,
            sealed=bool(request.sealed),
        )
        if instruction.expires_at:
            check_deferred(instruction, now)
        else:
            self._sessions.use(instruction.session, signer, instruction.nonce)
        return instruction

    def _named(self, request: OperationRequest, asked: Asked) -> dict[str, Any]:
        """What all entries of operations like this one say."""
        return {
            "epoch": self._epoch,
            "event": f"key:{request.operation}",
            "principal": asked.principal,
            "key": request.key,
            "mechanism": asked.mechanism,
        }

    def _record(self, request: OperationRequest, asked: Asked, reply: OperationReply, now: int) -> None:
        details: dict[str, str | int] = {}
        if asked.target is not None:
            details["target"] = asked.target.key_id
            details["target_version"] = asked.target.version
        if asked.items is not None:
            details["items"] = len(asked.items)
            details["failed"] = asked.failed
        self._lane.append(
            request.partition,
            time=now,
            **self._named(request, asked),
            result=reply.code or "ok",
            digest=digest(request.instruction.encode()) if request.instruction else "",
            details=details,
        )


def _check_results_fit(count: int, operation: Usage, asked: Asked) -> None:
    most = most_items(operation, asked.mechanism, asked.parameters.length)
    if count > most:
        raise Refused("batch-too-large", f"of these at most {most} in a batch: an answer holds no more results")
