"""The provider's part of the evidence, from a key's page: the command checks it, and says what it does not show."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from strongroom.client import proof
from strongroom.client.operations import operate
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tests.support.command import run
from tests.support.session import Session
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def provided(stack: Stack) -> bytes:
    acme = stack.tenant("acme")
    receipt = acme.import_key("provided", os.urandom(32), usages=["encrypt"], authorisation="token")
    with acme.connect() as alice:
        operate(alice, Usage.ENCRYPT, "provided", b"hello", now=int(time.time()))
    with Session(stack) as session:
        session.log_in(acme.admin.username)
        return session.get(f"/keys/{receipt.key_id}/evidence").content


@pytest.fixture(scope="module")
def roots(stack: Stack) -> list[x509.Certificate]:
    return stack.tenant("acme").home.manufacturer_roots()


def test_it_holds_with_nothing_but_the_manufacturers_root(provided: bytes, roots: list[x509.Certificate]) -> None:
    verdict = proof.verify(proof.read(provided), roots)
    assert verdict.holds, verdict.findings
    assert verdict.of_provider
    assert verdict.fingerprints == {}
    assert len(verdict.findings) == 8
    assert "approved by partition" in verdict.findings[3].found
    assert "the partition is in dev_" in verdict.findings[5].found
    assert "its operations were left out" in verdict.findings[7].found
    assert [one.holds for one in proof.verify(proof.read(provided), []).findings] == [False]


def test_the_command_checks_it_and_says_what_it_does_not_show(stack: Stack, provided: bytes, tmp_path: Path) -> None:
    file = tmp_path / "provided.json"
    file.write_bytes(provided)
    home = stack.tenant("acme").home.path
    told = run(home, "evidence", "verify", file)
    assert (told["holds"], told["providers_part"]) == (True, True)
    assert not any("vouched for the keys" in one["what"] for one in told["steps"])


Change = Callable[[dict[str, Any]], dict[str, Any]]


def forged(token: str) -> str:
    head, body, signature = token.split(".")
    return ".".join([head, body, signature[::-1]])


CHANGES: list[tuple[int, Change]] = [
    (1, lambda file: {"receipt": forged(file["receipt"])}),
    (2, lambda file: {"header": forged(file["header"])}),
    (3, lambda file: {"checkpoint": forged(file["checkpoint"])}),
    (3, lambda file: {"entries": file["entries"][:-1]}),
    (3, lambda file: {"entries": [file["entries"][1], file["entries"][0], *file["entries"][2:]]}),
    (3, lambda file: {"entries": [file["entries"][0] | {"n": 2}, *file["entries"][1:]]}),
    (6, lambda file: {"attestation": forged(file["attestation"])}),
    (6, lambda file: {"attestation": file["checkpoint"]}),
    (6, lambda file: {"key": "key_another"}),
    (6, lambda file: {"version": 2}),
]


@pytest.mark.parametrize(("step", "change"), CHANGES)
def test_whatever_is_changed_in_it_the_step_that_rests_on_it_fails(
    provided: bytes, roots: list[x509.Certificate], step: int, change: Change
) -> None:
    file = json.loads(provided)
    verdict = proof.verify(proof.read(json.dumps(file | change(file), indent=2).encode()), roots)
    assert not verdict.holds
    assert len(verdict.findings) == step, verdict.findings


def test_what_is_in_it_twice_or_besides_is_refused(provided: bytes) -> None:
    for wrong in (
        provided.replace(b'"version": 1,', b'"version": 1,\n  "version": 1,', 1),
        provided.replace(b'"version": 1,', b'"version": 1,\n  "note": "",', 1),
    ):
        assert wrong != provided
        with pytest.raises(Refused, match="statement-malformed"):
            proof.read(wrong)
