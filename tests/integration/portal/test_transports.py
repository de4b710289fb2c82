"""POST imports by every transport and suite: what fits imports, what was altered does not, and nothing is half done."""

import base64
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.protocol import commands, jws, suites
from strongroom.protocol.action_table import RotateProviderKey, RotateVendorKey
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, ImportHeader
from tests.support.imports import resigned
from tests.support.keys import import_body
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer, SealedDevice
from tests.support.transports import ROUTES, engine_key, flipped, make_envelope, post_import, rotate

pytestmark = pytest.mark.usefixtures("engine_keys")
ALTERED = {"channel": "envelope-altered", "tee": "envelope-unopenable", "engine": "envelope-unopenable"}
ALTERED_HEADER = {
    "envelope-malformed",
    "statement-malformed",
    "signature-invalid",
    "device-not-listed",
    "wrong-tenant",
    "wrong-partition",
}


def undecided(organisation: Organisation) -> set[str]:
    """Imports of which it is not known whether they happened."""
    from tee.models import Import
    from tenants.scoping import tenant_scope

    with tenant_scope(organisation.tenant):
        return set(Import.objects.filter(status="received").values_list("import_id", flat=True))


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_a_key_by_every_transport_and_suite_is_imported_and_signs(
    acme: Organisation, acme_customer: Customer, fresh_name: str, route: tuple[str, str]
) -> None:
    envelope = make_envelope(acme, acme_customer, route, fresh_name)
    first, again = (post_import(acme, acme_customer, envelope) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.json() == again.json()
    acme_customer.receipt(first.json()["receipt"])
    client = acme.as_client()
    answer = client.post(f"keys/{fresh_name}/sign", json={"payload": base64.b64encode(b"m").decode()}).json()
    public = load_pem_public_key(client.get(f"keys/{fresh_name}").json()["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(answer["result"]), b"m", ec.ECDSA(SHA256()))


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_whatever_byte_is_flipped_is_refused_and_the_envelope_as_it_was_still_imports(
    acme: Organisation, acme_customer: Customer, fresh_name: str, route: tuple[str, str]
) -> None:
    envelope, before = make_envelope(acme, acme_customer, route, fresh_name), undecided(acme)
    for part in ("material", "terms"):
        size = len(getattr(envelope, part))
        for place in {0, size // 3, size // 2, 383, 384, size - 9, size - 1}:
            response = post_import(acme, acme_customer, flipped(envelope, part, place))
            assert code_of(response) == ALTERED[route[0]], (part, place)
    size = len(envelope.header)
    for place in {0, 1, *range(7, size, size // 40), size - 60, size - 2}:
        response = post_import(acme, acme_customer, flipped(envelope, "header", place))
        assert code_of(response) in ALTERED_HEADER, place
    client = acme.as_client()
    assert code_of(client.get(f"keys/{fresh_name}")) == "not-found"
    assert undecided(acme) == before
    assert post_import(acme, acme_customer, envelope).status_code == 201


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_truncated_swapped_or_foreign_parts_are_refused_alike(
    acme: Organisation, acme_customer: Customer, fresh_name: str, route: tuple[str, str]
) -> None:
    envelope = make_envelope(acme, acme_customer, route, fresh_name)
    other = make_envelope(acme, acme_customer, route, fresh_name)
    documents = []
    for material, terms in (
        (envelope.material[:-1], envelope.terms),
        (envelope.material[:20], envelope.terms),
        (envelope.material + b"\0", envelope.terms),
        (envelope.material, envelope.terms[: len(envelope.terms) // 2]),
        (envelope.terms, envelope.material),
        (other.material, envelope.terms),
        (envelope.material, other.terms),
    ):
        spoiled = Envelope(header=envelope.header, material=material, terms=terms)
        documents.append(post_import(acme, acme_customer, spoiled).json())
    if route in {("engine", "RSA-AES-KWP"), ("tee", "RSA-AES-KWP")}:
        # This suite's outer layer has no context: parts of another envelope open, and are then not what was signed.
        assert {one["code"] for one in documents[4:]} == {"envelope-altered"}
        documents = documents[:4]
    # One answer for every failure: which part, which layer or which byte it was is not to be learnt from it.
    assert {str(sorted(one.items())) for one in documents} == {str(sorted(documents[0].items()))}
    assert documents[0]["code"] == ALTERED[route[0]]
    assert post_import(acme, acme_customer, envelope).status_code == 201


@pytest.mark.parametrize(("said", "meant"), [("engine", "tee"), ("tee", "engine"), ("channel", "tee")])
def test_a_route_is_not_changed_under_way(
    acme: Organisation, acme_customer: Customer, fresh_name: str, said: str, meant: str
) -> None:
    """Even a header that the customer's own device signs cannot say that an envelope for one is for another."""
    envelope = make_envelope(acme, acme_customer, (meant, "HPKE-XWING"), fresh_name)
    changes = {"transport": said} | ({"provider_key": ""} if said == "channel" else {})
    response = post_import(acme, acme_customer, resigned(acme_customer, envelope, **changes))
    assert code_of(response) in {"provider-key-unknown", "envelope-altered"}
    assert code_of(acme.as_client().get(f"keys/{fresh_name}")) == "not-found"


def test_charlies_envelope_opens_nothing_of_acmes(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer, fresh_name: str
) -> None:
    """The engine's key is one for all tenants: what a customer is answered does not depend on whose envelope it was."""
    theirs = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    captured = {"material": theirs.material, "terms": theirs.terms}
    own = make_envelope(globex, globex_customer, ("engine", "HPKE-XWING"), fresh_name)
    response = post_import(globex, globex_customer, Envelope(header=own.header, **captured))
    assert code_of(response) == "envelope-unopenable"
    response = post_import(globex, globex_customer, theirs)
    assert code_of(response) == "wrong-tenant"


def test_the_engine_opens_nothing_for_a_device_off_the_access_list(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    envelope = make_envelope(
        acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name, signer=Ed25519PrivateKey.generate()
    )
    # Were it opened first, the altered part would be what it is refused for.
    for sent in (envelope, flipped(envelope, "material", 5)):
        assert code_of(post_import(acme, acme_customer, sent)) == "device-not-listed"


# --- channel ----------------------------------------------------------------------------------------------------------


def in_clear(organisation: Organisation, customer: Customer, envelope: Envelope, **headers: str) -> httpx.Response:
    """To the portal without TLS."""
    body = import_body(customer.partition, envelope)
    return organisation.as_client().post("imports", json=body, headers=headers)


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_channel_takes_tls_and_what_a_proxy_claims_counts_for_nothing(
    acme: Organisation, acme_customer: Customer, fresh_name: str, suite: str
) -> None:
    envelope = make_envelope(acme, acme_customer, ("channel", suite), fresh_name)
    for headers in (
        {},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Ssl": "on"},
        {"Forwarded": "proto=https"},
        {"X-Scheme": "https"},
        {"Front-End-Https": "on"},
    ):
        response = in_clear(acme, acme_customer, envelope, **headers)
        assert (code_of(response), response.status_code) == ("transport-insecure", 403), headers
    import_id = jws.read_unverified(envelope.header, ImportHeader).import_id
    assert code_of(acme.as_client().get(f"imports/{import_id}")) == "not-found"
    assert post_import(acme, acme_customer, envelope).status_code == 201


def test_channel_takes_the_word_of_a_proxy_that_the_installation_trusts(
    acme: Organisation, acme_customer: Customer, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"))
    envelope = make_envelope(acme, acme_customer, ("channel", "HPKE-XWING"), fresh_name)
    for headers in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "http, https"}):
        assert code_of(in_clear(acme, acme_customer, envelope, **headers)) == "transport-insecure"
    response = in_clear(acme, acme_customer, envelope, **{"X-Forwarded-Proto": "https"})
    assert response.status_code == 201


@pytest.mark.parametrize(("told", "expected"), [(None, "None"), ("0", "None"), ("1", "HTTP_X_FORWARDED_PROTO")])
def test_a_proxy_is_trusted_only_where_the_environment_says_so(told: str | None, expected: str) -> None:
    import os
    import subprocess
    import sys

    environment = {name: value for name, value in os.environ.items() if name != "STRONGROOM_TRUSTED_PROXY"}
    if told is not None:
        environment["STRONGROOM_TRUSTED_PROXY"] = told
    code = "from tests.support.check_settings import SECURE_PROXY_SSL_HEADER as header; print(header)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert expected in done.stdout


def test_operations_in_clear_need_a_trusted_proxy_too_in_production(
    acme: Organisation, acme_customer: Customer, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    made = post_import(acme, acme_customer, make_envelope(acme, acme_customer, ("tee", "HPKE-XWING"), fresh_name))
    assert made.status_code == 201
    monkeypatch.setattr(settings, "SECURE_SSL_REDIRECT", True)
    claim, body = {"X-Forwarded-Proto": "https"}, {"payload": "bQ=="}
    path = f"keys/{fresh_name}/sign"
    assert acme.as_client().post(path, json=body, headers=claim).status_code != 200
    monkeypatch.setattr(settings, "SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"))
    assert acme.as_client().post(path, json=body).status_code != 200
    assert acme.as_client().post(path, json=body, headers=claim).status_code == 200


# --- keys that are not in force ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_what_was_wrapped_to_a_retired_engine_key_is_to_be_wrapped_again(
    acme: Organisation, acme_customer: Customer, fresh_name: str, suite: Any
) -> None:
    from tee.engine import rotate_engine_key

    route = ("engine", suite)
    import_id = make_id("imp_")
    in_flight = make_envelope(acme, acme_customer, route, fresh_name, import_id=import_id)
    before = engine_key(suite)["key_id"]
    made = rotate_engine_key(suite=suite, actor="")
    assert engine_key(suite)["key_id"] == made.key_id != before
    response = post_import(acme, acme_customer, in_flight)
    assert (code_of(response), response.status_code) == ("provider-key-unknown", 409)
    assert "re-wrap" in response.json()["title"]
    row = acme.as_client().get(f"imports/{import_id}").json()
    assert (row["status"], row["code"]) == ("failed", "provider-key-unknown")
    # The same key again, wrapped anew under the same import id.
    again = make_envelope(acme, acme_customer, route, fresh_name, import_id=import_id)
    assert post_import(acme, acme_customer, again).status_code == 201


def test_what_was_wrapped_to_a_retired_key_of_the_device_is_to_be_wrapped_again(
    acme: Organisation, acme_customer: Customer, globex_customer: Customer, device: SealedDevice, fresh_name: str
) -> None:
    from tee.tasks import publish_rotated_keys

    bodies = {"provider-key-unknown": RotateProviderKey(suite="HPKE-XWING"), "vendor-key-unknown": RotateVendorKey()}
    for code, body in bodies.items():
        in_flight = make_envelope(acme, acme_customer, ("tee", "HPKE-XWING"), f"{fresh_name}-{code}")
        rotate(device, body, acme_customer, globex_customer)
        response = post_import(acme, acme_customer, in_flight)
        assert (code_of(response), response.status_code) == (code, 409)
        again = make_envelope(acme, acme_customer, ("tee", "HPKE-XWING"), f"{fresh_name}-{code}")
        assert post_import(acme, acme_customer, again).status_code == 201
    publish_rotated_keys()


def test_an_import_that_was_done_is_found_again_although_its_engine_key_is_retired_since(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    """The device had done it, the portal died before it heard, and then the key was rotated."""
    from tee import engine
    from tee.models import Import
    from tenants.scoping import tenant_scope

    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    header = jws.read_unverified(envelope.header, ImportHeader)
    assert post_import(acme, acme_customer, envelope).status_code == 201
    with tenant_scope(acme.tenant):
        Import.objects.filter(import_id=header.import_id).update(status="received", receipt="")
    engine.rotate_engine_key(suite="HPKE-XWING", actor="")
    answer = post_import(acme, acme_customer, envelope)
    assert (answer.status_code, answer.json()["status"]) == (200, "complete")


def test_an_unknown_engine_key_or_one_of_the_other_suite_is_refused(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    stranger = suites.generate("HPKE-XWING").public()
    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name, provider_key=stranger)
    assert code_of(post_import(acme, acme_customer, envelope)) == "provider-key-unknown"
    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    for changes in (
        {"provider_key": engine_key("RSA-AES-KWP")["key_id"]},
        {"provider_key": engine_key("RSA-AES-KWP")["key_id"], "suite": "RSA-AES-KWP"},
        {"provider_key": acme_customer.recipient("provider").key_id("pk_")},
        {"provider_key": ""},
        {"provider_key": "\0" * 70},
    ):
        response = post_import(acme, acme_customer, resigned(acme_customer, envelope, **changes))
        assert code_of(response) in {"provider-key-unknown", "envelope-unopenable", "statement-malformed"}, changes


def test_without_engine_custody_its_transport_is_refused_and_no_keys_are_published(
    acme: Organisation, acme_customer: Customer, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    monkeypatch.setattr(settings, "ENGINE_KEY_FILE", "")
    assert code_of(post_import(acme, acme_customer, envelope)) == "suite-unsupported"
    assert acme.as_client().get("trust").json()["engine_keys"] == []


# --- headers that no honest client makes ------------------------------------------------------------------------------


@pytest.mark.parametrize("import_id", ["", "imp_short", "imp_" + "a" * 33, "imp_" + "\0" * 32, "x" * 300])
def test_an_import_id_that_is_none_is_refused_before_it_is_put_on_record(
    acme: Organisation, acme_customer: Customer, fresh_name: str, import_id: str
) -> None:
    envelope = make_envelope(acme, acme_customer, ("tee", "HPKE-XWING"), fresh_name, import_id=import_id)
    assert code_of(post_import(acme, acme_customer, envelope)) == "envelope-malformed"


def test_an_id_that_failed_under_an_altered_header_is_free_again_and_one_in_use_is_not(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from tee.models import Import
    from tenants.scoping import tenant_scope

    import_id = make_id("imp_")
    mine = make_envelope(acme, acme_customer, ("tee", "HPKE-XWING"), fresh_name, import_id=import_id)
    altered = flipped(mine, "header", len(mine.header) - 30)
    assert code_of(post_import(acme, acme_customer, altered)) == "signature-invalid"
    # While another header's import is under way, this one waits.
    with tenant_scope(acme.tenant):
        Import.objects.filter(import_id=import_id).update(status="received")
    assert code_of(post_import(acme, acme_customer, mine)) == "import-replayed"
    with tenant_scope(acme.tenant):
        Import.objects.filter(import_id=import_id).update(status="failed")
    assert post_import(acme, acme_customer, mine).status_code == 201
    assert code_of(post_import(acme, acme_customer, altered)) == "import-replayed"


def test_the_sealed_device_is_asked_before_the_engine_opens_anything(
    acme: Organisation, acme_customer: Customer, device: SealedDevice, fresh_name: str
) -> None:
    import_id = make_id("imp_")
    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name, import_id=import_id)
    device.stop()
    device.start()
    assert device.console().call(commands.Status(), commands.StatusReply).state == "sealed"
    assert code_of(post_import(acme, acme_customer, envelope)) == "hsm-sealed"
    device.unseal()
    assert acme.as_client().get(f"imports/{import_id}").json()["status"] == "received"
    assert post_import(acme, acme_customer, envelope).status_code == 201
