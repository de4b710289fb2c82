"""The registry's rows and the vectors: a new mechanism comes with some, or is named here with the reason.

That what a test names has really run, each of its runs sees to (`_all_that_is_named_has_run` in conftest.py).
"""

import importlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from strongroom.protocol.mechanisms import REGISTRY, Mechanism

HERE = Path(__file__).parent
_SALT = "NIST's have salts of 0 or 10 bytes, which are refused; right ones are in test_odd_keys_and_inputs.py"
ONLY_WRONG = {Mechanism.RSA_PSS_SHA256: _SALT, Mechanism.RSA_PSS_SHA384: _SALT, Mechanism.RSA_PSS_SHA512: _SALT}
WITHOUT = {Mechanism.X509_CSR: "a request has no known answer: it is verified (test_data_keys.py, test_hsm_*)"}


def marks(function: Any) -> Iterator[Any]:
    """A test's marks, and those of its parameters."""
    for mark in getattr(function, "pytestmark", []):
        yield mark
        if mark.name == "parametrize":
            for parameter in mark.args[1]:
                yield from getattr(parameter, "marks", ())


def named(name: str) -> set[Mechanism]:
    modules = [importlib.import_module(path.stem) for path in HERE.glob("test_*_vectors.py")]
    tests = [one for module in modules for key, one in vars(module).items() if key.startswith("test_")]
    return {one for test in tests for mark in marks(test) if mark.name == name for one in mark.args}


def test_every_mechanism_has_vectors_right_ones_and_wrong_ones() -> None:
    assert set(REGISTRY) - named("vectors") == set(ONLY_WRONG) | set(WITHOUT)


def test_what_has_wrong_ones_alone_is_known() -> None:
    assert named("wrong_vectors") - named("vectors") == set(ONLY_WRONG)


def test_the_vectors_are_those_of_the_library() -> None:
    assert version("cryptography-vectors") == version("cryptography")
