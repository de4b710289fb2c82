"""The registry's rows and the vectors: a new mechanism comes with some, or is named here with the reason."""

from importlib.metadata import version
from pathlib import Path

from strongroom.protocol.mechanisms import REGISTRY, Mechanism

HERE = Path(__file__).parent
WITHOUT = {Mechanism.X509_CSR: "a request has no known answer: it is verified"}


def test_every_mechanism_has_vectors() -> None:
    words = "".join(path.read_text() for path in HERE.glob("test_*_vectors.py"))

    def named(one: Mechanism) -> bool:
        family = one.value.rpartition("SHA")[0]
        return f"Mechanism.{one.name}" in words or (bool(family) and f'Mechanism(f"{family}' in words)

    assert {one for one in REGISTRY if not named(one)} == set(WITHOUT)


def test_the_vectors_are_those_of_the_library() -> None:
    assert version("cryptography-vectors") == version("cryptography")
