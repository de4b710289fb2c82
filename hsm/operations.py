"""An operation, from request to answer: the worker's main path. Every refusal inside a partition is on record too."""

import time
from collections import OrderedDict
from typing import Generic, TypeVar

from hsm import records as r
from hsm.access import Access
from hsm.faults import log_fault
from hsm.lanes import Lane
from hsm.material import Key, load
from hsm.mechanisms import perform
from hsm.records import Records
from hsm.shared import Sessions
from strongroom.protocol import jws
from strongroom.protocol.commands import OperationReply, OperationRequest, refusal
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Instruction, Parameters, check_instruction
from strongroom.protocol.mechanisms import Mechanism, Usage, default_mechanism, fits
from strongroom.protocol.terms import ANY_TARGET, Terms, read_terms

T = TypeVar("T")
MAX_INSTRUCTION = 16 * 1024
GCM_LIMIT = 2**32
GCM_BLOCK = 2**16


class LoadedKey:
    """A key ready for use, with its terms."""

    def __init__(self, key_id: str, stored: r.StoredKey) -> None:
        self.key_id = key_id
        self.name = stored.name
        self.version = stored.version
        self.terms: Terms = read_terms(stored.terms)
        self.destroyed = stored.destroyed
        self.key: Key | None = None if stored.destroyed else load(self.terms, stored.material, checked=True)
        self.encryptions_left = 0


class Cache(Generic[T]):
    """The most recently used values by record path, each good while its record's generation has not moved."""

    def __init__(self, records: Records, size: int) -> None:
        self._records = records
        self._size = size
        self._values: OrderedDict[str, tuple[int, T]] = OrderedDict()

    def get(self, path: str) -> T | None:
        found = self._values.get(path)
        if found is None or found[0] != self._records.generations.of(path):
            return None
        self._values.move_to_end(path)
        return found[1]

    def put(self, path: str, generation: int, value: T) -> T:
        """`generation` is what it was *before* the record was read, so that a change meanwhile is not missed."""
        self._values[path] = (generation, value)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value


class Operator:
    """Carries operations out in one worker process."""

    def __init__(self, *, records: Records, sessions: Sessions, lane: Lane, device: str, epoch: int) -> None:
        self._records = records
        self._sessions = sessions
        self._lane = lane
        self._device = device
        self._epoch = epoch
        self._keys: Cache[LoadedKey] = Cache(records, 10_000)
        self._named: Cache[r.NamedKey] = Cache(records, 10_000)
        self._access: Cache[Access] = Cache(records, 1_000)

    def operate(self, request: OperationRequest) -> OperationReply:
        """Answer one request; the record of it is written before the answer is returned."""
        now = int(time.time())
        principal, mechanism, target = request.principal, request.mechanism, None
        try:
            # 1. The device can keep its log, the partition exists, and what is asked has a bearable shape.
            self._lane.check_writable()
            _check_shape(request)
            access = self._find_access(request.partition)
        except Refused as error:
            return OperationReply(**refusal(error))
        try:
            # 2. Who asks: the device that signed the instruction, or the API client that the portal names.
            if request.instruction:
                principal = f"device:{jws.signer(request.instruction)}"
                instruction = self._check_instruction(request, access)
                mechanism, version, parameters = instruction.mechanism, instruction.version, instruction.parameters
            else:
                version, parameters = request.version, request.parameters
                if not principal.startswith("client:"):
                    raise Refused("access-denied", "only a signature makes a device a principal")
                access.check(principal, request.operation)
            # 3. The key in the version that is wanted, and for translate the key it goes to.
            key = self._find_key(request.partition, request.key, version)
            if request.operation == Usage.TRANSLATE:
                target = self._find_key(request.partition, parameters.target, 0)
            # 4. The terms of the key (and of the target) permit it, now, in this way.
            for one in (key, target) if target else (key,):
                if one.terms.authorisation == "signed" and not request.instruction:
                    raise Refused("signed-instruction-required")
                if one.destroyed or one.terms.state_at(now) != "active":
                    raise Refused("key-not-active", "destroyed" if one.destroyed else one.terms.state_at(now))
            mechanism = mechanism or _default(key, request.operation)
            _check_terms(key, request.operation, mechanism)
            # 5. The operation itself.
            result = self._perform(request, key, target, Mechanism(mechanism), parameters)
            reply = OperationReply(result=result, key=key.key_id, version=key.version, mechanism=mechanism)
        except Refused as error:
            session = self._sessions.current() if error.code == "session-stale" else ""
            reply = OperationReply(**refusal(error), session=session)
        except Exception:  # noqa: BLE001 (a defect is on record too, and must not end other callers' connections)
            log_fault("an operation")
            reply = OperationReply(**refusal(Refused("internal")))
        # 6. On record before it is answered.
        try:
            self._lane.append(
                request.partition,
                epoch=self._epoch,
                time=now,
                event=f"key:{request.operation}",
                result=reply.code or "ok",
                principal=principal,
                key=request.key,
                mechanism=mechanism,
                digest=digest(request.instruction.encode()) if request.instruction else "",
                details={"target": target.key_id} if target else {},
            )
        except Refused as error:
            return OperationReply(**refusal(error))
        return reply

    def _check_instruction(self, request: OperationRequest, access: Access) -> Instruction:
        signer = access.device(jws.signer(request.instruction), request.operation)
        instruction = check_instruction(
            request.instruction,
            signer.public_key(),
            payload=request.payload,
            partition=request.partition,
            key_id=request.key,
            operation=request.operation,
            device=self._device,
        )
        self._sessions.use(instruction.session, signer.fingerprint, instruction.nonce)
        return instruction

    def _perform(
        self,
        request: OperationRequest,
        key: LoadedKey,
        target: LoadedKey | None,
        mechanism: Mechanism,
        given: Parameters,
    ) -> bytes:
        operation = Usage(request.operation)
        if operation is Usage.ENCRYPT:
            self._count_encryption(request.partition, key, mechanism)
        if target is None:
            return perform(operation, mechanism, _usable(key), request.payload, given)
        # Translate: open under the one key, seal under the other; the clear payload stays in this function.
        if not {ANY_TARGET, target.key_id, target.name} & set(key.terms.translate_to):
            raise Refused("translate-not-permitted")
        target_mechanism = given.target_mechanism or _default(target, Usage.ENCRYPT)
        _check_terms(target, Usage.ENCRYPT, target_mechanism)
        self._count_encryption(request.partition, target, Mechanism(target_mechanism))
        clear = perform(Usage.DECRYPT, mechanism, _usable(key), request.payload, Parameters(aad=given.aad))
        outward = Parameters(aad=given.target_aad)
        return perform(Usage.ENCRYPT, Mechanism(target_mechanism), _usable(target), clear, outward)

    def _count_encryption(self, partition: str, key: LoadedKey, mechanism: Mechanism) -> None:
        """Stay below 2³² encryptions under random nonces (SP 800-38D §8.3), reserved in blocks across workers."""
        if mechanism is not Mechanism.AES_GCM:
            return
        if key.encryptions_left == 0:
            path = f"partitions/{partition}/uses/{key.key_id}/{key.version}"
            with self._records.transaction() as changes:
                uses = self._records.get(path, r.Uses) or r.Uses(0)
                if uses.reserved + GCM_BLOCK > GCM_LIMIT:
                    raise Refused("key-not-active", "this key has encrypted as often as AES-GCM allows; rotate it")
                changes.put(path, r.Uses(uses.reserved + GCM_BLOCK))
            key.encryptions_left = GCM_BLOCK
        key.encryptions_left -= 1

    def _find_access(self, partition: str) -> Access:
        path = f"partitions/{partition}"
        found = self._access.get(path)
        if found is None:
            generation = self._records.generations.of(path)
            found = self._access.put(path, generation, Access(self._records.need(path, r.Partition)))
        return found

    def _find_key(self, partition: str, key_id: str, version: int) -> LoadedKey:
        """The key in `version`, or in its newest where that is 0. Raises `Refused("not-found")`."""
        path = f"partitions/{partition}/keys/{key_id}"
        if not version:
            named = self._named.get(path)
            if named is None:
                generation = self._records.generations.of(path)
                named = self._named.put(path, generation, self._records.need(path, r.NamedKey))
            version = named.current
        path = f"{path}/{version}"
        found = self._keys.get(path)
        if found is None:
            generation = self._records.generations.of(path)
            found = self._keys.put(path, generation, LoadedKey(key_id, self._records.need(path, r.StoredKey)))
        return found


def _usable(key: LoadedKey) -> Key:
    if key.key is None:
        raise Refused("key-not-active", "destroyed")
    return key.key


def _check_shape(request: OperationRequest) -> None:
    """What is refused here is not worth an entry: no portal that works sends it."""
    if len(request.payload) > MAX_PAYLOAD:
        raise Refused("too-large", f"a payload has at most {MAX_PAYLOAD} bytes")
    if len(request.instruction) > MAX_INSTRUCTION:
        raise Refused("too-large", f"an instruction has at most {MAX_INSTRUCTION} characters")
    names = (request.key, request.principal, request.mechanism, request.parameters.target)
    if request.operation not in list(Usage) or max(map(len, names)) > 128:
        raise Refused("malformed", "no such operation, or a name is too long")


def _default(key: LoadedKey, operation: str) -> str:
    try:
        permitted = [one for one in key.terms.mechanisms if fits(one, key.terms.key_type, operation)]
        return permitted[0] if permitted else default_mechanism(key.terms.key_type, Usage(operation))
    except (KeyError, ValueError):
        raise Refused("mechanism-unsupported", f"{key.terms.key_type} cannot {operation}") from None


def _check_terms(key: LoadedKey, operation: str, mechanism: str) -> None:
    if operation not in key.terms.usages:
        raise Refused("usage-not-permitted", f"{operation} is not among the key's usages")
    if not fits(mechanism, key.terms.key_type, operation):
        raise Refused("mechanism-unsupported", f"{mechanism} does not {operation} with {key.terms.key_type}")
    if key.terms.mechanisms and mechanism not in key.terms.mechanisms:
        raise Refused("usage-not-permitted", f"{mechanism} is not among the key's mechanisms")
