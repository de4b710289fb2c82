"""POST /v1/validation: what the manufacturer states of a vendor key, over the asker's nonce."""

import time
from typing import Any

import falcon.testing
import pytest

from manufacturer import hierarchy, services
from manufacturer.api import make_app
from manufacturer.hierarchy import Hierarchies, roots
from manufacturer.store import Store
from strongroom.protocol.certificates import CertifiedKey, Mode, verify_statement
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import ValidationStatement
from tests.support.device import Device

Http = falcon.testing.TestClient
NONCE = "a-nonce-of-the-client-0123456789"


def post(http: Http, **members: Any) -> falcon.testing.Result:
    return http.simulate_post("/v1/validation", json={"nonce": NONCE, "subject": "vendor-key"} | members)


class Ask:
    """Asks and checks the answer against the roots of some modes, as a client does that trusts only those."""

    def __init__(self, http: Http, hierarchies: Hierarchies) -> None:
        self._http, self._hierarchies = http, hierarchies

    def __call__(self, key_id: str, *trusted: Mode, **members: str) -> tuple[ValidationStatement, CertifiedKey]:
        token = post(self._http, key_id=key_id, **members).json["statement"]
        trust = roots({mode: self._hierarchies[mode] for mode in trusted or self._hierarchies})
        return verify_statement(token, ValidationStatement, trust, "statement", int(time.time()))


@pytest.fixture
def ask(http: Http, hierarchies: Hierarchies) -> Ask:
    return Ask(http, hierarchies)


@pytest.fixture
def listed(http: Http, device: Device) -> Device:
    http.simulate_post("/v1/vendor-keys", json={"endorsement": device.endorse()})
    return device


@pytest.fixture
def listed_development(http: Http, make_device: Any) -> Device:
    device: Device = make_device(mode="development")
    http.simulate_post("/v1/vendor-keys", json={"endorsement": device.endorse()})
    return device


def test_a_listed_key_is_in_force(ask: Ask, listed: Device) -> None:
    statement, signer = ask(listed.key_id, "production")
    assert statement == ValidationStatement(
        validator="manufacturer",
        subject="vendor-key",
        key_id=listed.key_id,
        public_key_digest=digest(listed.vendor_key.raw),
        device=listed.id,
        device_status="in-force",
        provider="Acme Hosting",
        status="in-force",
        not_before=None,
        not_after=None,
        nonce=NONCE,
        issued_at=statement.issued_at,
        expires_at=statement.issued_at + 300,
    )
    assert abs(statement.issued_at - time.time()) < 5
    assert signer.mode == "production"


def test_a_key_of_a_development_device_is_vouched_for_by_the_development_hierarchy_only(
    ask: Ask, listed_development: Device
) -> None:
    statement, signer = ask(listed_development.key_id)
    assert (statement.status, signer.mode) == ("in-force", "development")
    with pytest.raises(Refused) as refused:
        ask(listed_development.key_id, "production")
    assert refused.value.code == "certificate-invalid"
    statement, signer = ask(listed_development.key_id, mode="production")
    assert (statement.status, statement.device, signer.mode) == ("unknown", "", "production")


@pytest.mark.parametrize("status", ["retired", "revoked"])
def test_a_key_out_of_force_is_said_to_be(ask: Ask, store: Store, listed: Device, status: Any) -> None:
    services.set_vendor_key_status(store=store, key_id=listed.key_id, status=status)
    statement, _ = ask(listed.key_id)
    assert (statement.status, statement.device_status) == (status, "in-force")


@pytest.mark.parametrize("status", ["retired", "revoked"])
def test_a_key_is_never_in_a_better_state_than_its_device(
    ask: Ask, http: Http, store: Store, listed: Device, status: Any
) -> None:
    services.set_device_status(store=store, device=listed.id, status=status)
    statement, _ = ask(listed.key_id)
    assert (statement.status, statement.device_status) == (status, status)
    assert http.simulate_get(f"/v1/vendor-keys/{listed.key_id}").json["status"] == status


def test_a_retired_key_of_a_revoked_device_is_revoked(ask: Ask, store: Store, listed: Device) -> None:
    services.set_vendor_key_status(store=store, key_id=listed.key_id, status="retired")
    services.set_device_status(store=store, device=listed.id, status="revoked")
    assert ask(listed.key_id)[0].status == "revoked"


@pytest.mark.parametrize(
    ("members", "mode"),
    [({}, "production"), ({"mode": "production"}, "production"), ({"mode": "development"}, "development")],
)
def test_an_unknown_key_is_unknown_signed_in_the_hierarchy_asked_for(
    ask: Ask, members: dict[str, str], mode: Mode
) -> None:
    statement, signer = ask("vk_none", mode, **members)
    assert (statement.status, statement.device_status, statement.provider) == ("unknown", "unknown", "")
    assert (statement.nonce, signer.mode) == (NONCE, mode)


def test_in_production_no_development_key_is_known(
    store: Store, listed_development: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_ENV", "production")
    in_production = hierarchy.load(store)
    http = Http(make_app(store, in_production))
    assert Ask(http, in_production)(listed_development.key_id)[0].status == "unknown"
    result = post(http, key_id=listed_development.key_id, mode="development")
    assert (result.status_code, result.json["code"]) == (403, "development-refused")


@pytest.mark.parametrize("nonce", ["x" * 16, "x" * 128, "+/=" * 10])
def test_a_nonce_of_16_to_128_characters_is_echoed(ask: Ask, nonce: str) -> None:
    assert ask("vk_none", nonce=nonce)[0].nonce == nonce


@pytest.mark.parametrize("nonce", ["", "x" * 15, "x" * 129, "x" * 16 + "\n", "é" * 20, "with spaces in it!", None, 5])
def test_any_other_nonce_is_refused(http: Http, nonce: Any) -> None:
    result = post(http, key_id="vk_none", nonce=nonce)
    assert (result.status_code, result.json["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    "members",
    [{"subject": "provider-key"}, {"key_id": ""}, {"key_id": "x" * 65}, {"mode": "test"}, {"mode": 1}, {"more": "x"}],
)
def test_any_other_question_is_refused(http: Http, members: dict[str, Any]) -> None:
    result = post(http, **({"key_id": "vk_none"} | members))
    assert (result.status_code, result.json["code"]) == (400, "malformed")
