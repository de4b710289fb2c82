"""POST partitions/{partition}/single-use-keys: a vendor key for one import."""

import pytest

from strongroom.protocol import certificates, jws, suites
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.statements import Endorsement
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice, now
from tests.support.transports import make_envelope, post_import, single_use_key

pytestmark = pytest.mark.usefixtures("engine_keys")


def wanted(customer: Customer, **changes: str) -> dict[str, str]:
    return {"import_id": make_id("imp_"), "owner": public_credential(customer.owner).fingerprint} | changes


def test_its_endorsement_names_import_partition_owner_and_end(
    acme: Organisation, acme_customer: Customer, device: SealedDevice
) -> None:
    asked = wanted(acme_customer)
    for browser in (acme.as_client(), acme.as_owner()):
        response = browser.post(f"partitions/{acme_customer.partition}/single-use-keys", json=asked)
        assert response.status_code == 201
        says, certified = certificates.verify_statement(
            response.json()["endorsement"], Endorsement, [device.factory.root], "device", now()
        )
        assert (says.purpose, says.suite, says.device) == ("single-use-vendor-key", "RSA-AES-KWP", certified.device_id)
        assert (says.import_id, says.owner, says.partition) == (*asked.values(), acme_customer.partition)
        assert says.expires_at is not None
        assert now() < says.expires_at <= now() + 3600
        assert suites.public_key(says.suite, says.public_key).key_id("vk_") == says.key_id


def test_it_opens_the_import_that_it_was_made_for_once_and_no_other(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    route, mine = ("channel", "RSA-AES-KWP"), make_id("imp_")
    made = single_use_key(acme, acme_customer, mine)
    vendor_key = suites.public_key(made.suite, made.public_key)
    other = make_envelope(acme, acme_customer, route, f"{fresh_name}-other", vendor_key=vendor_key)
    assert code_of(post_import(acme, acme_customer, other)) == "vendor-key-unknown"
    envelope = make_envelope(acme, acme_customer, route, fresh_name, vendor_key=vendor_key, import_id=mine)
    assert post_import(acme, acme_customer, envelope).status_code == 201
    again = make_envelope(acme, acme_customer, route, f"{fresh_name}-again", vendor_key=vendor_key)
    response = post_import(acme, acme_customer, again)
    assert (code_of(response), response.status_code) == ("vendor-key-unknown", 409)


def test_charlie_gets_none_in_acmes_partition_and_nobody_one_for_a_stranger(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer
) -> None:
    path = f"partitions/{acme_customer.partition}/single-use-keys"
    assert code_of(globex.as_client().post(path, json=wanted(acme_customer))) == "not-found"
    assert (
        code_of(globex.as_client().post("partitions/pt_x/single-use-keys", json=wanted(acme_customer))) == "not-found"
    )
    theirs = public_credential(globex_customer.owner).fingerprint
    assert code_of(acme.as_client().post(path, json=wanted(acme_customer, owner=theirs))) == "wrong-owner"


def test_bob_who_operates_gets_one_and_neither_dora_who_audits_nor_a_stranger(
    acme: Organisation, acme_customer: Customer, stranger: Browser
) -> None:
    path = f"partitions/{acme_customer.partition}/single-use-keys"
    assert acme.as_operator().post(path, json=wanted(acme_customer)).status_code == 201
    assert code_of(acme.as_auditor().post(path, json=wanted(acme_customer))) == "forbidden"
    assert code_of(stranger.post(path, json=wanted(acme_customer))) == "unauthenticated"


@pytest.mark.parametrize(
    "changes", [{"import_id": "imp_1"}, {"import_id": ""}, {"owner": "me"}, {"owner": "A" * 44}, {"import_id": None}]
)
def test_what_is_asked_for_must_be_an_import_id_and_a_fingerprint(
    acme: Organisation, acme_customer: Customer, changes: dict[str, str]
) -> None:
    path = f"partitions/{acme_customer.partition}/single-use-keys"
    assert code_of(acme.as_client().post(path, json=wanted(acme_customer, **changes))) == "malformed"


def test_it_is_on_record_who_had_it_made(acme: Organisation, acme_customer: Customer) -> None:
    from portal.audit import selectors

    import_id = make_id("imp_")
    single_use_key(acme, acme_customer, import_id)
    [told] = [
        one for one in selectors.events(tenant=acme.tenant, limit=50) if one.details.get("import_id") == import_id
    ]
    assert (told.tag, told.actor) == ("customer:single-use-key:made", acme.client_id)


def test_without_a_device_there_is_none(acme: Organisation, acme_customer: Customer, device: SealedDevice) -> None:
    device.stop()
    try:
        response = acme.as_client().post(
            f"partitions/{acme_customer.partition}/single-use-keys", json=wanted(acme_customer)
        )
        assert code_of(response) == "hsm-unreachable"
        assert int(response.headers["retry-after"]) > 0
    finally:
        device.start()
        device.unseal()


def test_the_endorsement_passes_byte_for_byte(acme: Organisation, acme_customer: Customer) -> None:
    """What the device signed is what the customer can check: its own encoding, and its certificate."""
    response = acme.as_client().post(
        f"partitions/{acme_customer.partition}/single-use-keys", json=wanted(acme_customer)
    )
    token = response.json()["endorsement"]
    assert list(response.json()) == ["endorsement"]
    assert jws.read_header(token)["x5c"]
