"""A portal that would use a key in `signed` mode with all that it has seen: the device refuses, and records it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import access
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Instruction, Parameters
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support.client import CLIENT, Client
from tests.support.hostile import Body, HostilePortal
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice

MINE = Ed25519PrivateKey.generate()


class Taken:
    """What the portal has seen of Alice's use of a key: her instruction, carried out, and one that it kept back."""

    def __init__(self, alice: Client) -> None:
        self.alice = alice
        self.portal = portal = alice.portal
        self.key = alice.import_key("payments", KeyType.EC_P256).key_id
        self.other_key = alice.import_key("other", KeyType.EC_P256).key_id
        alice.operate(Usage.SIGN, "payments", b"pay 1 to Bob")
        self.used = portal.request(portal.seen("operation")[-1])
        portal.does["operation"] = self._keep
        with refused("unavailable"):
            alice.operate(Usage.SIGN, "payments", b"pay 2 to Bob")
        del portal.does["operation"]
        self.kept = portal.request(portal.seen("operation")[-1])

    def _keep(self, _: Body) -> Body:
        raise Refused("unavailable")

    def ask(self, request: OperationRequest, **changes: Any) -> OperationReply:
        line = self.portal.device.line("operations")
        return line.operate(msgspec.structs.replace(request, **changes))

    def instruction(self, **changes: Any) -> Instruction:
        """The one that was kept back, with changes."""
        return msgspec.structs.replace(jws.read_unverified(self.kept.instruction, Instruction), **changes)

    def results(self) -> list[tuple[str, str]]:
        """(result, principal) of every use of the key, from the verified log."""
        lanes = self.alice.verify_log().lanes
        entries = [one for name, lane in lanes.items() for one in lane if name != "admin" and one.key == self.key]
        return [(one.result, one.principal) for one in entries]


@pytest.fixture
def taken(alice: Client) -> Taken:
    return Taken(alice)


def in_the_name_of(taken: Taken, **changes: Any) -> str:
    """An instruction under Alice's header, signed by the portal."""
    mine = jws.sign(taken.instruction(**changes), MINE).split(".")
    return ".".join([taken.kept.instruction.split(".")[0], *mine[1:]])


def with_her_signature(taken: Taken, **changes: Any) -> str:
    """An instruction with other content under Alice's own signature of the true one."""
    head, _, signature = taken.kept.instruction.split(".")
    return ".".join([head, jws.sign(taken.instruction(**changes), MINE).split(".")[1], signature])


def header_of_an_import(taken: Taken) -> str:
    return str(taken.portal.seen("import")[0]["header"])


Attack = Callable[[Taken], OperationReply]
PAY_MALLORY = b"pay 1000 to Mallory"
ATTACKS: dict[str, tuple[str, Attack]] = {
    "by the API client's name alone": (
        "signed-instruction-required",
        lambda t: t.ask(t.used, instruction="", principal=f"client:{CLIENT}"),
    ),
    "by a client that nobody has listed": (
        "access-denied",
        lambda t: t.ask(t.used, instruction="", principal="client:cl_portal"),
    ),
    "by the device's name alone": (
        "access-denied",
        lambda t: t.ask(t.used, instruction="", principal=t.alice.device),
    ),
    "by an instruction that it signs": (
        "device-not-listed",
        lambda t: t.ask(t.kept, instruction=jws.sign(t.instruction(), MINE)),
    ),
    "by an instruction that it signs in her name": (
        "signature-invalid",
        lambda t: t.ask(t.kept, instruction=in_the_name_of(t)),
    ),
    "by her instruction once more": ("instruction-replayed", lambda t: t.ask(t.used)),
    "by her instruction with another payload": ("instruction-mismatch", lambda t: t.ask(t.kept, payload=PAY_MALLORY)),
    "by her instruction with the digest of another payload in it": (
        "signature-invalid",
        lambda t: t.ask(
            t.kept, payload=PAY_MALLORY, instruction=with_her_signature(t, payload_digest=digest(PAY_MALLORY))
        ),
    ),
    "by her instruction with a new nonce": (
        "signature-invalid",
        lambda t: t.ask(t.used, instruction=with_her_signature(t, nonce="n" * 32)),
    ),
    "by her instruction with other parameters in it": (
        "signature-invalid",
        lambda t: t.ask(t.kept, instruction=with_her_signature(t, parameters=Parameters(prehashed=True))),
    ),
    "by her instruction for another operation": (
        "instruction-mismatch",
        lambda t: t.ask(t.kept, operation="verify"),
    ),
    "by the header of an import that she signed": (
        "statement-malformed",
        lambda t: t.ask(t.kept, instruction=header_of_an_import(t)),
    ),
    "by her instruction cut short": (
        "statement-malformed",
        lambda t: t.ask(t.kept, instruction=t.kept.instruction[:80]),
    ),
    "by her instruction spelt otherwise": (
        "statement-malformed",
        lambda t: t.ask(t.used, instruction=t.used.instruction + "=="),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_portal_does_not_use_a_signed_key(taken: Taken, name: str) -> None:
    code, attack = ATTACKS[name]
    reply = attack(taken)
    assert (reply.code, reply.result) == (code, b"")
    # Every attempt is on record, and only the one use that Alice asked for was granted.
    results = taken.results()
    assert results.count(("ok", taken.alice.device)) == 1
    assert sorted(code for code, _ in results) == sorted(["ok", code])


def test_an_instruction_for_one_key_does_not_use_another(taken: Taken) -> None:
    assert taken.ask(taken.kept, key=taken.other_key).code == "instruction-mismatch"


def test_an_instruction_for_one_partition_does_not_serve_in_another(
    taken: Taken, charlie: Client, portal: HostilePortal
) -> None:
    charlies = charlie.import_key("payments", KeyType.EC_P256).key_id
    assert taken.ask(taken.kept, partition=charlie.partition).code == "device-not-listed"
    assert taken.ask(taken.kept, partition=charlie.partition, key=charlies).code == "device-not-listed"


def test_what_stands_beside_a_signed_instruction_does_not_count(taken: Taken) -> None:
    reply = taken.ask(
        taken.kept,
        principal="client:cl_portal",
        mechanism="RSA-PSS-SHA256",
        version=7,
        parameters=Parameters(prehashed=True),
    )
    assert (reply.code, reply.mechanism, reply.version) == ("", "ECDSA-SHA256", 1)
    assert ("ok", taken.alice.device) in taken.results()


def test_a_nonce_serves_once_whichever_worker_is_asked_and_however_many_at_a_time(taken: Taken) -> None:
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda _: taken.ask(taken.kept).code, range(48)))
    assert sorted(codes) == [""] + ["instruction-replayed"] * 47


def test_an_instruction_that_was_kept_back_is_no_good_after_a_restart(taken: Taken, device: SealedDevice) -> None:
    device.restart()
    for request in (taken.kept, taken.used):
        assert taken.ask(request).code == "session-stale"
    # Alice's own client signs anew, and goes on.
    assert taken.alice.operate(Usage.SIGN, "payments", b"pay 3 to Bob").result


def test_an_instruction_that_was_kept_back_is_no_good_once_its_device_is_taken_off(taken: Taken) -> None:
    taken.alice.change_access(access.remove(taken.alice.device))
    assert taken.ask(taken.kept).code == "device-not-listed"


def test_a_signed_key_is_neither_the_source_nor_the_target_of_a_translation_without_its_customer(
    alice: Client, portal: HostilePortal
) -> None:
    signed = alice.import_key("vault")
    token = alice.import_key("everyday", authorisation="token")
    portal.client = f"client:{CLIENT}"

    def ask(operation: str, key: str, payload: bytes, target: str = "") -> OperationReply:
        request = OperationRequest(
            principal=portal.client,
            partition=alice.partition,
            key=key,
            version=0,
            operation=operation,
            mechanism="",
            payload=payload,
            parameters=Parameters(target=target),
        )
        return portal.device.line("operations").operate(request)

    ciphertext = ask("encrypt", token.key_id, b"hello").result
    assert ask("translate", token.key_id, ciphertext, signed.key_id).code == "signed-instruction-required"
    sealed = alice.operate(Usage.ENCRYPT, "vault", b"secret").result
    assert ask("translate", signed.key_id, sealed, token.key_id).code == "signed-instruction-required"
    assert ask("decrypt", signed.key_id, sealed).code == "signed-instruction-required"


def test_a_token_key_is_the_portals_to_use_while_a_client_is_listed_and_no_longer(
    alice: Client, portal: HostilePortal
) -> None:
    key = alice.import_key("everyday", authorisation="token").key_id
    request = OperationRequest(
        principal=f"client:{CLIENT}",
        partition=alice.partition,
        key=key,
        version=0,
        operation="hash",
        mechanism="",
        payload=b"hello",
    )
    line = portal.device.line("operations")
    assert line.operate(request).code == ""
    assert line.operate(msgspec.structs.replace(request, principal="client:cl_portal")).code == "access-denied"
    alice.change_access(access.remove(f"client:{CLIENT}"))
    assert line.operate(request).code == "access-denied"


# --- through the client ---


def test_a_request_that_is_altered_on_the_way_is_refused(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    portal.does["operation"] = lambda body: portal.honest("operation", body | {"payload": "TWFsbG9yeQ=="})
    with refused("instruction-mismatch"):
        alice.operate(Usage.SIGN, "payments", b"pay 1 to Bob")


def test_a_signature_over_anything_else_or_by_another_key_is_not_passed_off(
    taken: Taken, alice: Client, portal: HostilePortal
) -> None:
    old = taken.portal.honest("operation", portal.seen("operation")[-1])
    portal.does["operation"] = lambda _: old
    with refused("signature-invalid"):
        alice.operate(Usage.SIGN, "payments", PAY_MALLORY)
    with refused("internal"):
        alice.operate(Usage.SIGN, "other", b"pay 2 to Bob")
    portal.does["operation"] = lambda _: old | {"key_id": taken.other_key}
    with refused("signature-invalid"):
        alice.operate(Usage.SIGN, "other", b"pay 2 to Bob")


@pytest.mark.parametrize("true", [True, False])
def test_whether_a_signature_holds_is_not_the_portals_to_say(
    alice: Client, portal: HostilePortal, *, true: bool
) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    signature = alice.operate(Usage.SIGN, "payments", b"pay 1 to Bob").result
    payload = b"pay 1 to Bob" if true else PAY_MALLORY
    assert alice.operate(Usage.VERIFY, "payments", payload, signature=b64u(signature)).valid is true
    portal.alters("operation", lambda answer: answer | {"valid": not true})
    with refused("signature-invalid"):
        alice.operate(Usage.VERIFY, "payments", payload, signature=b64u(signature))
