"""A sealed request is carried out for exactly what it was sealed for, and its result is only for whoever sealed it."""

import hmac
import sqlite3
from collections.abc import Callable
from contextlib import closing

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_BATCH, MAX_PAYLOAD, Item, Parameters
from strongroom.protocol.log import Entry
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealed import SealedReply, new_reply_key, open_reply
from tests.support.hardware import now
from tests.support.imports import Imported
from tests.support.materials import private_key
from tests.support.sealed import Customer, SealedDevice
from tests.support.sealed_calls import SealedCall, operations_key

MESSAGE = b"pay 100 to Bob"
ECDSA, GCM = "ECDSA-SHA256", "AES-GCM"
DAY = 24 * 3600
both_modes = pytest.mark.parametrize("signed", [False, True], ids=["token", "signed"])


def entries_of(asked: SealedCall) -> list[Entry]:
    """What the log says of the request's instruction."""
    log, wanted = asked.customer.hsm.verified_log(asked.customer.partition), digest(asked.request.instruction.encode())
    return [one for entries in log.values() for one in entries if one.digest == wanted]


@pytest.fixture
def call(alice: Customer, ec_key: Imported) -> SealedCall:
    """A sealed request to sign `MESSAGE`, not yet sent."""
    return SealedCall(alice, ec_key.id, "sign", ECDSA, MESSAGE)


@pytest.fixture
def deferred(alice: Customer, signed_key: Imported) -> Callable[..., SealedCall]:
    """Makes requests to sign `MESSAGE` under a deferred instruction."""

    def make(seconds: int = DAY, **stated: object) -> SealedCall:
        stated = {"session": "", "nonce": "", "expires_at": now() + seconds} | stated
        return SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE, signed=True, stated=stated)

    return make


@both_modes
def test_a_signature_and_what_it_verifies_to(alice: Customer, ec_key: Imported, signed: bool) -> None:
    signature = SealedCall(alice, ec_key.id, "sign", ECDSA, MESSAGE, signed=signed).result()
    private_key(ec_key.material).public_key().verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    parameters = Parameters(signature=b64u(signature))
    for message, valid in ((MESSAGE, b"\x01"), (MESSAGE + b"!", b"\x00")):
        asked = SealedCall(alice, ec_key.id, "verify", ECDSA, message, parameters, signed=signed)
        assert asked.result() == valid


@both_modes
def test_encrypted_and_decrypted_with_sealed_additional_data(alice: Customer, aes_key: Imported, signed: bool) -> None:
    aad = Parameters(aad=b64u(b"invoice 7"))
    sealed = SealedCall(alice, aes_key.id, "encrypt", GCM, MESSAGE, aad, signed=signed).result()
    assert SealedCall(alice, aes_key.id, "decrypt", GCM, sealed, aad, signed=signed).result() == MESSAGE
    without = SealedCall(alice, aes_key.id, "decrypt", GCM, sealed, signed=signed).send()
    assert (without.code, without.sealed, without.statement) == ("ciphertext-invalid", b"", "")


@both_modes
def test_translated_to_a_key_that_is_named_inside(
    alice: Customer, import_key: Callable[..., Imported], signed: bool
) -> None:
    source = import_key(alice, KeyType.AES_256, translate_to=["*"])
    target = import_key(alice, KeyType.AES_256)
    first = alice.operate(source.id, "encrypt", MESSAGE).result
    parameters = Parameters(target=target.id, target_aad=b64u(b"moved"))
    moved = SealedCall(alice, source.id, "translate", GCM, first, parameters, signed=signed).result()
    opened = alice.operate(target.id, "decrypt", moved, parameters=Parameters(aad=b64u(b"moved")))
    assert opened.result == MESSAGE


@both_modes
def test_hashed_derived_wrapped_and_unwrapped(
    alice: Customer, import_key: Callable[..., Imported], aes_key: Imported, signed: bool
) -> None:
    mac = import_key(alice, KeyType.HMAC)
    hashed = SealedCall(alice, mac.id, "hash", "HMAC-SHA256", MESSAGE, signed=signed).result()
    assert hashed == hmac.digest(mac.material, MESSAGE, "sha256")
    agreeing, peer = import_key(alice, KeyType.X25519), X25519PrivateKey.generate()
    theirs = peer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    plain = alice.operate(agreeing.id, "derive", theirs, parameters=Parameters(salt=b64u(b"s"), length=48))
    parameters = Parameters(salt=b64u(b"s"), length=48)
    derived = SealedCall(alice, agreeing.id, "derive", plain.mechanism, theirs, parameters, signed=signed).result()
    assert (derived, len(derived)) == (plain.result, 48)
    wrapped = SealedCall(alice, aes_key.id, "wrap", "AES-KWP", b"k" * 32, signed=signed).result()
    assert SealedCall(alice, aes_key.id, "unwrap", "AES-KWP", wrapped, signed=signed).result() == b"k" * 32


@both_modes
def test_a_batch_has_its_errors_inside(alice: Customer, aes_key: Imported, signed: bool) -> None:
    good = alice.operate(aes_key.id, "encrypt", MESSAGE).result
    items = [Item(good), Item(b"spoilt"), Item(good, b"", b"other aad")]
    asked = SealedCall(alice, aes_key.id, "decrypt", GCM, items=items, signed=signed)
    reply = asked.send()
    inside = asked.open(reply)
    assert (inside.results, sorted(inside.errors)) == ([MESSAGE, b"", b""], [1, 2])
    if signed:
        [entry] = entries_of(asked)
        assert entry.details == {"items": 3, "failed": 2}


def test_the_largest_batch_goes_and_a_larger_one_does_not(alice: Customer, aes_key: Imported) -> None:
    items = [Item(bytes(MAX_PAYLOAD))] * (MAX_BATCH // MAX_PAYLOAD)
    asked = SealedCall(alice, aes_key.id, "encrypt", GCM, items=items)
    assert len(asked.open(asked.send()).results) == len(items)
    more = SealedCall(alice, aes_key.id, "encrypt", GCM, items=[*items, Item(b"1")])
    assert more.send().code == "batch-too-large"
    assert SealedCall(alice, aes_key.id, "encrypt", GCM, bytes(MAX_PAYLOAD + 1)).send().code == "too-large"
    assert SealedCall(alice, aes_key.id, "encrypt", GCM, b"1", items=[Item(b"2")]).send().code == "malformed"
    assert SealedCall(alice, aes_key.id, "encrypt", GCM, items=[]).send().code == "malformed"


def test_the_statement_says_who_asked_for_what(alice: Customer, signed_key: Imported, call: SealedCall) -> None:
    result = call.check(call.send())
    assert (result.principal, result.operation, result.mechanism, result.version) == (alice.client, "sign", ECDSA, 1)
    assert abs(result.issued_at - now()) < 10
    signed = SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE, signed=True)
    assert signed.check(signed.send()).principal == alice.device_entry([]).principal


def test_what_is_not_stated_is_chosen_by_the_device_and_told(alice: Customer, ec_key: Imported) -> None:
    asked = SealedCall(alice, ec_key.id, "sign", "", MESSAGE, bound={"version": 0})
    result = asked.check(asked.send(version=0))
    assert (result.mechanism, result.version) == (ECDSA, 1)


def test_it_is_for_nothing_but_what_it_was_sealed_for(
    alice: Customer, charlie: Customer, call: SealedCall, import_key: Callable[..., Imported]
) -> None:
    other = import_key(alice, KeyType.EC_P256)
    assert call.send(key=other.id).code == "sealed-unopenable"
    assert call.send(operation="verify").code == "sealed-unopenable"
    assert call.send(mechanism="").code == "sealed-unopenable"
    assert call.send(version=0).code == "sealed-unopenable"
    theirs = import_key(charlie, KeyType.EC_P256)
    assert call.send(partition=charlie.partition, principal=charlie.client, key=theirs.id).code == "sealed-unopenable"
    assert call.send(operations_key="ok_other").code == "operations-key-unknown"
    for device, partition in (("dev_other", alice.partition), (call.binding.device, charlie.partition)):
        bound = {"device": device, "partition": partition}
        assert SealedCall(alice, call.key, "sign", ECDSA, MESSAGE, bound=bound).send().code == "sealed-unopenable"
    assert call.send().code == ""


def test_no_altered_byte_is_opened(call: SealedCall) -> None:
    size = len(call.sealed)
    for place in [*range(0, size, 101), size - 17, size - 16, size - 1]:
        spoilt = bytearray(call.sealed)
        spoilt[place] ^= 1
        assert call.send(sealed=bytes(spoilt)).code == "sealed-unopenable"
    for cut in (1, 16, 1000, size - 1):
        assert call.send(sealed=call.sealed[:cut]).code == "sealed-unopenable"


def test_nothing_stands_in_clear_beside_it(call: SealedCall) -> None:
    for changes in ({"payload": b"x"}, {"items": [Item(b"x")]}, {"parameters": Parameters(prehashed=True)}):
        assert call.send(**changes).code == "malformed"
    assert call.send(sealed=bytes(MAX_BATCH + 1024 * 1024)).code == "too-large"


def test_an_altered_or_exchanged_reply_is_refused(call: SealedCall, alice: Customer, ec_key: Imported) -> None:
    reply, other = call.send(), SealedCall(alice, ec_key.id, "sign", ECDSA, b"another message")
    elsewhere = other.send()
    for place in range(len(reply.sealed)):
        spoilt = bytearray(reply.sealed)
        spoilt[place] ^= 1
        with pytest.raises(Refused, match="result-mismatch"):
            open_reply(call.reply_key, digest(call.sealed), bytes(spoilt))
        with pytest.raises(Refused, match="result-mismatch"):
            call.check(msgspec.structs.replace(reply, sealed=bytes(spoilt)))
    for given in (elsewhere, msgspec.structs.replace(reply, statement=elsewhere.statement)):
        with pytest.raises(Refused, match="result-mismatch"):
            call.check(given)
    with pytest.raises(Refused, match="result-mismatch"):
        open_reply(new_reply_key(), digest(call.sealed), reply.sealed)
    with pytest.raises(Refused, match="result-mismatch"):
        open_reply(call.reply_key, digest(other.sealed), reply.sealed)
    assert open_reply(call.reply_key, digest(call.sealed), reply.sealed) != SealedReply()


def test_no_altered_statement_is_believed(call: SealedCall) -> None:
    reply = call.send()
    for place in range(0, len(reply.statement), 23):
        character = "A" if reply.statement[place] != "A" else "B"
        spoilt = reply.statement[:place] + character + reply.statement[place + 1 :]
        with pytest.raises(Refused) as refused:
            call.check(msgspec.structs.replace(reply, statement=spoilt))
        assert refused.value.code in {"signature-invalid", "statement-malformed", "certificate-invalid"}


def test_a_statement_of_another_certified_device_is_refused(
    call: SealedCall, make_device: Callable[..., SealedDevice], import_key: Callable[..., Imported]
) -> None:
    device = make_device(workers=1)
    device.factory = call.customer.hsm.factory
    device.bring_up()
    customer = device.customer()
    key = import_key(customer, KeyType.EC_P256)
    other = SealedCall(customer, key.id, "sign", ECDSA, MESSAGE)
    with pytest.raises(Refused, match="another device"):
        call.check(other.send())


def test_an_instruction_for_what_is_sealed_is_for_nothing_else(alice: Customer, signed_key: Imported) -> None:
    asked = SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE, signed=True)
    stripped = {"payload": asked.sealed, "sealed": b"", "operations_key": ""}
    assert asked.send(**stripped).code == "instruction-mismatch"
    clear = SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE, signed=True, stated={"recipient": ""})
    assert clear.send().code == "instruction-mismatch"
    outside = {"parameters": Parameters(prehashed=True)}
    assert SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE, signed=True, stated=outside).send().code == (
        "instruction-mismatch"
    )
    other = SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE)
    assert asked.send(sealed=other.sealed).code == "instruction-mismatch"
    assert asked.send().code == ""
    assert asked.send().code == "instruction-replayed"


def test_a_key_in_signed_mode_takes_nothing_sealed_on_the_portals_word(alice: Customer, signed_key: Imported) -> None:
    reply = SealedCall(alice, signed_key.id, "sign", ECDSA, MESSAGE).send()
    assert (reply.code, reply.sealed) == ("signed-instruction-required", b"")


def test_a_deferred_instruction_may_be_carried_out_again(deferred: Callable[..., SealedCall]) -> None:
    asked = deferred()
    replies = [asked.send() for _ in range(3)]
    assert len({asked.open(reply).result for reply in replies}) == 3  # ECDSA: each run has its own signature
    assert len({reply.sealed[:12] for reply in replies}) == 3
    assert [(one.principal, one.result) for one in entries_of(asked)] == [
        (asked.customer.device_entry([]).principal, "ok")
    ] * 3


@pytest.mark.parametrize(
    ("seconds", "stated", "code"),
    [
        (0, {}, "instruction-expired"),
        (-DAY, {}, "instruction-expired"),
        (7 * DAY + 60, {}, "instruction-mismatch"),
        (DAY, {"recipient": ""}, "instruction-mismatch"),
        (DAY, {"session": "AAAAAAAAAAAAAAAAAAAAAA"}, "instruction-mismatch"),
        (DAY, {"expires_at": 0}, "instruction-mismatch"),
    ],
)
def test_a_deferred_instruction_has_its_bounds(
    deferred: Callable[..., SealedCall], seconds: int, stated: dict[str, object], code: str
) -> None:
    assert deferred(seconds, **stated).send().code == code


def test_only_what_is_sealed_can_be_deferred(alice: Customer, signed_key: Imported) -> None:
    stated = {"session": "", "expires_at": now() + DAY}
    reply = alice.operate_signed(signed_key.id, "sign", MESSAGE, ECDSA, **stated)
    assert reply.code == "instruction-mismatch"


def test_a_deferred_instruction_falls_with_its_device(hsm: SealedDevice, import_key: Callable[..., Imported]) -> None:
    customer = hsm.customer()
    key = import_key(customer, KeyType.EC_P256, authorisation="signed")
    stated = {"session": "", "nonce": "", "expires_at": now() + DAY}
    asked = SealedCall(customer, key.id, "sign", ECDSA, MESSAGE, signed=True, stated=stated)
    assert asked.send().code == ""
    customer.allow(customer.client_entry(["sign"]))
    assert asked.send().code == "device-not-listed"


def test_the_operations_key_survives_a_restart_and_is_made_for_older_states(
    make_device: Callable[..., SealedDevice], import_key: Callable[..., Imported]
) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    key = import_key(customer, KeyType.EC_P256, authorisation="signed")
    stated = {"session": "", "nonce": "", "expires_at": now() + DAY}
    asked = SealedCall(customer, key.id, "sign", ECDSA, MESSAGE, signed=True, stated=stated)
    path = f"world/operations-keys/{operations_key(customer).key_id}"
    assert path in device.stored()
    # What was sealed before a restart is opened after it, also under a deferred instruction.
    device.restart()
    customer.operations = device.line("operations")
    assert asked.open(asked.send()).result
    # A state from before there were operations keys gets one when it is unsealed.
    device.stop()
    with closing(sqlite3.connect(device.folder / "store.db")) as store, store:
        store.execute("DELETE FROM record WHERE path = ?", (path,))
    device.start()
    device.unseal()
    again = device.customer()
    assert operations_key(again).key_id not in path
    customer.operations = device.line("operations")
    assert asked.send().code == "operations-key-unknown"


def test_nothing_readable_is_in_request_or_reply(call: SealedCall) -> None:
    reply, sent = call.send(), msgspec.msgpack.encode(call.request)
    assert MESSAGE not in sent
    assert call.reply_key not in sent
    signature = call.open(reply).result
    assert signature not in msgspec.msgpack.encode(reply)
