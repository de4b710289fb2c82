"""Only the owner changes the access list, always on top of a list that was verified."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulator import PARTITION, Simulator

from strongroom.client import access
from strongroom.client.connection import Connection
from strongroom.client.in_force import AccessAnswer, InForce, check_in_force
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, access_list_digest, device_principal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.errors import Refused

ALICE, BOB, MALLORY = (Ed25519PrivateKey.generate() for _ in range(3))


def signed(version: int, *, by: Ed25519PrivateKey, owners: list[Ed25519PrivateKey], partition: str = PARTITION) -> str:
    statement = AccessList(
        partition=partition,
        version=version,
        previous="",
        owners=[public_credential(one) for one in owners],
        principals=[],
    )
    return jws.sign(statement, by)


def in_force(document: str, version: int, kept: str = "") -> InForce:
    answer = AccessAnswer(version=version, document=document)
    return check_in_force(answer, partition=PARTITION, own=public_credential(ALICE), kept=kept)


def test_the_first_list_names_the_owner_and_follows_nothing(listed: Connection, provider: Simulator) -> None:
    document = jws.read_unverified(provider.document or "", AccessList)
    assert (document.version, document.previous) == (1, "")
    assert document.owners == [listed.home.credential("owner")]
    assert [one.principal for one in document.principals] == [device_principal(listed.home.credential("device"))]


def test_each_list_is_whole_and_follows_the_one_before(listed: Connection, provider: Simulator, now: int) -> None:
    first = provider.document
    access.update(listed, access.allow("client:cl_api", ["sign"], label="invoices"), now)
    second = jws.read_unverified(provider.document or "", AccessList)
    assert (second.version, second.previous) == (2, access_list_digest(first))
    assert [one.principal.split(":")[0] for one in second.principals] == ["device", "client"]
    access.update(listed, access.allow("client:cl_api", ["verify"]), now)
    assert jws.read_unverified(provider.document or "", AccessList).principals[-1].rights == ["verify"]
    access.update(listed, access.remove("client:cl_api"), now)
    assert len(jws.read_unverified(provider.document or "", AccessList).principals) == 1


def test_removing_whom_the_list_does_not_name_is_refused(listed: Connection, now: int) -> None:
    with pytest.raises(Refused, match="not-found"):
        access.update(listed, access.remove("client:cl_nobody"), now)


@pytest.mark.parametrize("rights", [["sign", "export"], [""], ["*"]])
def test_an_unknown_right_is_refused(rights: list[str]) -> None:
    with pytest.raises(Refused, match="rights are import"):
        access.allow("client:cl_api", rights)


def test_a_device_is_listed_only_with_the_credential_that_its_name_is_made_of() -> None:
    principal = device_principal(public_credential(ALICE))
    for credential in (None, public_credential(MALLORY)):
        with pytest.raises(Refused, match="public credential"):
            access.allow(principal, ["sign"], credential=credential)


def test_a_principal_that_is_neither_a_device_nor_a_client_is_refused(
    listed: Connection, provider: Simulator, now: int
) -> None:
    before = provider.document
    with pytest.raises(Refused, match="malformed"):
        access.update(listed, access.allow("person:bob", ["sign"]), now)
    assert provider.document == before


def test_a_list_that_an_owner_named_by_alice_signed_is_accepted() -> None:
    kept = signed(1, by=ALICE, owners=[ALICE, BOB])
    assert in_force(signed(2, by=BOB, owners=[ALICE, BOB]), 2, kept).version == 2


@pytest.mark.parametrize(
    ("document", "version", "kept", "code"),
    [
        (signed(1, by=MALLORY, owners=[MALLORY]), 1, "", "not-the-owner"),
        (signed(2, by=BOB, owners=[BOB]), 2, signed(1, by=ALICE, owners=[ALICE]), "not-the-owner"),
        (signed(1, by=ALICE, owners=[ALICE], partition="pt_other"), 1, "", "wrong-partition"),
        (signed(1, by=ALICE, owners=[ALICE]), 2, "", "access-list-conflict"),
        (signed(1, by=ALICE, owners=[ALICE]), 1, signed(2, by=ALICE, owners=[ALICE]), "access-list-conflict"),
        (signed(2, by=ALICE, owners=[BOB]), 2, signed(2, by=ALICE, owners=[ALICE]), "access-list-conflict"),
        ("", 0, signed(1, by=ALICE, owners=[ALICE]), "access-list-conflict"),
        (signed(1, by=ALICE, owners=[ALICE]), 0, "", "malformed"),
        ("", 1, "", "statement-malformed"),
        ("not.a.jws", 1, "", "statement-malformed"),
    ],
    ids=[
        "by a stranger",
        "by an owner whom nobody named",
        "of another partition",
        "of another version than stated",
        "older than the kept one",
        "another of the same version",
        "none any more",
        "a list without a version",
        "a version without a list",
        "rubbish",
    ],
)
def test_a_list_that_cannot_be_the_one_in_force_is_refused(document: str, version: int, kept: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        in_force(document, version, kept)
    assert refused.value.code == code


def test_a_list_with_a_broken_signature_is_refused() -> None:
    head, body, _ = signed(1, by=ALICE, owners=[ALICE]).split(".")
    other = signed(2, by=ALICE, owners=[ALICE]).split(".")[2]
    with pytest.raises(Refused, match="signature-invalid"):
        in_force(".".join([head, body, other]), 1)
