"""The unseal secret under K of N: for each set of K officers' parts, one AES key wrap (RFC 3394, SP 800-38F).

No secret-sharing arithmetic of our own: a set's key-encryption key is derived from all of its parts together, and N
is small.
"""

import hashlib
import itertools
import math
import os
from collections.abc import Mapping

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from hsm.keytree import derive
from strongroom.protocol.errors import Refused

MAX_SETS = 5000


def split(
    secret: bytes, names: Mapping[str, str], threshold: int, world: str
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """(part for each card, wrap for each set of cards). `names` maps a card to its officer: a set has K officers.

    Raises `Refused("quorum-rule-refused")` where there would be too many sets.
    """
    check_sets(names, threshold)
    parts = {card: os.urandom(32) for card in names}
    wraps = {}
    for cards in itertools.combinations(sorted(names), threshold):
        if len({names[card] for card in cards}) == threshold:
            wraps["+".join(cards)] = aes_key_wrap(_set_key(cards, parts, world), secret)
    return parts, wraps


def check_sets(names: Mapping[str, str], threshold: int) -> None:
    """Raise `Refused("quorum-rule-refused")` where there would be too many sets of `threshold` cards."""
    if math.comb(len(names), threshold) > MAX_SETS:
        raise Refused("quorum-rule-refused", f"too many sets of {threshold} of {len(names)} cards")


def join(
    parts: Mapping[str, bytes], names: Mapping[str, str], threshold: int, wraps: Mapping[str, bytes], world: str
) -> bytes:
    """The secret from K or more parts of distinct officers. Raises `Refused("unseal-part-refused")`."""
    for cards in itertools.combinations(sorted(parts), threshold):
        if len({names[card] for card in cards}) == threshold:
            try:
                return aes_key_unwrap(_set_key(cards, parts, world), wraps["+".join(cards)])
            except InvalidUnwrap:
                raise Refused("unseal-part-refused") from None
    raise Refused("quorum-not-met")


def commitment(part: bytes, card: str, world: str) -> bytes:
    """What tells a right part from a wrong one; a part is 256 random bits, so it tells nothing else."""
    return hashlib.sha256(b"\x00".join([b"unseal-commitment", world.encode(), card.encode(), part])).digest()


def _set_key(cards: tuple[str, ...], parts: Mapping[str, bytes], world: str) -> bytes:
    return derive(b"".join(parts[card] for card in cards), "unseal-set", world, *cards)
