"""docs/mechanisms.md says what the registry says."""

import runpy

from stack.layout import PROJECT
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import REGISTRY, KeyType, Mechanism, Usage


def test_the_page_is_as_the_registry_makes_it() -> None:
    script = runpy.run_path(str(PROJECT / "docs/write_mechanisms.py"))
    assert (PROJECT / "docs/mechanisms.md").read_text() == script["page"](), "run docs/write_mechanisms.py"


def test_every_mechanism_has_a_row_with_parameters_that_there_are() -> None:
    assert set(REGISTRY) == set(Mechanism)
    for row in REGISTRY.values():
        assert row.key_types <= set(KeyType)
        assert row.operations <= set(Usage)
        assert row.parameters <= set(Parameters.__struct_fields__)


def test_every_key_type_and_usage_is_served() -> None:
    assert {one for row in REGISTRY.values() for one in row.key_types} == set(KeyType)
    assert {one for row in REGISTRY.values() for one in row.operations} == set(Usage)
