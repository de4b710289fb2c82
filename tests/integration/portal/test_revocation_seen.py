"""A key that its customer's endpoint suspends or revokes: seen in the API and on the pages, and told to its tenant."""

import html
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from strongroom.client import revocation
from strongroom.endpoint.store import Statuses
from strongroom.protocol import jws
from strongroom.protocol.revocation import receipt_digest
from strongroom.protocol.statements import Receipt
from tests.support.customers_endpoint import ServedEndpoint
from tests.support.keys import import_p256
from tests.support.pages import visitor
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedEndpoint]:
    with ServedEndpoint(tmp_path_factory.mktemp("customer") / "endpoint") as served:
        yield served


@pytest.fixture
def statuses(endpoint: ServedEndpoint) -> Statuses:
    return Statuses(endpoint.folder)


@pytest.fixture
def key(
    acme: Organisation, acme_customer: Customer, endpoint: ServedEndpoint, statuses: Statuses, fresh_name: str
) -> dict[str, Any]:
    """A key of Alice's whose terms name the endpoint, on its list as active."""
    terms = revocation.make(
        endpoint.url, token=endpoint.token, pin=(endpoint.folder / "cert.pem").read_bytes(), every="1s"
    )
    made = import_p256(acme, acme_customer, fresh_name, revocation=terms)
    statuses.add([(jws.read_unverified(made["receipt"], Receipt), receipt_digest(made["receipt"]))])
    becomes("good", lambda: standing(acme, made)["state"])
    return made


def becomes(wanted: str, look: Callable[[], str]) -> None:
    end = time.monotonic() + 20
    while (found := look()) != wanted:
        assert time.monotonic() < end, f"still {found}, not {wanted}"
        time.sleep(0.1)


def standing(acme: Organisation, key: dict[str, Any]) -> dict[str, Any]:
    response = acme.as_auditor().get(f"keys/{key['key_id']}/revocation")
    assert response.status_code == 200, response.text
    [version] = response.json()["versions"]
    return version


def notices(acme: Organisation, key: dict[str, Any]) -> list[Any]:
    from portal.audit import selectors, services

    services.copy_log(wait=True)
    events = selectors.events(tenant=acme.tenant, limit=1000)
    return [one for one in reversed(events) if f"{key['name']} version 1" in one.details.get("keys", "")]


def state(acme: Organisation, key: dict[str, Any]) -> str:
    return acme.as_client().get(f"keys/{key['key_id']}").json()["state"]


def page(acme: Organisation, path: str) -> str:
    response = visitor(acme.owner).get(path)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_key_that_is_asked_about_shows_its_checks(acme: Organisation, key: dict[str, Any]) -> None:
    found = standing(acme, key)
    assert (found["state"], found["answer"], found["why"]) == ("good", "active", "")
    assert abs(found["last_check"] - time.time()) < 30
    assert found["next_check"] >= found["last_check"]
    shown = page(acme, f"/keys/{key['key_id']}/")
    assert "Last valid answer" in shown
    assert "Last check" in shown
    assert "Next check" in shown


def test_the_device_asks_now_where_the_customer_wants_it(acme: Organisation, key: dict[str, Any]) -> None:
    before = standing(acme, key)["checks"]
    assert acme.as_client().post(f"keys/{key['key_id']}/revocation/check", json={}).status_code == 202
    becomes("more", lambda: "more" if standing(acme, key)["checks"] > before else "no more")
    assert acme.as_operator().post(f"keys/{key['key_id']}/revocation/check", json={}).status_code == 202
    assert code_of(acme.as_auditor().post(f"keys/{key['key_id']}/revocation/check", json={})) == "forbidden"


def test_another_tenant_learns_nothing_of_it(globex: Organisation, key: dict[str, Any]) -> None:
    assert code_of(globex.as_owner().get(f"keys/{key['key_id']}/revocation")) == "not-found"
    assert code_of(globex.as_owner().post(f"keys/{key['key_id']}/revocation/check", json={})) == "not-found"


def test_a_suspended_key_is_seen_with_the_reason_until_it_is_resumed(
    acme: Organisation, key: dict[str, Any], statuses: Statuses
) -> None:
    statuses.change(key["key_id"], "suspended", "an audit")
    becomes("suspended", lambda: standing(acme, key)["state"])
    assert state(acme, key) == "suspended"
    becomes("device:key:suspended", lambda: notices(acme, key)[-1].tag)
    assert state(acme, key) == "suspended"
    overview = page(acme, "/")
    assert "Needs attention" in overview
    assert key["name"] in overview
    assert "suspended" in page(acme, f"/keys/{key['key_id']}/")
    statuses.change(key["key_id"], "active")
    becomes("device:key:resumed", lambda: notices(acme, key)[-1].tag)
    assert state(acme, key) == "active"
    assert key["name"] not in page(acme, "/").split("Needs attention")[-1].split("</section>")[0]


def test_a_revoked_key_is_told_to_its_tenant_once_and_for_ever(
    acme: Organisation, globex: Organisation, key: dict[str, Any], statuses: Statuses
) -> None:
    from portal.audit import selectors
    from tee.services import refresh_all_keys

    statuses.change(key["key_id"], "revoked", "stolen")
    becomes("revoked", lambda: standing(acme, key)["state"])
    # 1. At once, by whom and why: not only when the log has been copied.
    found = standing(acme, key)
    assert (found["revoked_by"], found["why"], found["next_check"]) == ("endpoint", "stolen", None)
    assert abs(found["revoked_at"] - time.time()) < 30
    assert state(acme, key) == "revoked"
    [listed] = acme.as_client().get(f"keys/{key['key_id']}/versions").json()
    assert listed["state"] == "revoked"
    shown = page(acme, f"/keys/{key['key_id']}/")
    assert "by its endpoint" in shown
    assert "stolen" in shown
    assert "revocation drill" not in shown
    assert "Use it" not in shown
    # 2. Told once, as of when it happened.
    told = [one for one in notices(acme, key) if one.tag == "device:key:revoked"]
    assert [(one.details["why"], int(one.time.timestamp())) for one in told] == [("stolen", found["revoked_at"])]
    assert state(acme, key) == "revoked"
    refresh_all_keys()
    assert state(acme, key) == "revoked"
    assert "stolen" in page(acme, "/")
    assert key["name"] not in str([one.details for one in selectors.events(tenant=globex.tenant, limit=1000)])


def test_neither_token_nor_address_is_anywhere_at_the_portal(
    acme: Organisation, key: dict[str, Any], endpoint: ServedEndpoint
) -> None:
    shown = [page(acme, f"/keys/{key['key_id']}/"), str(standing(acme, key)), str(notices(acme, key))]
    for text in shown:
        assert endpoint.token not in text
        assert endpoint.url not in text


def test_a_key_about_which_nobody_is_asked_says_so(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    plain = import_p256(acme, acme_customer, fresh_name)
    assert standing(acme, plain)["state"] == "none"
    assert "Revocation" not in page(acme, f"/keys/{plain['key_id']}/")
