"""The pages: who sees which, what they do, and that what they tell people to type exists."""

import re
from pathlib import Path
from typing import Any

import pytest

from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import make_id
from tests.support.keys import import_p256
from tests.support.officers import Officer
from tests.support.pages import Visitor, text, visitor
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice

ROOT = Path(__file__).resolve().parents[3]
CUSTOMER = ["/", "/keys/", "/partitions/", "/clients/", "/devices/", "/log/"]
OFFICER = ["tenants/", "devices/", "requests/", "actions/", "log/", ""]


@pytest.fixture(scope="module")
def officer(officers: dict[str, Officer]) -> Visitor:
    return visitor(officers["partition3"].user)


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_p256(acme, acme_customer, "on-a-page")


def test_pages_beyond_login_are_never_cached(alice: Visitor) -> None:
    for path in CUSTOMER:
        assert "no-store" in alice.get(path)["cache-control"]


def test_officers_pages_do_not_exist_for_customers_nor_theirs_for_officers(alice: Visitor, officer: Visitor) -> None:
    for path in OFFICER:
        assert alice.get(f"/officer/{path}").status_code == 404
    for path in CUSTOMER[1:]:
        assert officer.get(path).status_code == 404
    assert officer.get("/")["location"] == "/officer/"


def test_charlie_sees_nothing_of_acmes(
    charlie: Visitor, acme: Organisation, key: dict[str, Any], acme_customer: Customer
) -> None:
    for path in (
        f"/keys/{key['key_id']}/",
        f"/partitions/{acme_customer.partition}/",
        f"/clients/{acme.client_id}/",
    ):
        foreign, unknown = charlie.get(path), charlie.get(re.sub(r"[^/]+/$", "nothing/", path))
        assert (foreign.status_code, unknown.status_code) == (404, 404)
    for path in CUSTOMER:
        assert "on-a-page" not in text(charlie.get(path))


def test_an_address_that_names_nothing_possible_is_not_found(alice: Visitor) -> None:
    for path in ("/keys/%00/", "/partitions/%00/", "/clients/%00/"):
        assert alice.get(path).status_code == 404


def test_a_key_page_shows_receipt_public_key_and_what_to_do_next(alice: Visitor, key: dict[str, Any]) -> None:
    page = text(alice.get(f"/keys/{key['key_id']}/"))
    assert key["receipt"] in page
    assert "-----BEGIN PUBLIC KEY-----" in page
    assert "strongroom receipt verify on-a-page" in page
    assert "strongroom sign --key on-a-page" in page


def test_a_partition_page_shows_the_access_list_in_force(
    alice: Visitor, acme: Organisation, acme_customer: Customer
) -> None:
    page = text(alice.get(f"/partitions/{acme_customer.partition}/"))
    assert f"client:{acme.client_id}" in page
    assert "Access list, version" in page


def test_a_new_token_is_shown_once_and_works(alice: Visitor, acme: Organisation) -> None:
    path = f"/clients/{acme.client_id}/"
    token = re.search(r'id="new-token" readonly value="([^"]+)"', text(alice.confirm(path, days=2)))
    assert token is not None
    assert Browser(token.group(1)).get("whoami").json()["client_id"] == acme.client_id
    assert token.group(1) not in text(alice.get(path))


def test_a_client_is_made_and_removed_and_its_tokens_end(alice: Visitor, fresh_name: str) -> None:
    where = alice.post("/clients/", name=fresh_name)["location"]
    page = text(alice.get(where))
    assert "strongroom access allow client:cl_" in page
    token = re.search(r'id="new-token" readonly value="([^"]+)"', text(alice.confirm(where, days=1)))
    assert token is not None
    assert alice.confirm(f"{where}remove", page=where).status_code == 302
    assert code_of(Browser(token.group(1)).get("whoami")) == "unauthenticated"
    assert alice.get(where).status_code == 404


def test_what_a_client_did_stands_in_the_logs_by_its_name_when_it_is_removed(
    alice: Visitor, officer: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    owner = acme.as_owner()
    client = owner.post("clients", json={"name": fresh_name}).json()["id"]
    browser = Browser(owner.post(f"clients/{client}/tokens", json={}).json()["token"])
    body = {"import_id": make_id("imp_"), "owner": public_credential(acme_customer.owner).fingerprint}
    assert browser.post(f"partitions/{acme_customer.partition}/single-use-keys", json=body).status_code == 201
    owner.delete(f"clients/{client}")
    for reader, path in ((alice, "/log/portal/"), (officer, "/officer/log/portal/")):
        assert f'<span title="{client}">{fresh_name}</span>' in reader.get(path).content.decode()


def test_a_token_is_revoked(alice: Visitor, acme: Organisation) -> None:
    from tenants import services

    token, plain = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="alice")
    page = f"/clients/{acme.client_id}/"
    assert alice.confirm(f"{page}tokens/{token.token_key}/revoke", page=page).status_code == 302
    assert code_of(Browser(plain).get("whoami")) == "unauthenticated"


def test_bob_sees_clients_and_changes_none(bob: Visitor, acme: Organisation, fresh_name: str) -> None:
    page = f"/clients/{acme.client_id}/"
    assert "Make a token" not in text(bob.get(page))
    for path, fields in (("/clients/", {"name": fresh_name}), (page, {"days": 1}), (f"{page}remove", {})):
        # The log-out form of every page holds the token that this takes.
        assert bob.post(path, page=page, **fields).status_code == 403


def test_a_partition_request_waits_for_officers_with_the_command_they_need(
    officer: Visitor, alice: Visitor, asked: dict[str, Any]
) -> None:
    assert "Waiting for the provider's officers" in text(alice.get(f"/partitions/{asked['request']}/"))
    assert f"strongroom officer request-action {asked['request']}" in text(officer.get("/officer/requests/"))


def test_an_action_page_shows_who_may_approve_the_exact_command(
    officer: Visitor, officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    path = f"/officer/actions/{action['id']}/"
    command = f"strongroom officer approve {action['id']} --card"
    assert command in text(officer.get(path))
    assert action["digest"] in text(officer.get(path))
    # Not to the requester, and not to an officer of another class.
    assert command not in text(visitor(officers["partition1"].user).get(path))
    assert command not in text(visitor(officers["domain1"].user).get(path))


def test_pages_say_so_when_the_device_is_sealed(
    alice: Visitor, officer: Visitor, device: SealedDevice, acme_customer: Customer
) -> None:
    device.stop()
    try:
        assert "unreachable" in text(alice.get("/"))
        device.start()
        assert "sealed" in text(alice.get("/"))
        assert "which cannot be asked now" in text(alice.get(f"/partitions/{acme_customer.partition}/"))
        assert "strongroom officer unseal --card" in text(officer.get("/officer/"))
    finally:
        if device.process is None:
            device.start()
        device.unseal()


def test_pages_tell_people_to_type_only_what_the_command_knows() -> None:
    """Every `strongroom …` in a page or its code, looked up in the command itself."""
    import typer.main

    from strongroom.cli.main import app
    from strongroom.officer.bodies import options_of
    from strongroom.protocol.action_table import ACTIONS

    known = typer.main.get_command(app)
    sources = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "portal" / "pages").rglob("*.py")]
    lines = {line for path in sources for line in re.findall(r"strongroom ([a-z][^<`\"\n\\]*)", path.read_text())}
    commands = {line for line in lines if not line.startswith("command") and " " in line}
    assert len(commands) > 12
    for line in commands:
        node: Any = known
        for word in line.split():
            if not hasattr(node, "commands"):
                break
            assert word in node.commands, line
            node = node.commands[word]
        options = {"--help"} | {name for parameter in getattr(node, "params", []) for name in parameter.opts}
        if node.name == "request-action":
            options |= {option for action in ACTIONS for option in options_of(action)}
        for option in re.findall(r"--[a-z-]+", line):
            assert option in options, line
