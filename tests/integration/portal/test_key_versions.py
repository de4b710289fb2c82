"""Versions of a key and the owner's orders on it: GET keys…/versions, receipt?version=, POST keys/{key}/order."""

import base64
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from strongroom.protocol import jws
from strongroom.protocol.commands import ListKeys, ListKeysReply
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.owner_orders import KeyOrder, VersionConsent
from tests.support.keys import aes_terms, p256_pkcs8, p256_terms
from tests.support.pages import visitor
from tests.support.portal import Organisation, code_of, make_customer, make_organisation
from tests.support.sealed import Customer, SealedDevice, now
from tests.support.transports import make_envelope, post_import

ROUTE = ("channel", "HPKE-XWING")


def add(acme: Organisation, customer: Customer, name: str, version: int = 1, **changes: Any) -> httpx.Response:
    envelope = make_envelope(acme, customer, ROUTE, name, version=version, **changes)
    return post_import(acme, customer, envelope)


@pytest.fixture
def two(acme: Organisation, acme_customer: Customer, fresh_name: str) -> list[bytes]:
    """A key `fresh_name` of two versions; their materials."""
    materials = [p256_pkcs8(), p256_pkcs8()]
    for version, material in enumerate(materials, 1):
        assert add(acme, acme_customer, fresh_name, version, material=material).status_code == 201
    return materials


def sign(organisation: Organisation, name: str, version: int | None = None) -> httpx.Response:
    body: dict[str, Any] = {"payload": base64.b64encode(b"m").decode()}
    return organisation.as_client().post(f"keys/{name}/sign", json=body | ({"version": version} if version else {}))


def signed_by(material: bytes, answer: httpx.Response) -> None:
    key = load_der_private_key(material, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    key.public_key().verify(base64.b64decode(answer.json()["result"]), b"m", ec.ECDSA(SHA256()))


def order(
    customer: Customer, key: str, version: int = 0, signer: Ed25519PrivateKey | None = None, **changes: str
) -> str:
    fields: dict[str, Any] = {"partition": customer.partition, "key": key, "version": version, "issued_at": now()}
    return jws.sign(KeyOrder(**(fields | changes)), signer or customer.owner)


def give(organisation: Organisation, reference: str, token: str) -> httpx.Response:
    return organisation.as_client().post(f"keys/{reference}/order", json={"order": token})


# --- versions ---------------------------------------------------------------------------------------------------------


def test_the_list_has_the_newest_version_once_and_each_version_its_receipt(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    bob = acme.as_operator()
    [shown] = [one for one in bob.get("keys").json() if one["name"] == fresh_name]
    assert (shown["version"], shown["state"]) == (2, "active")
    assert bob.get(f"keys/{fresh_name}").json() == bob.get(f"keys/{shown['key_id']}").json() == shown
    versions = bob.get(f"keys/{fresh_name}/versions").json()
    assert [(one["version"], one["state"]) for one in versions] == [(1, "active"), (2, "active")]
    for one in versions:
        receipt = acme_customer.receipt(one["receipt"])
        assert (receipt.version, receipt.key_id, receipt.name) == (one["version"], shown["key_id"], fresh_name)
        answer = bob.get(f"keys/{shown['key_id']}/receipt", params={"version": one["version"]})
        assert answer.json() == {"receipt": one["receipt"]}
    for newest in ({}, {"version": 0}):
        assert bob.get(f"keys/{fresh_name}/receipt", params=newest).json() == {"receipt": versions[1]["receipt"]}


@pytest.mark.parametrize(
    ("version", "code"), [("3", "not-found"), ("x", "malformed"), ("-1", "malformed"), ("99999999999999", "malformed")]
)
def test_a_version_that_is_not_there_has_no_receipt(
    acme: Organisation, fresh_name: str, two: list[bytes], version: str, code: str
) -> None:
    response = acme.as_operator().get(f"keys/{fresh_name}/receipt", params={"version": version})
    assert code_of(response) == code


def test_operations_take_the_newest_version_or_the_one_that_is_named(
    acme: Organisation, fresh_name: str, two: list[bytes]
) -> None:
    for version, material, says in ((None, two[1], 2), (1, two[0], 1), (2, two[1], 2)):
        answer = sign(acme, fresh_name, version)
        assert answer.json()["version"] == says
        signed_by(material, answer)
    assert code_of(sign(acme, fresh_name, 3)) == "not-found"


def test_versions_follow_one_another(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    assert code_of(add(acme, acme_customer, fresh_name, 2)) == "conflict"
    assert add(acme, acme_customer, fresh_name, 1).status_code == 201
    assert code_of(add(acme, acme_customer, fresh_name, 1)) == "name-taken"
    assert code_of(add(acme, acme_customer, fresh_name, 3)) == "conflict"
    assert [one["version"] for one in acme.as_operator().get(f"keys/{fresh_name}/versions").json()] == [1]


def test_looser_terms_need_the_owners_consent_to_exactly_this_import(
    acme: Organisation, acme_customer: Customer, globex_customer: Customer, fresh_name: str
) -> None:
    assert add(acme, acme_customer, fresh_name, terms=p256_terms(usages=[Usage.SIGN])).status_code == 201
    envelope = make_envelope(acme, acme_customer, ROUTE, fresh_name, version=2)
    assert code_of(post_import(acme, acme_customer, envelope)) == "terms-looser"
    header = jws.read_unverified(envelope.header, ImportHeader)
    consent = VersionConsent(
        partition=header.partition,
        import_id=header.import_id,
        name=header.name,
        version=2,
        terms_digest=header.terms_digest,
        issued_at=now(),
    )
    for token, code in (
        (jws.sign(consent, globex_customer.owner), "not-the-owner"),
        (jws.sign(consent, acme_customer.device_key), "not-the-owner"),
        (order(acme_customer, fresh_name), "statement-malformed"),
        ("nothing signed", "statement-malformed"),
        ("x" * 20_000, "malformed"),
    ):
        assert code_of(post_import(acme, acme_customer, envelope, consent=token)) == code
    elsewhere = make_envelope(acme, acme_customer, ROUTE, fresh_name, version=2)
    token = jws.sign(consent, acme_customer.owner)
    assert code_of(post_import(acme, acme_customer, elsewhere, consent=token)) == "terms-looser"
    # The very envelope that was refused before.
    assert post_import(acme, acme_customer, envelope, consent=token).status_code == 201


# --- orders -----------------------------------------------------------------------------------------------------------


def test_the_owner_destroys_one_version_and_the_others_serve_on(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    key_id = acme.as_operator().get(f"keys/{fresh_name}").json()["key_id"]
    token = order(acme_customer, key_id, 1)
    for _ in range(2):
        assert give(acme, fresh_name, token).json() == {"states": {"1": "destroyed", "2": "active"}}
    assert code_of(sign(acme, fresh_name, 1)) == "key-not-active"
    signed_by(two[1], sign(acme, fresh_name))
    states = [one["state"] for one in acme.as_operator().get(f"keys/{key_id}/versions").json()]
    assert states == ["destroyed", "active"]
    assert acme.as_operator().get(f"keys/{key_id}").json()["state"] == "active"


def test_a_destroyed_key_serves_nobody_and_is_shown_so_with_its_receipt(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    from tee.tasks import refresh_keys

    bob = acme.as_operator()
    before = bob.get(f"keys/{fresh_name}").json()
    # An admin passes it on; the owner's signature is what counts.
    answer = acme.as_owner().post(
        f"keys/{before['key_id']}/order", json={"order": order(acme_customer, before["key_id"])}
    )
    assert answer.json() == {"states": {"1": "destroyed", "2": "destroyed"}}
    for version in (None, 1, 2):
        assert code_of(sign(acme, fresh_name, version)) == "key-not-active"
    refresh_keys()
    assert bob.get(f"keys/{fresh_name}").json() == before | {"state": "destroyed"}
    acme_customer.receipt(bob.get(f"keys/{fresh_name}/receipt").json()["receipt"])
    assert code_of(add(acme, acme_customer, fresh_name, 3)) == "conflict"
    assert code_of(add(acme, acme_customer, fresh_name, 1)) == "name-taken"
    page = visitor(acme.operator).get(f"/keys/{before['key_id']}/").content.decode()
    assert "destroyed" in page
    assert f"strongroom sign --key {fresh_name}" not in page


def test_an_answer_of_the_device_from_before_an_order_does_not_revive_the_key(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    from tee.imports import record_key
    from tenants.scoping import tenant_scope
    from tenants.selectors import partition

    bob = acme.as_operator()
    key = bob.get(f"keys/{fresh_name}").json()
    receipt = bob.get(f"keys/{fresh_name}/receipt").json()["receipt"]
    give(acme, fresh_name, order(acme_customer, key["key_id"]))
    place = partition(tenant=acme.tenant, reference=acme_customer.partition)
    with tenant_scope(acme.tenant):
        record_key(tenant=acme.tenant, partition=place, token=receipt, state="active")
    assert bob.get(f"keys/{fresh_name}").json()["state"] == "destroyed"


def test_an_order_whose_answer_was_lost_shows_after_the_next_refresh(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    from strongroom.protocol.commands import OrderKey, OrderKeyReply
    from tee.tasks import refresh_keys

    key_id = acme.as_operator().get(f"keys/{fresh_name}").json()["key_id"]
    command = OrderKey(partition=acme_customer.partition, order=order(acme_customer, key_id, 2))
    acme_customer.hsm.line().call(command, OrderKeyReply)
    refresh_keys()
    states = [one["state"] for one in acme.as_operator().get(f"keys/{key_id}/versions").json()]
    assert states == ["active", "destroyed"]


def test_only_an_owner_orders_and_only_on_the_key_that_is_named(
    acme: Organisation, acme_customer: Customer, globex_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    assert add(acme, acme_customer, f"{fresh_name}-other").status_code == 201
    key_id, other = (acme.as_operator().get(f"keys/{fresh_name}{end}").json()["key_id"] for end in ("", "-other"))
    for token, code in (
        (order(acme_customer, key_id, signer=acme_customer.device_key), "not-the-owner"),
        (order(acme_customer, key_id, signer=globex_customer.owner), "not-the-owner"),
        (order(acme_customer, key_id)[:-4] + "AAAA", "signature-invalid"),
        (order(acme_customer, other), "malformed"),
        (order(acme_customer, key_id, partition=globex_customer.partition), "wrong-partition"),
        (order(acme_customer, key_id, 7), "not-found"),
        ("nothing signed", "statement-malformed"),
        ("", "malformed"),
    ):
        assert code_of(give(acme, fresh_name, token)) == code
    assert sign(acme, fresh_name, 1).status_code == sign(acme, fresh_name, 2).status_code == 200
    assert sign(acme, f"{fresh_name}-other").status_code == 200


def test_bob_and_charlie_pass_no_order_on(
    acme: Organisation, globex: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    key_id = acme.as_operator().get(f"keys/{fresh_name}").json()["key_id"]
    body = {"order": order(acme_customer, key_id)}
    assert code_of(acme.as_operator().post(f"keys/{key_id}/order", json=body)) == "forbidden"
    assert code_of(acme.as_auditor().post(f"keys/{key_id}/order", json=body)) == "forbidden"
    # Even with the owner's true signature in hand: to Charlie there is no such key.
    for reference in (key_id, fresh_name, make_id("key_")):
        assert code_of(globex.as_client().post(f"keys/{reference}/order", json=body)) == "not-found"
        assert code_of(globex.as_client().get(f"keys/{reference}/versions")) == "not-found"
        response = globex.as_client().get(f"keys/{reference}/receipt", params={"version": 1})
        assert code_of(response) == "not-found"
    assert sign(acme, fresh_name).status_code == 200


def test_a_destruction_is_on_record_once(
    acme: Organisation, acme_customer: Customer, fresh_name: str, two: list[bytes]
) -> None:
    from portal.audit import selectors

    key_id = acme.as_operator().get(f"keys/{fresh_name}").json()["key_id"]
    for _ in range(2):
        give(acme, fresh_name, order(acme_customer, key_id))
    told = [one for one in selectors.events(tenant=acme.tenant, limit=50) if one.tag == "customer:key:destroyed"]
    assert [one.details for one in told if one.details["key"] == key_id] == [{"key": key_id, "versions": [1, 2]}]


# --- the page, and lists longer than one answer of the device ---------------------------------------------------------


def test_a_keys_page_shows_all_versions(acme: Organisation, fresh_name: str, two: list[bytes]) -> None:
    bob = acme.as_operator()
    key_id = bob.get(f"keys/{fresh_name}").json()["key_id"]
    pages = visitor(acme.operator)
    page = pages.get(f"/keys/{key_id}/").content.decode()
    versions = bob.get(f"keys/{key_id}/versions").json()
    # The newest receipt to read, each to download.
    assert versions[-1]["receipt"] in page
    for one in versions:
        link = f"/keys/{key_id}/receipt?version={one['version']}"
        assert f'href="{link}"' in page
        assert pages.get(link).content.decode() == one["receipt"]
    assert pages.get(f"/keys/?text={fresh_name}").content.decode().count(f">{fresh_name}</a>") == 1


def test_keys_that_the_database_does_not_know_are_all_learnt(device: SealedDevice, fresh_name: str) -> None:
    from tee.tasks import refresh_keys

    initech = make_organisation(fresh_name, f"peter@{fresh_name}")
    customer, terms, made = make_customer(initech, device), aes_terms().encode(), 0
    # More keys than the device lists in one answer.
    while not device.line().call(ListKeys(partition=customer.partition), ListKeysReply).last:
        for _ in range(100):
            made += 1
            customer.send(customer.envelope(bytes(32), terms, f"k{made}", transport="channel", provider_key=None))
    refresh_keys()
    assert {one["name"] for one in initech.as_operator().get("keys").json()} == {f"k{n}" for n in range(1, made + 1)}
