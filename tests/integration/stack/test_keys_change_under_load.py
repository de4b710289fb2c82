"""A key used from all sides while it is rotated, taken from a client, or destroyed: never a wrong result, and no use of
it by what was sent after the change was answered."""

import base64
import itertools
import os
import time
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.client import access, account, imports, orders
from strongroom.client.material import read_material
from strongroom.protocol.access import client_principal
from strongroom.protocol.encoding import make_id
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt
from tests.support.load import Call, under_load
from tests.support.materials import material_of
from tests.support.stack import Stack, Tenant

numbers = itertools.count()


def message(number: int | None = None) -> dict[str, Any]:
    return {"payload": base64.b64encode(b"%d" % (next(numbers) if number is None else number)).decode()}


@pytest.fixture(scope="module")
def alice(stack: Stack) -> Tenant:
    return stack.tenant("acme")


def bring(tenant: Tenant, name: str, key_type: KeyType, material: bytes, *, again: bool = False) -> Receipt:
    """A key in token mode, or its next version."""
    usages = ["sign", "verify"] if key_type is KeyType.EC_P256 else ["encrypt", "decrypt"]
    terms = Terms(salt=new_salt(), key_type=key_type, usages=usages, authorisation="token")  # type: ignore[arg-type]
    with tenant.connect() as connection:
        now = int(time.time())
        read = read_material(material, key_type)
        return imports.import_key(connection, read, name, terms, now, new_version=again).receipt


def url_of(tenant: Tenant, name: str, operation: str) -> str:
    return f"{tenant.stack.url}/api/v1/keys/{name}/{operation}"


def check_signatures(calls: list[Call], receipts: list[Receipt]) -> None:
    """Each signature is by the version that the answer names."""
    public = {one.version: load_pem_public_key(one.public_key.encode()) for one in receipts}
    for call in calls:
        signature, payload = (base64.b64decode(one) for one in (call.answer["result"], call.body["payload"]))
        public[call.answer["version"]].verify(signature, payload, ec.ECDSA(hashes.SHA256()))  # type: ignore[union-attr, call-arg]


def everywhere(tenant: Tenant, url: str, token: str, count: int = 24) -> set[str]:
    """What as many fresh connections are answered: every process has its turn."""
    headers = {"Authorization": f"Bearer {token}"}
    return {httpx.post(url, headers=headers, json=message()).json().get("code", "") for _ in range(count)}


def test_signatures_are_by_the_version_that_the_answer_names_during_a_rotation(alice: Tenant) -> None:
    name = make_id("load-")
    receipts = [bring(alice, name, KeyType.EC_P256, material_of(KeyType.EC_P256))]

    def rotate() -> None:
        receipts.append(bring(alice, name, KeyType.EC_P256, material_of(KeyType.EC_P256), again=True))

    phases = under_load(url_of(alice, name, "sign"), alice.home.token(), message, [rotate, rotate])
    for least, calls in enumerate(phases, 1):
        assert {call.code for call in calls} == {""}
        # What was sent after version n was there is never answered by an older one.
        assert min(call.answer["version"] for call in calls) == least
        check_signatures(calls, receipts)


def test_ciphertexts_open_with_the_version_that_the_answer_names_during_a_rotation(alice: Tenant) -> None:
    name = make_id("load-")
    materials = [os.urandom(32) for _ in range(3)]
    bring(alice, name, KeyType.AES_256, materials[0])
    changes = [lambda n=n: bring(alice, name, KeyType.AES_256, materials[n], again=True) for n in (1, 2)]
    phases = under_load(url_of(alice, name, "encrypt"), alice.home.token(), message, changes)
    for least, calls in enumerate(phases, 1):
        assert {call.code for call in calls} == {""}
        assert min(call.answer["version"] for call in calls) == least
        for call in calls:
            sealed, clear = (base64.b64decode(one) for one in (call.answer["result"], call.body["payload"]))
            outside = AESGCM(materials[call.answer["version"] - 1])
            assert outside.decrypt(sealed[:12], sealed[12:], None) == clear
    # Inside too, by the version that was named.
    last = phases[0][-1]
    body = {"payload": last.answer["result"], "version": last.answer["version"]}
    headers = {"Authorization": f"Bearer {alice.home.token()}"}
    opened = httpx.post(url_of(alice, name, "decrypt"), headers=headers, json=body).json()
    assert opened["result"] == last.body["payload"]


def test_nothing_uses_a_version_or_a_key_after_its_destruction_was_answered(alice: Tenant) -> None:
    name = make_id("load-")
    receipts = [
        bring(alice, name, KeyType.EC_P256, material_of(KeyType.EC_P256), again=bool(version)) for version in (0, 1)
    ]

    def destroy(version: int) -> None:
        with alice.connect() as connection:
            orders.destroy(connection, name, int(time.time()), version)

    def either() -> dict[str, Any]:
        number = next(numbers)
        return message(number) | {"version": number % 2}

    def codes(calls: list[Call], version: int) -> set[str]:
        return {call.code for call in calls if call.body["version"] == version}

    url, token = url_of(alice, name, "sign"), alice.home.token()
    phases = under_load(url, token, either, [lambda: destroy(1), lambda: destroy(0)])
    before, without_first, after = phases
    for calls in phases:
        check_signatures([call for call in calls if not call.code], receipts)
    # While one is destroyed some are answered so, and others so.
    assert "" in codes(before, 1)
    assert codes(before, 1) <= {"", "key-not-active"}
    assert codes(before, 0) == {""}
    assert codes(without_first, 1) == {"key-not-active"}
    assert "" in codes(without_first, 0)
    assert codes(after, 0) | codes(after, 1) == {"key-not-active"}
    assert everywhere(alice, url, token) == {"key-not-active"}


def test_nothing_is_done_for_a_client_after_its_removal_was_answered(alice: Tenant) -> None:
    name = make_id("load-")
    receipt = bring(alice, name, KeyType.EC_P256, material_of(KeyType.EC_P256))
    label = make_id("c-")[:20]
    token = alice.new_client(label)
    with alice.connect("person") as connection:
        principal = client_principal(account.client_id(connection, label))

        def change(what: access.Change) -> None:
            access.update(connection, what, int(time.time()))

        url = url_of(alice, name, "sign")
        phases = under_load(
            url, token, message,
            [
                lambda: change(access.allow(principal, ["verify"])),
                lambda: change(access.allow(principal, ["sign"])),
                lambda: change(access.remove(principal)),
            ],
        )  # fmt: skip
    allowed, narrowed, again, removed = phases
    for calls in (allowed, again):
        check_signatures([call for call in calls if not call.code], [receipt])
        assert [call for call in calls if not call.code]
        assert {call.code for call in calls} <= {"", "access-denied"}
    assert {call.code for call in removed} == {"access-denied"}
    # Those sent while the right is given back may already have it: what was sent until then had not.
    assert narrowed
    assert narrowed[0].code == "access-denied"
    assert everywhere(alice, url, token) == {"access-denied"}
