"""The access list is its owner's alone: no officer, device, client or portal changes it, and it counts at once."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest, device_principal
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Attestation
from tests.support.customer import OPERATIONS
from tests.support.imports import Imported
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice, nonce, now


@pytest.fixture
def dora(hsm: SealedDevice) -> Customer:
    """A customer whose access list may be spoilt."""
    return hsm.customer("acme")


def changed(access_list: AccessList, **changes: object) -> AccessList:
    return AccessList(**({name: getattr(access_list, name) for name in access_list.__struct_fields__} | changes))  # type: ignore[arg-type]


def put(customer: Customer, document: str) -> int:
    command = c.UpdateAccess(partition=customer.partition, document=document)
    version = customer.hsm.line().call(command, c.UpdateAccessReply).version
    customer.document, customer.version = document, version
    return version


def shown(customer: Customer) -> c.ShowAccessReply:
    return customer.hsm.line().call(c.ShowAccess(partition=customer.partition), c.ShowAccessReply)


def test_the_owner_signs_the_next_version_and_the_same_sent_again_changes_nothing(dora: Customer) -> None:
    assert shown(dora).version == 1
    document = jws.sign(dora.access_list(), dora.owner)
    assert put(dora, document) == 2
    assert put(dora, document) == 2
    assert shown(dora).document == document
    assert [one.event for one in dora.hsm.verified_log(dora.partition)["admin"]].count("access:update") == 2


def test_nobody_else_can(dora: Customer, charlie: Customer) -> None:
    officers = [card.signing for card in dora.hsm.cards]
    for key in (dora.device_key, charlie.owner, Ed25519PrivateKey.generate(), *officers):
        with refused("not-the-owner"):
            put(dora, jws.sign(dora.access_list(), key))
    assert shown(dora).version == 1


def test_a_list_signed_for_another_partition_is_refused(dora: Customer, hsm: SealedDevice) -> None:
    twin = hsm.define_partition(public_credential(dora.owner))
    with refused("wrong-partition"):
        put(dora, jws.sign(changed(dora.access_list(), partition=twin), dora.owner))


@pytest.mark.parametrize("version", [0, 1, 3, -1, 10**30])
def test_a_list_of_any_other_version_than_the_next_is_refused(dora: Customer, version: int) -> None:
    with refused("access-list-conflict"):
        put(dora, jws.sign(changed(dora.access_list(), version=version), dora.owner))


def test_a_list_that_follows_another_than_the_one_in_force_is_refused(dora: Customer) -> None:
    for previous in ("", "0" * 64, access_list_digest("other")):
        with refused("access-list-conflict"):
            put(dora, jws.sign(changed(dora.access_list(), previous=previous), dora.owner))


def test_an_earlier_list_cannot_be_put_in_force_again(dora: Customer) -> None:
    first = dora.document
    assert first is not None
    put(dora, jws.sign(dora.access_list(), dora.owner))
    with refused("access-list-conflict"):
        put(dora, first)
    assert shown(dora).version == 2


def test_a_list_altered_at_any_place_is_refused(dora: Customer) -> None:
    document = jws.sign(dora.access_list(), dora.owner)
    for place in range(0, len(document), 7):
        spoilt = document[:place] + ("A" if document[place] != "A" else "B") + document[place + 1 :]
        with refused("signature-invalid", "not-the-owner", "statement-malformed", "malformed"):
            put(dora, spoilt)
    for spelling in (document + "=", document + "==", document + "\n", " " + document):
        with refused("statement-malformed"):
            put(dora, spelling)
    assert shown(dora).version == 1


def test_a_list_without_an_owner_is_refused(dora: Customer) -> None:
    with refused("malformed"):
        put(dora, jws.sign(changed(dora.access_list(), owners=[]), dora.owner))


def test_unsound_principals_are_refused(dora: Customer) -> None:
    device, client = dora.device_entry(["sign"]), dora.client_entry(["sign"])
    credential = public_credential(Ed25519PrivateKey.generate())
    for entries in (
        [client, client],
        [Principal(principal=device.principal, rights=["sign"])],
        [Principal(principal=device.principal, rights=["sign"], credential=credential)],
        [Principal(principal=client.principal, rights=["sign"], credential=credential)],
        [Principal(principal="officer:partition1", rights=["sign"])],
        [Principal(principal="", rights=[])],
    ):
        with refused("malformed"):
            put(dora, jws.sign(dora.access_list(*entries), dora.owner))


def test_a_second_owner_may_be_enrolled_and_the_first_may_leave(dora: Customer) -> None:
    heir = Ed25519PrivateKey.generate()
    both = [public_credential(dora.owner), public_credential(heir)]
    put(dora, jws.sign(changed(dora.access_list(), owners=both), dora.owner))
    put(dora, jws.sign(changed(dora.access_list(), owners=both[1:]), heir))
    assert shown(dora).owners == both[1:]
    with refused("not-the-owner"):
        put(dora, jws.sign(changed(dora.access_list(), owners=both), dora.owner))


def test_the_attestation_names_owners_and_access_list_in_force(dora: Customer) -> None:
    mine = nonce()
    token = dora.hsm.line().call(c.Attest(nonce=mine, partition=dora.partition), c.AttestReply).attestation
    says = verify_statement(token, Attestation, [dora.hsm.factory.root], "device", now())[0]
    assert says.nonce == mine
    assert says.partition is not None
    assert says.partition.owners == [public_credential(dora.owner).fingerprint]
    assert says.partition.access_list_version == 1
    assert says.partition.access_list_digest == access_list_digest(dora.document)


def test_what_was_put_in_force_outlives_a_kill(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    device.kill()
    device.start()
    device.unseal()
    assert shown(customer).document == customer.document


def test_a_removed_principal_is_refused_at_once_in_every_worker(
    dora: Customer, import_key: Callable[..., Imported]
) -> None:
    key = import_key(dora, KeyType.EC_P256).id
    lines = [dora.hsm.line("operations") for _ in range(6)]
    request = dora.request(key, "sign", b"m")
    for _ in range(5):
        dora.allow(dora.device_entry(OPERATIONS), dora.client_entry(["sign"]))
        assert [line.operate(request).code for line in lines] == [""] * 6
        dora.allow(dora.device_entry(OPERATIONS))
        assert {line.operate(request).code for line in lines} == {"access-denied"}
    lanes = dora.hsm.verified_log(dora.partition)
    assert {"w0", "w1"} < set(lanes)


@pytest.mark.parametrize("right", OPERATIONS)
def test_each_right_is_honoured_alone(dora: Customer, import_key: Callable[..., Imported], right: str) -> None:
    key = import_key(dora, KeyType.AES_256).id
    dora.allow(dora.client_entry([right]))
    for operation in OPERATIONS:
        denied = dora.operate(key, operation, b"").code == "access-denied"
        assert denied == (operation != right), operation


def test_a_device_without_the_right_is_refused_and_one_that_is_not_listed_too(
    dora: Customer, import_key: Callable[..., Imported]
) -> None:
    key = import_key(dora, KeyType.EC_P256, authorisation="signed").id
    dora.allow(dora.device_entry(["import", "verify"]))
    assert dora.operate_signed(key, "sign", b"m", "ECDSA-SHA256").code == "access-denied"
    dora.allow(dora.client_entry(OPERATIONS))
    assert dora.operate_signed(key, "sign", b"m", "ECDSA-SHA256").code == "device-not-listed"


def test_the_partition_of_another_is_closed_to_charlie(dora: Customer, charlie: Customer) -> None:
    bob = device_principal(public_credential(charlie.device_key))
    assert bob != device_principal(public_credential(dora.device_key))
    reply = charlie.operate("any", "sign", b"", partition=dora.partition)
    assert reply.code == "access-denied"  # whether there is such a key is not said
    with refused("device-not-listed"):
        charlie.send(charlie.envelope(b"x" * 32, b"{}", "n", partition=dora.partition), partition=dora.partition)


def test_an_unknown_partition_is_not_found(hsm: SealedDevice) -> None:
    for partition in ("", "pt_none", "../device/identity", "a/b", f"pt_none{chr(0)}"):
        with refused("not-found"):
            hsm.line().call(c.ShowAccess(partition=partition), c.ShowAccessReply)
        with refused("not-found"):
            hsm.line().call(c.UpdateAccess(partition=partition, document="x"), c.UpdateAccessReply)


def test_a_path_into_a_partition_is_no_partition(dora: Customer) -> None:
    for inner in ("log-head", "keys/x", f"imports/{'x' * 10}"):
        with refused("not-found"):
            dora.hsm.line().call(c.ShowAccess(partition=f"{dora.partition}/{inner}"), c.ShowAccessReply)


def test_an_oversize_document_is_refused(dora: Customer) -> None:
    with refused("too-large"):
        put(dora, "x" * (4 * 1024 * 1024 + 1))
