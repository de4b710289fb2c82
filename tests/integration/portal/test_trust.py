"""What customers check before they encrypt: GET trust, POST validation, attestation, access lists, session."""

from strongroom.protocol import certificates, jws
from strongroom.protocol.action_table import RotateProviderKey
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.statements import Attestation, Endorsement, ValidationStatement
from tests.support.portal import VALIDATION_KEY, Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice, nonce, now
from tests.support.transports import rotate


def test_anyone_gets_certificates_and_endorsements_that_hold(stranger: Browser, device: SealedDevice) -> None:
    trust = stranger.get("trust").json()
    assert (trust["provider"], trust["world"]) == ("provider", device.world)
    [shown] = trust["devices"]
    assert shown["mode"] == "development"
    suites = {"vendor-key": {"HPKE-XWING"}, "provider-key": {"HPKE-XWING", "RSA-AES-KWP"}}
    for purpose, tokens in (("vendor-key", shown["vendor_keys"]), ("provider-key", shown["provider_keys"])):
        for token in tokens:
            endorsement, certified = certificates.verify_statement(
                token, Endorsement, [device.factory.root], "device", now()
            )
            assert (endorsement.purpose, endorsement.device) == (purpose, certified.device_id)
            suites[purpose].remove(endorsement.suite)
    assert suites == {"vendor-key": set(), "provider-key": set()}


def asked(stranger: Browser, key_id: str) -> ValidationStatement:
    """What the provider's validator says of a key, its signature and nonce checked."""
    mine = nonce()
    answer = stranger.post("validation", json={"nonce": mine, "key_id": key_id}).json()
    says = jws.verify(answer["statement"], ValidationStatement, VALIDATION_KEY.public_key())
    assert (says.nonce, says.key_id, says.subject) == (mine, key_id, "provider-key")
    return says


def test_the_providers_validator_vouches_for_its_keys(stranger: Browser, device: SealedDevice) -> None:
    for token in stranger.get("trust").json()["devices"][0]["provider_keys"]:
        endorsement = jws.read_unverified(token, Endorsement)
        says = asked(stranger, endorsement.key_id)
        assert (says.status, says.device_status, says.provider) == ("in-force", "in-force", "provider")
        assert says.public_key_digest == digest(from_b64u(endorsement.public_key))
        assert says.device == endorsement.device


def test_a_key_that_officers_rotated_is_published_and_the_one_before_is_said_to_be_retired(
    stranger: Browser, acme_customer: Customer, globex_customer: Customer, device: SealedDevice
) -> None:
    from tee.tasks import publish_rotated_keys

    def published() -> dict[str, str]:
        tokens = stranger.get("trust").json()["devices"][0]["provider_keys"]
        return {one.suite: one.key_id for one in (jws.read_unverified(token, Endorsement) for token in tokens)}

    before = published()
    made = rotate(device, RotateProviderKey(suite="RSA-AES-KWP"), acme_customer, globex_customer)
    # Until the portal has heard of it, it offers the key before, which the device refuses.
    assert published() == before
    publish_rotated_keys()
    assert published() == before | {"RSA-AES-KWP": made}
    retired = asked(stranger, before["RSA-AES-KWP"])
    assert (retired.status, retired.device_status, retired.device) == ("retired", "in-force", device.status().device)
    assert retired.public_key_digest
    assert asked(stranger, made).status == "in-force"


def test_a_device_that_nobody_registered_is_not_published_by_itself(stranger: Browser, device: SealedDevice) -> None:
    from tee.models import Device
    from tee.services import publish_rotated_keys

    known = Device.objects.using("provider")
    device_id = known.get().device_id
    known.update(device_id="dev_another", status="retired")
    try:
        publish_rotated_keys()
        assert [one.device_id for one in known.all()] == ["dev_another"]
        assert stranger.get("trust").json()["devices"] == []
    finally:
        known.update(device_id=device_id, status="in-force")


def test_with_the_device_away_what_is_published_stays(stranger: Browser, device: SealedDevice) -> None:
    from tee.services import publish_rotated_keys

    before = stranger.get("trust").json()
    device.stop()
    try:
        publish_rotated_keys()
        assert stranger.get("trust").json() == before
    finally:
        device.start()
        device.unseal()
    publish_rotated_keys()
    assert stranger.get("trust").json() == before


def test_an_unknown_key_is_said_to_be_unknown(stranger: Browser) -> None:
    says = asked(stranger, "pk_unknown")
    assert (says.status, says.device_status, says.public_key_digest) == ("unknown", "unknown", "")


def test_a_nonce_must_be_one(stranger: Browser) -> None:
    for bad in ("", "short", "x" * 200, "white space in it, though long"):
        assert code_of(stranger.post("validation", json={"nonce": bad, "key_id": "pk_x"})) == "malformed"


def test_the_device_attests_the_customers_own_partition(
    acme: Organisation, acme_customer: Customer, device: SealedDevice
) -> None:
    mine = nonce()
    answer = acme.as_client().post(f"partitions/{acme_customer.partition}/attestation", json={"nonce": mine})
    says, _ = certificates.verify_statement(
        answer.json()["attestation"], Attestation, [device.factory.root], "device", now()
    )
    assert says.nonce == mine
    assert says.partition is not None
    assert says.partition.partition == acme_customer.partition


def test_charlie_gets_no_attestation_access_list_or_session_of_acmes(
    globex: Organisation, acme_customer: Customer
) -> None:
    charlie = globex.as_client()
    partition = acme_customer.partition
    assert code_of(charlie.post(f"partitions/{partition}/attestation", json={"nonce": nonce()})) == "not-found"
    assert code_of(charlie.get(f"partitions/{partition}/access")) == "not-found"
    assert code_of(charlie.put(f"partitions/{partition}/access", json={"document": "x"})) == "not-found"
    assert code_of(charlie.get("session", params={"partition": partition})) == "not-found"


def test_the_owner_changes_the_access_list_and_nobody_else_can(acme: Organisation, acme_customer: Customer) -> None:
    client, path = acme.as_client(), f"partitions/{acme_customer.partition}/access"
    before = client.get(path).json()
    assert (before["version"], before["document"]) == (acme_customer.version, acme_customer.document)
    wanted = acme_customer.access_list(*_principals(acme_customer))
    # The client device is on the list, but it is no owner.
    forged = jws.sign(wanted, acme_customer.device_key)
    assert code_of(client.put(path, json={"document": forged})) == "not-the-owner"
    assert client.get(path).json() == before
    signed = jws.sign(wanted, acme_customer.owner)
    after = client.put(path, json={"document": signed}).json()
    assert (after["version"], after["document"]) == (before["version"] + 1, signed)
    acme_customer.version, acme_customer.document = after["version"], signed
    # The same update again (its answer was lost, say) is answered alike; an older one does not follow this list.
    assert client.put(path, json={"document": signed}).json() == after
    assert code_of(client.put(path, json={"document": before["document"]})) == "access-list-conflict"


def test_the_session_is_the_devices(acme: Organisation, acme_customer: Customer) -> None:
    answer = acme.as_client().get("session", params={"partition": acme_customer.partition}).json()
    assert answer["device"] == acme_customer.published.device
    assert answer["session"]


def test_registering_again_changes_nothing(device: SealedDevice, stranger: Browser) -> None:
    from tee.services import register_device

    before = stranger.get("trust").json()
    register_device()
    assert stranger.get("trust").json() == before


def _principals(customer: Customer) -> list:
    from strongroom.protocol.access import AccessList

    assert customer.document is not None
    return jws.read_unverified(customer.document, AccessList).principals
