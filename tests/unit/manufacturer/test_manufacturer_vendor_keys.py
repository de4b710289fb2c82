"""GET and POST /v1/vendor-keys: which vendor keys are listed, and for whom."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from manufacturer import hierarchy, services
from manufacturer.api import MAX_BODY, make_app
from manufacturer.store import Store
from strongroom.protocol import jws
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.encoding import b64u
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.device import Device

Http = falcon.testing.TestClient


def post(http: Http, endorsement: str) -> falcon.testing.Result:
    return http.simulate_post("/v1/vendor-keys", json={"endorsement": endorsement})


def assert_refused(result: falcon.testing.Result, status: int, code: str) -> None:
    assert (result.status_code, result.json["code"]) == (status, code)
    assert result.headers["content-type"] == "application/problem+json"
    assert result.json["type"] == f"urn:strongroom:error:{code}"
    assert result.json["status"] == status


def test_a_certified_device_lists_its_vendor_key(http: Http, device: Device) -> None:
    endorsement = device.endorse()
    answer = post(http, endorsement)
    listed = {"key_id": device.key_id, "endorsement": endorsement, "status": "in-force"}
    assert (answer.status_code, answer.json) == (201, listed)
    assert http.simulate_get(f"/v1/vendor-keys/{device.key_id}").json == listed
    assert http.simulate_get("/v1/vendor-keys").json == [listed]


def test_listing_again_changes_nothing(http: Http, device: Device) -> None:
    first = post(http, device.endorse(nonce="first"))
    again = post(http, device.endorse(nonce="again"))
    assert (again.status_code, again.json) == (200, first.json)


def test_an_unknown_key_is_not_found(http: Http) -> None:
    assert_refused(http.simulate_get("/v1/vendor-keys/vk_none"), 404, "not-found")


def test_a_device_that_nobody_certified_is_refused(http: Http, device: Device) -> None:
    stranger = Device(certificate=device.certificate)
    statement = jws.read_unverified(stranger.endorse(), Endorsement)
    # Signed by its own key, under another device's certificate.
    assert_refused(post(http, stranger.endorse()), 403, "signature-invalid")
    # And with no certificate at all.
    assert_refused(post(http, jws.sign(statement, stranger.identity)), 403, "certificate-invalid")


def test_a_device_of_another_manufacturer_is_refused(http: Http, tmp_path_factory: Any, now: int) -> None:
    other = Store(tmp_path_factory.mktemp("other") / "store")
    hierarchy.create(store=other, now=now)
    stranger = Device()
    line = services.certify_device(
        store=other,
        hierarchies=hierarchy.load(other),
        request=stranger.request,
        mode="production",
        provider="Acme Hosting",
        now=now,
    )
    assert_refused(post(http, stranger.certified(line.certificate).endorse()), 403, "certificate-invalid")


def test_a_statement_key_is_not_a_device(http: Http, store: Store, device: Device) -> None:
    signer = hierarchy.load(store)["production"].statement
    statement = jws.read_unverified(device.endorse(), Endorsement)
    token = jws.sign(statement, signer.key, x5c=to_x5c(signer.certificate))
    assert_refused(post(http, token), 403, "certificate-invalid")


@pytest.mark.parametrize("status", ["retired", "revoked"])
def test_a_device_out_of_force_lists_nothing(http: Http, store: Store, device: Device, status: Any) -> None:
    services.set_device_status(store=store, device=device.id, status=status)
    assert_refused(post(http, device.endorse()), 403, "certificate-invalid")
    assert http.simulate_get("/v1/vendor-keys").json == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"device": "dev_another"}, 403, "signature-invalid"),
        ({"purpose": "provider-key"}, 400, "statement-malformed"),
        ({"key_id": "vk_another"}, 400, "malformed"),
        ({"public_key": "not base64url!"}, 400, "malformed"),
        ({"public_key": b64u(b"short")}, 400, "malformed"),
    ],
)
def test_an_endorsement_that_contradicts_itself_is_refused(
    http: Http, device: Device, changes: dict[str, str], status: int, code: str
) -> None:
    assert_refused(post(http, device.endorse(**changes)), status, code)
    assert http.simulate_get("/v1/vendor-keys").json == []


def test_a_key_that_nobody_can_seal_to_is_refused_even_under_its_own_id(http: Http, device: Device) -> None:
    broken = RecipientPublicKey(b"\xff" * 1216)
    assert_refused(post(http, device.endorse(public_key=broken.text, key_id=broken.key_id("vk_"))), 400, "malformed")


def test_an_altered_endorsement_is_refused(http: Http, device: Device) -> None:
    head, payload, signature = device.endorse().split(".")
    other = device.endorse(nonce="other").split(".")[1]
    assert_refused(post(http, f"{head}.{other}.{signature}"), 403, "signature-invalid")
    assert_refused(post(http, f"{head}.{payload}"), 400, "statement-malformed")


def test_a_key_that_is_listed_for_one_device_cannot_be_claimed_by_another(http: Http, make_device: Any) -> None:
    owner, thief = make_device(), make_device(provider="Globex Hosting")
    post(http, owner.endorse())
    claim = thief.endorse(key_id=owner.key_id, public_key=owner.vendor_key.text)
    assert_refused(post(http, claim), 409, "conflict")


def test_a_revoked_key_stays_revoked_when_it_is_listed_again(http: Http, store: Store, device: Device) -> None:
    post(http, device.endorse())
    services.set_vendor_key_status(store=store, key_id=device.key_id, status="revoked")
    assert post(http, device.endorse()).json["status"] == "revoked"


@pytest.fixture
def successor(device: Device) -> Device:
    """The same device after its vendor key was rotated."""
    return replace(device, vendor_key=RecipientPrivateKey.generate().public())


def statuses(http: Http) -> dict[str, str]:
    return {one["key_id"]: one["status"] for one in http.simulate_get("/v1/vendor-keys").json}


def test_a_devices_new_key_retires_the_one_before(http: Http, device: Device, successor: Device) -> None:
    post(http, device.endorse())
    post(http, successor.endorse())
    assert statuses(http) == {device.key_id: "retired", successor.key_id: "in-force"}


def test_a_key_that_was_endorsed_earlier_and_is_listed_later_retires_nothing(
    http: Http, device: Device, successor: Device, now: int
) -> None:
    post(http, successor.endorse())
    assert post(http, device.endorse(issued_at=now - 60)).json["status"] == "retired"
    assert statuses(http) == {device.key_id: "retired", successor.key_id: "in-force"}


def test_another_devices_key_retires_nothing(http: Http, make_device: Any) -> None:
    devices = [make_device(), make_device()]
    for one in devices:
        post(http, one.endorse())
    assert statuses(http) == {one.key_id: "in-force" for one in devices}


def test_a_single_use_key_is_seen_by_its_id_only_until_it_expires(
    http: Http, device: Device, successor: Device, now: int
) -> None:
    post(http, device.endorse())
    once = {"purpose": "single-use-vendor-key", "import_id": "imp_any", "partition": "pt_any", "owner": "any"}
    assert post(http, successor.endorse(**once, expires_at=now + 3600)).status_code == 201
    assert statuses(http) == {device.key_id: "in-force"}
    assert http.simulate_get(f"/v1/vendor-keys/{successor.key_id}").json["status"] == "in-force"
    late = replace(device, vendor_key=RecipientPrivateKey.generate().public())
    assert post(http, late.endorse(**once, expires_at=now)).json["status"] == "retired"


@pytest.mark.parametrize(
    "changes", [{"purpose": "single-use-vendor-key"}, {"expires_at": 2**31}], ids=["no expiry", "an expiry"]
)
def test_only_single_use_keys_have_an_expiry(http: Http, device: Device, changes: dict[str, Any]) -> None:
    assert_refused(post(http, device.endorse(**changes)), 400, "statement-malformed")


def test_a_register_of_before_single_use_keys_is_brought_up_to_date(
    http: Http, store: Store, device: Device, now: int
) -> None:
    post(http, device.endorse())
    with store.transaction() as register:
        register.execute("ALTER TABLE vendor_keys DROP COLUMN expires_at")
    hierarchy.create(store=store, now=now)
    assert statuses(http) == {device.key_id: "in-force"}


def test_in_production_a_development_device_is_a_stranger(
    store: Store, make_device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = make_device(mode="development")
    monkeypatch.setenv("STRONGROOM_ENV", "production")
    http = Http(make_app(store, hierarchy.load(store)))
    assert_refused(post(http, device.endorse()), 403, "certificate-invalid")


def test_a_body_that_is_too_large_is_refused(http: Http) -> None:
    result = http.simulate_post("/v1/vendor-keys", body=b" " * (MAX_BODY + 1))
    assert_refused(result, 413, "too-large")


@pytest.mark.parametrize("body", ["", "[]", "{", '{"endorsement":5}', '{"endorsement":"a.b.c","more":1}', "[" * 9000])
def test_a_body_that_is_no_request_is_refused(http: Http, body: str) -> None:
    assert_refused(http.simulate_post("/v1/vendor-keys", body=body), 400, "malformed")


def test_a_method_that_is_not_offered_is_refused(http: Http) -> None:
    result = http.simulate_put("/v1/vendor-keys")
    assert_refused(result, 405, "method-not-allowed")
    assert "POST" in result.headers["allow"]


def test_a_path_that_does_not_exist_is_not_found(http: Http) -> None:
    assert_refused(http.simulate_get("/v2/anything"), 404, "not-found")


def spoil(register: Path) -> None:
    register.write_bytes(b"not a database at all" * 200)


@pytest.mark.parametrize("harm", [spoil, Path.unlink])
def test_a_store_that_cannot_be_read_is_unavailable_with_retry_advice(
    http: Http, store: Store, harm: Callable[[Path], None]
) -> None:
    harm(store.register)
    for path in ("/healthz", "/v1/vendor-keys"):
        result = http.simulate_get(path)
        assert_refused(result, 503, "unavailable")
        assert result.headers["retry-after"]
        assert str(store.folder) not in result.text
