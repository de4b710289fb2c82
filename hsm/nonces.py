"""How often a key may encrypt under random nonces: below 2³² times (SP 800-38D §8.3), counted across workers."""

from hsm import records as r
from hsm.loaded_keys import LoadedKey
from hsm.records import Records
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism

NONCE_LIMIT = 2**32
NONCE_BLOCK = 2**16
_RANDOM_NONCES = frozenset({Mechanism.AES_GCM, Mechanism.CHACHA20_POLY1305})


def take_nonces(records: Records, partition: str, key: LoadedKey, mechanism: str, count: int) -> None:
    """Count `count` encryptions with `key`, from the block that this worker reserved, or from another one.

    Raises `Refused("key-not-active")` where the key has encrypted as often as its cipher allows.
    """
    if mechanism not in _RANDOM_NONCES:
        return
    if key.encryptions_left < count:
        path = f"partitions/{partition}/uses/{key.key_id}/{key.version}"
        with records.transaction() as changes:
            uses = records.get(path, r.Uses) or r.Uses(0)
            if uses.reserved + NONCE_BLOCK > NONCE_LIMIT:
                raise Refused("key-not-active", "this key has encrypted as often as its cipher allows; rotate it")
            changes.put(path, r.Uses(uses.reserved + NONCE_BLOCK))
        key.encryptions_left = NONCE_BLOCK
    key.encryptions_left -= count
