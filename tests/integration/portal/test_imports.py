"""POST imports, GET imports/{import_id}, GET keys and receipts: nothing lost, nothing half done."""

import base64
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from strongroom.protocol import certificates
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import MAX_MATERIAL, header_digest
from strongroom.protocol.statements import Receipt
from tests.support.keys import import_body, import_p256, p256_envelope, p256_pkcs8, p256_terms
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer, SealedDevice, now


def test_an_envelope_becomes_a_key_with_a_receipt(
    acme: Organisation, acme_customer: Customer, device: SealedDevice, fresh_name: str
) -> None:
    envelope = p256_envelope(acme_customer, fresh_name)
    response = acme.as_client().post("imports", json=import_body(acme_customer.partition, envelope))
    assert response.status_code == 201
    answer = response.json()
    receipt, _ = certificates.verify_statement(answer["receipt"], Receipt, [device.factory.root], "device", now())
    assert receipt.header_digest == header_digest(envelope.header)
    assert (answer["status"], answer["key_id"], answer["name"]) == ("complete", receipt.key_id, fresh_name)
    bob = acme.as_operator()
    for reference in (fresh_name, receipt.key_id):
        key = bob.get(f"keys/{reference}").json()
        assert (key["key_id"], key["state"], key["partition"]) == (receipt.key_id, "active", acme_customer.partition)
        assert key["public_key"] == receipt.public_key
        assert bob.get(f"keys/{reference}/receipt").json() == {"receipt": answer["receipt"]}
    assert receipt.key_id in [one["key_id"] for one in bob.get("keys").json()]
    assert bob.get(f"imports/{answer['import_id']}").json() == answer


def test_the_same_header_again_gets_the_same_receipt(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    body = import_body(acme_customer.partition, p256_envelope(acme_customer, fresh_name))
    client = acme.as_client()
    first, again = client.post("imports", json=body), client.post("imports", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    # An admin may import too, and gets the same.
    assert acme.as_owner().post("imports", json=body).json() == first.json()


def test_an_import_id_serves_for_one_header(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_id, client = make_id("imp_"), acme.as_client()
    first = p256_envelope(acme_customer, fresh_name, import_id=import_id)
    assert client.post("imports", json=import_body(acme_customer.partition, first)).status_code == 201
    other = p256_envelope(acme_customer, f"{fresh_name}-2", import_id=import_id)
    response = client.post("imports", json=import_body(acme_customer.partition, other))
    assert code_of(response) == "import-replayed"


def test_bob_who_operates_imports_and_dora_who_audits_does_not(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    body = import_body(acme_customer.partition, p256_envelope(acme_customer, fresh_name))
    assert code_of(acme.as_auditor().post("imports", json=body)) == "forbidden"
    assert acme.as_operator().post("imports", json=body).status_code == 201


def test_an_envelope_for_another_tenant_or_partition_is_refused(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer
) -> None:
    client = acme.as_client()
    # To a partition of another tenant: it does not exist.
    theirs = import_body(globex_customer.partition, p256_envelope(globex_customer, "k"))
    assert code_of(client.post("imports", json=theirs)) == "not-found"
    # Captured from another tenant, and sent to one's own partition.
    assert code_of(client.post("imports", json={**theirs, "partition": acme_customer.partition})) == "wrong-tenant"
    # For another partition of one's own.
    elsewhere = p256_envelope(acme_customer, "k", partition=make_id("pt_"))
    response = client.post("imports", json=import_body(acme_customer.partition, elsewhere))
    assert code_of(response) == "wrong-partition"
    assert response.status_code == 409


def test_an_envelope_for_another_device_is_refused(acme: Organisation, acme_customer: Customer) -> None:
    envelope = p256_envelope(acme_customer, "k", device=make_id("dev_"))
    response = acme.as_client().post("imports", json=import_body(acme_customer.partition, envelope))
    assert code_of(response) == "wrong-device"


def test_a_signer_off_the_access_list_is_refused_and_may_try_again_later(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    envelope = p256_envelope(acme_customer, fresh_name, signer=Ed25519PrivateKey.generate())
    client, body = acme.as_client(), import_body(acme_customer.partition, envelope)
    for _ in range(2):
        response = client.post("imports", json=body)
        assert code_of(response) == "device-not-listed"


def spoiled(text: str, place: int) -> str:
    data = bytearray(base64.b64decode(text))
    data[place] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda body: {"material": spoiled(body["material"], 0)}, "envelope-unopenable"),
        (lambda body: {"material": spoiled(body["material"], -1)}, "envelope-unopenable"),
        (lambda body: {"terms": spoiled(body["terms"], 1200)}, "envelope-unopenable"),
        (lambda body: {"material": body["material"][:400]}, "envelope-unopenable"),
        (lambda body: {"material": body["terms"], "terms": body["material"]}, "envelope-unopenable"),
        (lambda body: {"header": body["header"][:-4] + "AAAA"}, "signature-invalid"),
        (lambda body: {"header": body["header"][: len(body["header"]) // 2]}, "envelope-malformed"),
        (lambda body: {"header": "not a statement"}, "envelope-malformed"),
        (lambda body: {"material": "not base64!"}, "malformed"),
        (lambda body: {"material": None}, "malformed"),
        (lambda body: {"material": base64.b64encode(bytes(MAX_MATERIAL + 1)).decode()}, "too-large"),
        (lambda body: {"header": "A" * 40_000}, "too-large"),
        (lambda body: {"header": "A" * 600_000}, "too-large"),
    ],
)
def test_whatever_is_altered_is_refused_and_no_key_comes_of_it(
    acme: Organisation, acme_customer: Customer, fresh_name: str, change: Any, code: str
) -> None:
    body = import_body(acme_customer.partition, p256_envelope(acme_customer, fresh_name))
    client = acme.as_client()
    assert code_of(client.post("imports", json=body | change(body))) == code
    assert code_of(client.get(f"keys/{fresh_name}")) == "not-found"
    # What was sent first by its rightful owner still imports afterwards.
    if "header" not in change(body):
        assert client.post("imports", json=body).status_code == 201


def test_a_failed_import_says_why(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_id, client = make_id("imp_"), acme.as_client()
    envelope = acme_customer.envelope(b"not a key", p256_terms().encode(), fresh_name, import_id=import_id)
    response = client.post("imports", json=import_body(acme_customer.partition, envelope))
    assert code_of(response) == "key-unparsable"
    answer = client.get(f"imports/{import_id}").json()
    assert (answer["status"], answer["code"], answer["receipt"]) == ("failed", "key-unparsable", None)


def test_charlie_sees_neither_import_nor_key_nor_receipt(
    acme: Organisation, globex: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    answer = import_p256(acme, acme_customer, fresh_name)
    charlie = globex.as_owner()
    for path in (
        f"imports/{answer['import_id']}",
        f"keys/{answer['key_id']}",
        f"keys/{fresh_name}",
        f"keys/{answer['key_id']}/receipt",
        "keys/key_unknown",
    ):
        assert code_of(charlie.get(path)) == "not-found"
    assert answer["key_id"] not in charlie.get("keys").text


def test_neither_ciphertexts_nor_terms_are_kept(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    from tee.models import Import
    from tenants.scoping import tenant_scope

    envelope = p256_envelope(acme_customer, fresh_name)
    answer = acme.as_client().post("imports", json=import_body(acme_customer.partition, envelope)).json()
    with tenant_scope(acme.tenant):
        kept = str(vars(Import.objects.get(import_id=answer["import_id"])))
    for part in (envelope.material, envelope.terms):
        assert base64.b64encode(part).decode()[:40] not in kept
        assert part[:20].hex() not in kept


def received_row(organisation: Organisation, customer: Customer, body: dict[str, str], age: timedelta) -> None:
    """The row that is left where the portal died after it had committed *received*."""
    from django.utils import timezone

    from strongroom.protocol import jws
    from strongroom.protocol.envelope import ImportHeader
    from tee.models import Import
    from tenants.scoping import tenant_scope
    from tenants.selectors import partition

    row = partition(tenant=organisation.tenant, reference=customer.partition)
    header = jws.read_unverified(body["header"], ImportHeader)
    with tenant_scope(organisation.tenant):
        Import.objects.create(
            tenant=organisation.tenant,
            partition=row,
            import_id=header.import_id,
            header=body["header"],
            header_digest=header_digest(body["header"]),
            received=timezone.now() - age,
        )


def test_an_import_whose_answer_was_lost_is_completed_on_demand(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    import_id, client = make_id("imp_"), acme.as_client()
    envelope = p256_envelope(acme_customer, fresh_name, import_id=import_id)
    body = import_body(acme_customer.partition, envelope)
    received_row(acme, acme_customer, body, timedelta(0))
    # The TEE did it, and the portal never heard.
    receipt = acme_customer.send(envelope)
    answer = client.get(f"imports/{import_id}").json()
    assert (answer["status"], answer["receipt"]) == ("complete", receipt)
    assert client.get(f"keys/{fresh_name}").status_code == 200


def test_interrupted_imports_are_settled_by_the_task(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from tee.tasks import settle_imports

    ids = {age: make_id("imp_") for age in ("done", "lost", "young")}
    envelopes = {kind: p256_envelope(acme_customer, f"{fresh_name}-{kind}", import_id=one) for kind, one in ids.items()}
    bodies = {kind: import_body(acme_customer.partition, one) for kind, one in envelopes.items()}
    for kind, body in bodies.items():
        received_row(acme, acme_customer, body, timedelta(seconds=0 if kind == "young" else 120))
    acme_customer.send(envelopes["done"])
    settle_imports()
    client = acme.as_client()
    states = {kind: client.get(f"imports/{one}").json()["status"] for kind, one in ids.items()}
    # What may still be under way is left alone.
    assert states == {"done": "complete", "lost": "failed", "young": "received"}
    # The customer sends what was lost again, and it is imported.
    assert client.post("imports", json=bodies["lost"]).status_code == 201


def test_a_receipt_for_something_else_is_not_taken(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from strongroom.protocol.errors import Refused
    from tee import imports, selectors

    answer = import_p256(acme, acme_customer, fresh_name)
    import_id = make_id("imp_")
    envelope = p256_envelope(acme_customer, f"{fresh_name}-2", import_id=import_id)
    received_row(acme, acme_customer, import_body(acme_customer.partition, envelope), timedelta(0))
    row = selectors.find_import(tenant=acme.tenant, import_id=import_id)
    with pytest.raises(Refused, match="receipt-mismatch"):
        imports._complete(row, token=answer["receipt"], actor="")
    assert acme.as_client().get(f"imports/{import_id}").json()["code"] == "receipt-mismatch"


def test_a_key_that_the_database_lost_comes_back(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    from tee.models import Key
    from tee.tasks import refresh_keys
    from tenants.scoping import tenant_scope

    key_id, client = import_p256(acme, acme_customer, fresh_name)["key_id"], acme.as_client()
    before = client.get(f"keys/{key_id}").json()
    with tenant_scope(acme.tenant):
        Key.objects.filter(key_id=key_id).delete()
    assert code_of(client.get(f"keys/{key_id}")) == "not-found"
    refresh_keys()
    assert client.get(f"keys/{key_id}").json() == before


def test_a_key_before_its_time_is_shown_so(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    from tee.tasks import refresh_keys

    terms = p256_terms(not_before=now() + 3600)
    envelope = acme_customer.envelope(p256_pkcs8(), terms.encode(), fresh_name)
    client = acme.as_client()
    assert client.post("imports", json=import_body(acme_customer.partition, envelope)).status_code == 201
    refresh_keys()
    assert client.get(f"keys/{fresh_name}").json()["state"] == "pre-activation"


def is_received(organisation: Organisation, import_id: str) -> bool:
    """Whether the row is committed, without asking the device."""
    from tee.models import Import
    from tenants.scoping import tenant_scope

    with tenant_scope(organisation.tenant):
        return Import.objects.filter(import_id=import_id, status="received").exists()


def test_a_device_killed_in_mid_import_loses_nothing(
    acme: Organisation, acme_customer: Customer, device: SealedDevice, fresh_name: str
) -> None:
    import_id, client = make_id("imp_"), acme.as_client()
    body = import_body(acme_customer.partition, p256_envelope(acme_customer, fresh_name, import_id=import_id))
    assert device.process is not None
    pids = [device.process.pid, *device.status().workers]
    # The device has the envelope and does not answer; then it dies.
    os.kill(device.process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.post, "imports", json=body)
        deadline = time.monotonic() + 5
        while not is_received(acme, import_id):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        response = sending.result(timeout=20)
    device.process.wait(20)
    assert code_of(response) == "hsm-unreachable"
    assert int(response.headers["retry-after"]) > 0
    device.start()
    assert code_of(client.post("imports", json=body)) == "hsm-sealed"
    assert client.get(f"imports/{import_id}").json()["status"] == "received"
    device.unseal()
    answer = client.post("imports", json=body)
    assert answer.status_code == 201
    assert client.get(f"imports/{import_id}").json() == answer.json()
