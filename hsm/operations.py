"""An operation, from request to answer: the worker's main path. Every refusal inside a partition is on record too."""

from collections.abc import Callable
from dataclasses import dataclass

from hsm import records as r
from hsm.access import Access
from hsm.batches import Batch, Steps
from hsm.clock import Clock
from hsm.faults import log_fault
from hsm.lanes import Lane
from hsm.loaded_keys import LoadedKey, LoadedKeys
from hsm.mechanisms import Prepared
from hsm.records import Records
from hsm.sealed_operations import Seals
from hsm.sealed_operations import check_shape as check_sealed_shape
from hsm.shared import Sessions
from strongroom.protocol import jws
from strongroom.protocol.commands import refusal
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import (
    Instruction,
    Item,
    Parameters,
    check_batch,
    check_deferred,
    check_instruction,
    largest_payload,
    most_items,
)
from strongroom.protocol.mechanisms import Mechanism, Usage, default_mechanism, fits, with_implied
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.terms import ANY_TARGET

MAX_INSTRUCTION = 16 * 1024
NONCE_LIMIT = 2**32
NONCE_BLOCK = 2**16
_RANDOM_NONCES = frozenset({Mechanism.AES_GCM, Mechanism.CHACHA20_POLY1305})


@dataclass(slots=True)
class Asked:
    """What a request asks for, as far as it is known: for the entry in the log, whatever becomes of it."""

    principal: str
    mechanism: str
    parameters: Parameters
    target: LoadedKey | None = None
    items: list[Item] | None = None
    failed: int = 0


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

    def operate(self, request: OperationRequest) -> Steps[OperationReply]:
        """Answer one request; the record of it is written before the answer is returned.

        Between the slices of a batch it yields, so that others can be answered.
        """
        now = self._clock.now()
        try:
            # 1. The device can keep its log, the partition exists, and what is asked has a bearable shape.
            self._lane.check_writable()
            _check_shape(request)
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
        asked.mechanism = asked.mechanism or _default(key, operation)
        _check_terms(key, operation, asked.mechanism)
        # 5. The operation itself, on the one payload or on each item.
        run = _while_in_force(self._prepare(request, access, key, asked), key, asked.target)
        aad = from_b64u(asked.parameters.aad)
        result = b""
        results: list[bytes] = []
        errors: dict[int, tuple[str, str]] = {}
        if asked.items is None:
            result = run(payload, from_b64u(asked.parameters.signature), aad)
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
            target_version=asked.target.version if operation is Usage.REWRAP and asked.target else 0,
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
            return self._loaded.key(request.partition, given.target, 0)
        if operation is Usage.REWRAP:
            return self._loaded.key(request.partition, request.key, 0)
        if given.target or given.target_mechanism or given.target_aad:
            raise Refused("mechanism-unsupported", f"{operation} takes no `target`")
        return None

    def _not_active(self, partition: str, key: LoadedKey, now: int) -> Refused:
        state = "destroyed" if key.destroyed else key.terms.state_at(now)
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

    def _prepare(self, request: OperationRequest, access: Access, key: LoadedKey, asked: Asked) -> Prepared:
        operation = Usage(request.operation)
        if asked.target is not None:
            return self._prepare_translate(request, key, asked, asked.target)
        if operation is Usage.ENCRYPT:
            self._count_nonces(request, key, asked.mechanism, asked.items)
        elif operation is Usage.WRAP and asked.parameters.clear:
            # A data key in clear is for those who may unwrap: they could have it anyhow.
            access.check(asked.principal, Usage.UNWRAP)
            _check_terms(key, Usage.UNWRAP, asked.mechanism)
        return key.prepared(operation, asked.mechanism, asked.parameters)

    def _prepare_translate(
        self, request: OperationRequest, key: LoadedKey, asked: Asked, target: LoadedKey
    ) -> Prepared:
        """Open under the one key, seal under the other; the clear payload stays in this function."""
        rewraps = request.operation == Usage.REWRAP
        if rewraps and asked.parameters.target:
            raise Refused("mechanism-unsupported", "rewrap takes no `target`: it goes to the key's newest version")
        if not rewraps and not {ANY_TARGET, target.key_id, target.name} & set(key.terms.translate_to):
            raise Refused("translate-not-permitted")
        target_mechanism = asked.parameters.target_mechanism
        if not target_mechanism:
            kept = rewraps and fits(asked.mechanism, target.terms.key_type, Usage.ENCRYPT)
            target_mechanism = asked.mechanism if kept else _default(target, Usage.ENCRYPT)
        _check_terms(target, Usage.ENCRYPT, target_mechanism)
        self._count_nonces(request, target, target_mechanism, asked.items)
        decrypt = key.prepared(Usage.DECRYPT, asked.mechanism, asked.parameters)
        encrypt = target.prepared(Usage.ENCRYPT, target_mechanism, Parameters())
        outward = from_b64u(asked.parameters.target_aad)
        if rewraps:
            return lambda payload, signature, aad: encrypt(decrypt(payload, signature, aad), b"", outward or aad)
        return lambda payload, signature, aad: encrypt(decrypt(payload, signature, aad), b"", outward)

    def _count_nonces(
        self, request: OperationRequest, key: LoadedKey, mechanism: str, items: list[Item] | None
    ) -> None:
        """Stay below 2³² encryptions under random nonces (SP 800-38D §8.3), reserved in blocks across workers."""
        if mechanism not in _RANDOM_NONCES:
            return
        count = 1 if items is None else len(items)
        if key.encryptions_left < count:
            path = f"partitions/{request.partition}/uses/{key.key_id}/{key.version}"
            with self._records.transaction() as changes:
                uses = self._records.get(path, r.Uses) or r.Uses(0)
                if uses.reserved + NONCE_BLOCK > NONCE_LIMIT:
                    raise Refused("key-not-active", "this key has encrypted as often as its cipher allows; rotate it")
                changes.put(path, r.Uses(uses.reserved + NONCE_BLOCK))
            key.encryptions_left = NONCE_BLOCK
        key.encryptions_left -= count

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
            epoch=self._epoch,
            time=now,
            event=f"key:{request.operation}",
            result=reply.code or "ok",
            principal=asked.principal,
            key=request.key,
            mechanism=asked.mechanism,
            digest=digest(request.instruction.encode()) if request.instruction else "",
            details=details,
        )


def _while_in_force(run: Prepared, key: LoadedKey, target: LoadedKey | None) -> Prepared:
    """`run`, which looks before each item whether the keys may still be used, where somebody is asked about them.

    Raises `Refused("key-suspended")` where they may not be used now.
    """
    standings = [one.standing for one in (key, target) if one is not None and one.standing is not None]
    for standing in standings:
        standing.check()
    if not standings:
        return run

    def checked(payload: bytes, signature: bytes, aad: bytes) -> bytes:
        for standing in standings:
            standing.check()
        return run(payload, signature, aad)

    return checked


def _check_results_fit(count: int, operation: Usage, asked: Asked) -> None:
    most = most_items(operation, asked.mechanism, asked.parameters.length)
    if count > most:
        raise Refused("batch-too-large", f"of these at most {most} in a batch: an answer holds no more results")


def _check_shape(request: OperationRequest) -> None:
    """What is refused here is not worth an entry: no portal that works sends it."""
    most = largest_payload(request.operation)
    if len(request.payload) > most:
        raise Refused("too-large", f"a payload has at most {most} bytes")
    if request.items is not None:
        if request.payload:
            raise Refused("malformed", "a batch has its payloads in its items")
        check_batch(request.items)
    if request.sealed:
        check_sealed_shape(request)
    if len(request.instruction) > MAX_INSTRUCTION:
        raise Refused("too-large", f"an instruction has at most {MAX_INSTRUCTION} characters")
    key, principal, target = len(request.key), len(request.principal), len(request.parameters.target)
    if request.operation not in _USAGES or max(key, principal, target, len(request.mechanism)) > 128:
        raise Refused("malformed", "no such operation, or a name is too long")


_USAGES = frozenset(Usage)


def _default(key: LoadedKey, operation: Usage) -> str:
    try:
        permitted = [one for one in key.terms.mechanisms if fits(one, key.terms.key_type, operation)]
        return permitted[0] if permitted else default_mechanism(key.terms.key_type, operation)
    except KeyError:
        raise Refused("mechanism-unsupported", f"{key.terms.key_type} cannot {operation}") from None


def _check_terms(key: LoadedKey, operation: Usage, mechanism: str) -> None:
    if operation not in key.terms.usages and operation not in with_implied(key.terms.usages):
        raise Refused("usage-not-permitted", f"{operation} is not among the key's usages")
    if not fits(mechanism, key.terms.key_type, operation):
        raise Refused("mechanism-unsupported", f"{mechanism} does not {operation} with {key.terms.key_type}")
    if key.terms.mechanisms and mechanism not in key.terms.mechanisms:
        raise Refused("usage-not-permitted", f"{mechanism} is not among the key's mechanisms")
