"""A signed instruction is carried out once, exactly as its device signed it, in this start of this device."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest, from_b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply
from tests.support.imports import Imported
from tests.support.materials import private_key
from tests.support.sealed import Customer, SealedDevice, nonce

MESSAGE = b"pay 100 to Bob"
ECDSA = "ECDSA-SHA256"


@pytest.fixture
def token(alice: Customer, signed_key: Imported) -> str:
    """An instruction to sign `MESSAGE`, not yet used."""
    return jws.sign(alice.instruction(signed_key.id, "sign", MESSAGE, ECDSA), alice.device_key)


def give(customer: Customer, key: Imported, token: str, **changes: object) -> OperationReply:
    fields = {"operation": "sign", "payload": MESSAGE} | changes
    return customer.operate(key.id, fields.pop("operation"), fields.pop("payload"), instruction=token, **fields)


def test_it_is_carried_out_for_the_device_that_signed_it(alice: Customer, signed_key: Imported, token: str) -> None:
    reply = give(alice, signed_key, token, principal="client:whoever", mechanism="ignored", version=9)
    assert (reply.code, reply.mechanism, reply.version) == ("", ECDSA, 1)
    private_key(signed_key.material).public_key().verify(reply.result, MESSAGE, ec.ECDSA(hashes.SHA256()))
    log = alice.hsm.verified_log(alice.partition)
    [entry] = [one for entries in log.values() for one in entries if one.digest == digest(token.encode())]
    assert (entry.principal, entry.result) == (alice.device_entry([]).principal, "ok")


def test_another_payload_operation_key_or_partition_is_refused(
    alice: Customer, charlie: Customer, signed_key: Imported, ec_key: Imported, token: str
) -> None:
    assert give(alice, signed_key, token, payload=b"pay 999 to Bob").code == "instruction-mismatch"
    assert give(alice, signed_key, token, operation="verify").code == "instruction-mismatch"
    assert give(alice, ec_key, token).code == "instruction-mismatch"
    assert give(alice, signed_key, token, partition=charlie.partition).code == "device-not-listed"
    # None of them used the instruction up.
    assert give(alice, signed_key, token).code == ""


def test_no_altered_character_is_accepted(alice: Customer, signed_key: Imported, token: str) -> None:
    for place in range(0, len(token), 3):
        spoilt = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert give(alice, signed_key, spoilt).code in {
            "signature-invalid", "statement-malformed", "device-not-listed",
        }  # fmt: skip
    assert give(alice, signed_key, token + "==").code == "statement-malformed"


@pytest.mark.parametrize(
    ("mechanism", "changes", "code"),
    [
        (ECDSA, {"parameters": Parameters(prehashed=True)}, "payload-invalid"),
        (ECDSA, {"version": 2}, "not-found"),
        ("SHA-256", {}, "mechanism-unsupported"),
    ],
)
def test_what_was_signed_counts_and_not_what_stands_beside_it(
    alice: Customer, signed_key: Imported, mechanism: str, changes: dict[str, object], code: str
) -> None:
    token = jws.sign(alice.instruction(signed_key.id, "sign", MESSAGE, mechanism, **changes), alice.device_key)
    assert give(alice, signed_key, token, mechanism=ECDSA, version=1, parameters=Parameters()).code == code


def test_parameters_altered_by_the_portal_break_the_signature(
    alice: Customer, signed_key: Imported, token: str
) -> None:
    head, body, signature = token.split(".")
    altered = from_b64u(body).replace(b'"parameters":{}', b'"parameters":{"prehashed":true}')
    assert altered != from_b64u(body)
    assert give(alice, signed_key, f"{head}.{b64u(altered)}.{signature}").code == "signature-invalid"


def test_only_a_listed_device_counts(alice: Customer, charlie: Customer, signed_key: Imported) -> None:
    for signer in (charlie.device_key, alice.owner, alice.hsm.cards[0].signing, Ed25519PrivateKey.generate()):
        assert alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, signer=signer).code == "device-not-listed"


def test_the_signature_of_a_stranger_under_a_listed_name_is_refused(
    alice: Customer, signed_key: Imported, token: str
) -> None:
    head, body, _ = token.split(".")
    forged = jws.sign(alice.instruction(signed_key.id, "sign", MESSAGE, ECDSA), Ed25519PrivateKey.generate())
    assert give(alice, signed_key, f"{head}.{body}.{forged.split('.')[2]}").code == "signature-invalid"


def test_another_signed_statement_is_no_instruction(alice: Customer, signed_key: Imported) -> None:
    envelope = alice.envelope(os.urandom(32), b"{}", "n")
    assert give(alice, signed_key, envelope.header).code == "statement-malformed"
    assert give(alice, signed_key, "x.y.z").code == "statement-malformed"
    assert give(alice, signed_key, "x" * 20_000).code == "too-large"


def test_it_serves_once(alice: Customer, signed_key: Imported, token: str) -> None:
    assert give(alice, signed_key, token).code == ""
    assert give(alice, signed_key, token).code == "instruction-replayed"


def test_it_serves_once_whichever_worker_is_asked(alice: Customer, signed_key: Imported) -> None:
    lines = [alice.hsm.line("operations") for _ in range(4)]
    for _ in range(20):
        token = jws.sign(alice.instruction(signed_key.id, "sign", MESSAGE, ECDSA), alice.device_key)
        request = alice.request(signed_key.id, "sign", MESSAGE, instruction=token)
        with ThreadPoolExecutor(4) as pool:
            codes = sorted(reply.code for reply in pool.map(lambda line, one=request: line.operate(one), lines))
        assert codes == ["", "instruction-replayed", "instruction-replayed", "instruction-replayed"]
    used = {lane for lane, entries in alice.hsm.verified_log(alice.partition).items() if entries}
    assert {"w0", "w1"} <= used


def test_two_devices_may_happen_upon_the_same_nonce(hsm: SealedDevice, import_key: Callable[..., Imported]) -> None:
    customer, mine = hsm.customer(), nonce()
    key = import_key(customer, KeyType.EC_P256, authorisation="signed")
    bob = Ed25519PrivateKey.generate()
    entry = customer.device_entry(["sign"])
    alices, customer.device_key = customer.device_key, bob
    customer.allow(entry, customer.device_entry(["sign"]))
    for signer in (alices, bob):
        assert customer.operate_signed(key.id, "sign", MESSAGE, ECDSA, nonce=mine, signer=signer).code == ""
        again = customer.operate_signed(key.id, "sign", MESSAGE, ECDSA, nonce=mine, signer=signer)
        assert again.code == "instruction-replayed"


@pytest.mark.parametrize(
    "session",
    ["", "AAAA", "A" * 22, "!", b64u(bytes(16)), b64u(os.urandom(16))],
    ids=["none", "short", "even", "unreadable", "zeros", "another"],
)
def test_another_session_is_stale_and_the_one_in_force_is_told(
    alice: Customer, signed_key: Imported, session: str
) -> None:
    reply = alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, session=session)
    assert reply.code == "session-stale"
    assert alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, session=reply.session).code == ""


def test_an_instruction_kept_over_a_restart_is_stale(
    make_device: Callable[..., SealedDevice], import_key: Callable[..., Imported]
) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    key = import_key(customer, KeyType.EC_P256, authorisation="signed")
    used, kept = (jws.sign(customer.instruction(key.id, "sign", MESSAGE, ECDSA), customer.device_key) for _ in range(2))
    assert give(customer, key, used).code == ""
    device.restart()
    customer.operations = device.line("operations")
    assert {give(customer, key, token).code for token in (used, kept)} == {"session-stale"}


def test_a_device_named_in_it_must_be_this_one(alice: Customer, signed_key: Imported) -> None:
    mine, other = alice.published.device, "dev_other"
    assert alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, device=mine).code == ""
    assert alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, device=other).code == "instruction-mismatch"


@pytest.mark.parametrize("given", ["", "n" * 15, "n" * 129])
def test_a_nonce_that_is_too_short_or_too_long_is_refused(alice: Customer, signed_key: Imported, given: str) -> None:
    assert alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, nonce=given).code == "instruction-mismatch"


def test_a_key_in_token_mode_takes_instructions_too(alice: Customer, ec_key: Imported) -> None:
    assert alice.operate_signed(ec_key.id, "sign", MESSAGE, ECDSA).code == ""


def test_the_default_mechanism_may_be_left_to_the_device(alice: Customer, signed_key: Imported) -> None:
    assert alice.operate_signed(signed_key.id, "sign", MESSAGE, "").mechanism == ECDSA
