"""A portal that reads, alters or exchanges sealed operations and their results: it learns nothing, and is found out."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from strongroom.client.home import Config
from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.sealing import RecipientPrivateKey
from tests.support.client import Client
from tests.support.device import Device
from tests.support.hostile import HostilePortal
from tests.support.refusals import refused

CANARY = b"the canary that no provider hears"
ITEMS = [Item(CANARY + b"%d" % n) for n in range(3)]
Body = dict[str, Any]
both_modes = pytest.mark.parametrize("mode", ["token", "signed"])


@pytest.fixture
def answers(portal: HostilePortal) -> list[Body]:
    """What the portal has given out to operations."""
    given: list[Body] = []

    def keep(answer: Body) -> Body:
        given.append(answer)
        return answer

    portal.alters("operation", keep)
    return given


def readable(value: object, *secrets: bytes) -> bool:
    """Whether any of them is in what was sent, as it is or in base64."""
    text = msgspec.json.encode(value)
    return any(
        one in text or base64.b64encode(one).rstrip(b"=")[:-1] in text or b64u(one).encode() in text for one in secrets
    )


@both_modes
def test_single_operations_are_seen_by_nobody(
    alice: Client, portal: HostilePortal, answers: list[Body], mode: str
) -> None:
    alice.import_key("a", KeyType.AES_256, authorisation=mode)
    alice.import_key("b", KeyType.AES_256, authorisation=mode)
    how: dict[str, Any] = {"token_mode": mode == "token", "sealed": True}
    aad = b64u(b"a secret label")
    closed = alice.operate(Usage.ENCRYPT, "a", CANARY, aad=aad, **how).result
    moved = alice.operate(Usage.TRANSLATE, "a", closed, aad=aad, target="b", **how).result
    assert alice.operate(Usage.DECRYPT, "b", moved, **how).result == CANARY
    data_key = alice.operate(Usage.WRAP, "a", b"", generate=32, clear=True, **how)
    assert len(data_key.clear) == 32
    assert alice.operate(Usage.UNWRAP, "a", data_key.result, **how).result == data_key.clear
    secrets = (CANARY, b"a secret label", closed, moved, data_key.clear, data_key.result)
    assert len(answers) == 5
    assert not readable(portal.seen("operation"), *secrets)
    assert not readable(answers, *secrets)


@both_modes
def test_signatures_are_made_and_verified(alice: Client, answers: list[Body], mode: str) -> None:
    alice.import_key("payments", KeyType.EC_P256, authorisation=mode)
    how: dict[str, Any] = {"token_mode": mode == "token", "sealed": True}
    made = alice.operate(Usage.SIGN, "payments", CANARY, **how)
    assert alice.operate(Usage.VERIFY, "payments", CANARY, signature=b64u(made.result), **how).valid is True
    assert alice.operate(Usage.VERIFY, "payments", b"other", signature=b64u(made.result), **how).valid is False
    assert not readable(answers, made.result)


@both_modes
def test_a_batch_has_its_results_and_errors_inside(
    alice: Client, portal: HostilePortal, answers: list[Body], mode: str
) -> None:
    alice.import_key("a", KeyType.AES_256, authorisation=mode)
    how: dict[str, Any] = {"token_mode": mode == "token", "sealed": True}
    closed = alice.operate_batch(Usage.ENCRYPT, "a", ITEMS, **how).results
    back = [Item(one.result or b"") for one in closed]
    opened = alice.operate_batch(Usage.DECRYPT, "a", [*back, Item(b"spoilt")], **how).results
    assert [one.result for one in opened[:3]] == [one.payload for one in ITEMS]
    assert [one.error.code if one.error else "" for one in opened] == ["", "", "", "ciphertext-invalid"]
    assert not readable([portal.seen("operation"), answers], CANARY, b"ciphertext-invalid")


def test_one_line_seals_a_whole_folders_operations(alice: Client, portal: HostilePortal, answers: list[Body]) -> None:
    alice.import_key("a", KeyType.AES_256)
    config: Config = msgspec.structs.replace(alice.home.config(), sealed=True)
    (alice.home.path / "config.json").write_bytes(msgspec.json.encode(config))
    closed = alice.operate(Usage.ENCRYPT, "a", CANARY)
    assert alice.operate_batch(Usage.DECRYPT, "a", [Item(closed.result)]).results[0].result == CANARY
    assert all("sealed" in one for one in [*portal.seen("operation"), *answers])


def _flip(text: str | bytes, place: int) -> bytes:
    data = bytearray(base64.b64decode(text) if isinstance(text, str) else text)
    data[place] ^= 1
    return bytes(data)


@pytest.mark.parametrize("place", [0, 11, 12, 20, -16, -1])
def test_an_altered_result_is_not_shown(alice: Client, portal: HostilePortal, place: int) -> None:
    alice.import_key("a", KeyType.AES_256)
    portal.alters("operation", lambda answer: answer | {"sealed": _flip(answer["sealed"], place)})
    with refused("result-mismatch"):
        alice.operate(Usage.ENCRYPT, "a", CANARY, sealed=True)


@pytest.mark.parametrize("taken", [("sealed",), ("statement",), ("sealed", "statement")])
def test_another_requests_result_is_not_shown(alice: Client, portal: HostilePortal, taken: tuple[str, ...]) -> None:
    alice.import_key("a", KeyType.AES_256, authorisation="token")
    kept: list[Body] = []

    def exchange(answer: Body) -> Body:
        kept.append(answer)
        return answer | {name: kept[0][name] for name in taken}

    portal.alters("operation", exchange)
    alice.operate(Usage.ENCRYPT, "a", b"another payload", token_mode=True, sealed=True)
    with refused("result-mismatch"):
        alice.operate(Usage.ENCRYPT, "a", CANARY, token_mode=True, sealed=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {"operation": "decrypt"},
        lambda body: {"version": 2},
        lambda body: {"mechanism": "AES-GCM-SIV"},
        lambda body: {"sealed": base64.b64encode(_flip(body["sealed"], 40)).decode()},
        lambda body: {"sealed": base64.b64encode(_flip(body["sealed"], -1)).decode()},
    ],
)
def test_what_is_altered_on_the_way_is_not_opened(
    alice: Client, portal: HostilePortal, change: Callable[[Body], Body]
) -> None:
    alice.import_key("a", KeyType.AES_256, authorisation="token")
    portal.does["operation"] = lambda body: portal.honest("operation", body | change(body))
    with refused("sealed-unopenable"):
        alice.operate(Usage.ENCRYPT, "a", CANARY, token_mode=True, sealed=True)


def test_it_is_not_carried_out_with_another_key(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("a", KeyType.AES_256, authorisation="token")
    other = alice.import_key("b", KeyType.AES_256, authorisation="token").key_id
    portal.does["operation"] = lambda body: portal.honest("operation", body | {"key": other})
    with refused("sealed-unopenable"):
        alice.operate(Usage.ENCRYPT, "a", CANARY, token_mode=True, sealed=True)


def test_a_result_in_clear_is_no_answer_to_a_sealed_request(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("a", KeyType.AES_256)
    portal.alters("operation", lambda answer: {"result": base64.b64encode(b"x").decode(), "key_id": answer["key_id"]})
    with refused("internal"):
        alice.operate(Usage.ENCRYPT, "a", CANARY, sealed=True)


def test_nothing_is_sealed_to_a_key_of_the_portals_own(alice: Client, portal: HostilePortal, other: Device) -> None:
    alice.import_key("a", KeyType.AES_256)
    mine = RecipientPrivateKey.generate().public()
    endorsed = {"purpose": "operations-key", "key_id": mine.key_id("ok_"), "public_key": mine.text}
    device = portal.published().device
    lies = [
        other.endorse(**endorsed),
        other.endorse(**endorsed, device=device),
        other.endorse(),
        portal.published_key("vendor-key"),
    ]
    for lie in lies:
        keys = {"device": device, "vendor_keys": [], "provider_keys": [], "operations_keys": [lie]}
        portal.alters("trust", lambda answer, keys=keys: answer | {"devices": [keys]})  # type: ignore[misc]
        with refused("validation-failed"):
            alice.operate(Usage.ENCRYPT, "a", CANARY, sealed=True)
    assert not portal.seen("operation")
