"""Operations: signed by this machine's device for one session, and their answers checked."""

from typing import Any

import pytest
from authorities import PARTITION
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simulator import Simulator

from strongroom.client import imports
from strongroom.client.connection import Connection
from strongroom.client.material import read_material
from strongroom.client.operations import operate
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Instruction, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.terms import Terms, new_salt

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def signer(listed: Connection, now: int) -> Connection:
    """Alice with a P-256 key named signer in her partition."""
    material = read_material(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN, Usage.VERIFY])
    imports.import_key(listed, material, "signer", terms, now)
    return listed


def sent(provider: Simulator, operation: str) -> list[dict[str, Any]]:
    return [body for _, path, body in provider.requests if path.endswith(f"/{operation}")]


def test_a_signed_instruction_names_everything_that_matters(signer: Connection, provider: Simulator, now: int) -> None:
    outcome = operate(signer, Usage.SIGN, "signer", b"hello", now=now)
    KEY.public_key().verify(outcome.result, b"hello", ec.ECDSA(hashes.SHA256()))
    body = sent(provider, "sign")[0]
    assert set(body) == {"payload", "instruction"}
    instruction = jws.verify(body["instruction"], Instruction, signer.home.key("device").public_key())
    assert instruction.partition == PARTITION
    assert instruction.key == outcome.key_id
    assert (instruction.version, instruction.operation, instruction.mechanism) == (1, "sign", "ECDSA-SHA256")
    assert instruction.payload_digest == digest(b"hello")
    assert instruction.device == provider.device_id
    assert instruction.session == provider.session


def test_no_two_instructions_have_the_same_nonce_and_the_session_is_asked_for_once(
    signer: Connection, provider: Simulator, now: int
) -> None:
    for _ in range(3):
        operate(signer, Usage.SIGN, "signer", b"hello", now=now)
    nonces = [jws.read_unverified(body["instruction"], Instruction).nonce for body in sent(provider, "sign")]
    assert len(set(nonces)) == 3
    assert len([path for _, path, _ in provider.requests if path == "/session"]) == 1


def test_after_a_restart_of_the_device_the_instruction_is_signed_again_for_the_new_session(
    signer: Connection, provider: Simulator, now: int
) -> None:
    operate(signer, Usage.SIGN, "signer", b"hello", now=now)
    provider.session = "session-2"
    assert operate(signer, Usage.SIGN, "signer", b"hello", now=now).result
    assert len(sent(provider, "sign")) == 3


def test_a_device_that_changes_its_session_without_end_is_given_up(
    signer: Connection, provider: Simulator, now: int
) -> None:
    key_id = operate(signer, Usage.SIGN, "signer", b"hello", now=now).key_id

    def never() -> dict[str, Any]:
        raise Refused("session-stale")

    provider.answers[f"POST /keys/{key_id}/sign"] = never
    provider.requests.clear()
    with pytest.raises(Refused, match="session-stale"):
        operate(signer, Usage.SIGN, "signer", b"hello", now=now)
    assert len(sent(provider, "sign")) == 2


def test_in_token_mode_nothing_is_signed(signer: Connection, provider: Simulator, now: int) -> None:
    operate(signer, Usage.SIGN, "signer", b"hello", now=now, token_mode=True)
    body = sent(provider, "sign")[0]
    assert body == {"payload": "aGVsbG8=", "mechanism": "ECDSA-SHA256", "version": 1, "parameters": {}}


def test_bytes_in_parameters_are_plain_base64_in_token_mode(signer: Connection, provider: Simulator, now: int) -> None:
    parameters = Parameters(signature=b64u(b"\xfb\xff"))
    with pytest.raises(Refused, match="not-found"):
        operate(signer, Usage.VERIFY, "signer", b"hello", now=now, parameters=parameters, token_mode=True)
    assert sent(provider, "verify")[0]["parameters"] == {"signature": "+/8="}


@pytest.mark.parametrize("lie", [{"key_id": "key_other"}, {"version": 2}, {"mechanism": "RSA-PSS-SHA256"}])
def test_an_answer_for_something_else_is_refused(
    signer: Connection, provider: Simulator, now: int, lie: dict[str, Any]
) -> None:
    outcome = operate(signer, Usage.SIGN, "signer", b"hello", now=now)
    answer = {"result": outcome.result, "key_id": outcome.key_id, "version": 1, "mechanism": "ECDSA-SHA256"}
    provider.answers[f"POST /keys/{outcome.key_id}/sign"] = lambda: answer | lie
    with pytest.raises(Refused, match="for another key"):
        operate(signer, Usage.SIGN, "signer", b"hello", now=now)


def test_a_signature_by_another_key_is_refused(signer: Connection, provider: Simulator, now: int) -> None:
    key_id = operate(signer, Usage.SIGN, "signer", b"hello", now=now).key_id
    forged = ec.generate_private_key(ec.SECP256R1()).sign(b"hello", ec.ECDSA(hashes.SHA256()))
    provider.answers[f"POST /keys/{key_id}/sign"] = lambda: {
        "result": forged,
        "key_id": key_id,
        "version": 1,
        "mechanism": "ECDSA-SHA256",
    }
    with pytest.raises(Refused, match="signature-invalid"):
        operate(signer, Usage.SIGN, "signer", b"hello", now=now)


def test_a_payload_above_the_limit_never_leaves(signer: Connection, provider: Simulator, now: int) -> None:
    provider.requests.clear()
    with pytest.raises(Refused, match="too-large"):
        operate(signer, Usage.SIGN, "signer", bytes(MAX_PAYLOAD + 1), now=now)
    assert not provider.requests


def test_what_the_key_type_cannot_do_is_refused_here(signer: Connection, now: int) -> None:
    with pytest.raises(Refused, match="mechanism-unsupported"):
        operate(signer, Usage.ENCRYPT, "signer", b"hello", now=now)
