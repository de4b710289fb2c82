"""How an operation is done with a key, where the key's terms (and the target's) permit it."""

from hsm.access import Access
from hsm.loaded_keys import LoadedKey
from hsm.mechanisms import Prepared
from hsm.nonces import take_nonces
from hsm.records import Records
from hsm.requests import Asked
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Usage, check_fits, default_mechanism, fits, with_implied
from strongroom.protocol.operations import OperationRequest
from strongroom.protocol.terms import ANY_TARGET


def prepare(records: Records, request: OperationRequest, access: Access, key: LoadedKey, asked: Asked) -> Prepared:
    """What carries the operation out on one item. Nonces for all items are counted. Raises `Refused`."""
    operation = Usage(request.operation)
    if asked.target is not None:
        return _prepare_translate(records, request, key, asked, asked.target)
    if operation is Usage.ENCRYPT:
        take_nonces(records, request.partition, key, asked.mechanism, _count(asked))
    elif operation is Usage.WRAP and asked.parameters.clear:
        # A data key in clear is for those who may unwrap: they could have it anyhow.
        access.check(asked.principal, Usage.UNWRAP)
        check_terms(key, Usage.UNWRAP, asked.mechanism)
    return key.prepared(operation, asked.mechanism, asked.parameters)


def _prepare_translate(
    records: Records, request: OperationRequest, key: LoadedKey, asked: Asked, target: LoadedKey
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
        target_mechanism = asked.mechanism if kept else default_of(target, Usage.ENCRYPT)
    asked.target_mechanism = target_mechanism
    check_terms(target, Usage.ENCRYPT, target_mechanism)
    take_nonces(records, request.partition, target, target_mechanism, _count(asked))
    decrypt = key.prepared(Usage.DECRYPT, asked.mechanism, asked.parameters)
    encrypt = target.prepared(Usage.ENCRYPT, target_mechanism, Parameters())
    outward = from_b64u(asked.parameters.target_aad)
    if rewraps:
        return lambda payload, signature, aad: encrypt(decrypt(payload, signature, aad), b"", outward or aad)
    return lambda payload, signature, aad: encrypt(decrypt(payload, signature, aad), b"", outward)


def while_in_force(run: Prepared, key: LoadedKey, target: LoadedKey | None) -> Prepared:
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


def default_of(key: LoadedKey, operation: Usage) -> str:
    """The mechanism where none is named. Raises `Refused("mechanism-unsupported")`."""
    permitted = [one for one in key.terms.mechanisms if fits(one, key.terms.key_type, operation)]
    return permitted[0] if permitted else default_mechanism(key.terms.key_type, operation)


def check_terms(key: LoadedKey, operation: Usage, mechanism: str) -> None:
    """Raise `Refused("usage-not-permitted" | "mechanism-unsupported")`."""
    if operation not in key.terms.usages and operation not in with_implied(key.terms.usages):
        raise Refused("usage-not-permitted", f"{operation} is not among the key's usages")
    check_fits(mechanism, key.terms.key_type, operation)
    if key.terms.mechanisms and mechanism not in key.terms.mechanisms:
        raise Refused("usage-not-permitted", f"{mechanism} is not among the key's mechanisms")


def _count(asked: Asked) -> int:
    return 1 if asked.items is None else len(asked.items)
