"""The modules of the page of imports, in Node, against this repository's own protocol."""

from typing import Any

import pytest

from strongroom.protocol.mechanisms import REGISTRY
from tests.support.page_modules import PageModules


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> PageModules:
    return PageModules(tmp_path_factory.mktemp("modules"))


@pytest.fixture(scope="module")
def registry() -> dict[str, Any]:
    """What the page is told of the registry of mechanisms."""
    return {
        name: {"key_types": sorted(row.key_types), "operations": sorted(row.operations)}
        for name, row in REGISTRY.items()
    }
