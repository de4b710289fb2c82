"""The device computes what the registry offers, and nothing else."""

from hsm.mechanisms import _PREPARE
from strongroom.protocol.mechanisms import REGISTRY, Usage


def test_what_is_dispatched_is_what_the_registry_offers() -> None:
    # Translate and rewrap are decrypt under one key and encrypt under another.
    made_of_two = {Usage.TRANSLATE, Usage.REWRAP}
    offered = {(usage, name) for name, row in REGISTRY.items() for usage in row.operations - made_of_two}
    assert set(_PREPARE) == offered


def test_what_translates_decrypts() -> None:
    for row in REGISTRY.values():
        assert not {Usage.TRANSLATE, Usage.REWRAP} & row.operations or Usage.DECRYPT in row.operations
