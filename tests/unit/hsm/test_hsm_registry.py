"""The device computes what the registry offers, and nothing else."""

from hsm.mechanisms import _PREPARE
from strongroom.protocol.mechanisms import REGISTRY, Usage


def test_what_is_dispatched_is_what_the_registry_offers() -> None:
    # Translate is decrypt under one key and encrypt under another.
    offered = {(usage, name) for name, row in REGISTRY.items() for usage in row.operations - {Usage.TRANSLATE}}
    assert set(_PREPARE) == offered


def test_what_translates_decrypts() -> None:
    for row in REGISTRY.values():
        assert Usage.TRANSLATE not in row.operations or Usage.DECRYPT in row.operations
