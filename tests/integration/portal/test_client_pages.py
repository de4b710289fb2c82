"""Pages of API clients and devices: tokens rotated with an overlap, limits, last use, and the owner's commands."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.protocol.credentials import public_credential
from tests.support.keys import import_p256
from tests.support.pages import Visitor, text, visitor
from tests.support.portal import Browser, Organisation, code_of, make_customer, make_organisation
from tests.support.sealed import Customer, SealedDevice
from tests.support.session import code_below


@pytest.fixture
def client(acme: Organisation, fresh_name: str) -> str:
    """The id of a fresh API client."""
    from tenants import services

    return services.create_client(tenant=acme.tenant, name=fresh_name, actor="alice").client_id


def new_token(page: str) -> str:
    found = re.search(r'id="new-token" readonly value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def test_a_token_is_rotated_with_a_day_in_which_both_serve(
    alice: Visitor, acme: Organisation, client: str, fresh_name: str
) -> None:
    from knox.models import AuthToken

    from tenants import services

    before, plain = services.create_token(tenant=acme.tenant, client_id=client, days=90, actor="alice")
    path = f"/clients/{client}/"
    rotate = f"{path}tokens/{before.token_key}/rotate"
    assert f"Make a token in the place of {before.token_key}…" in text(alice.ask(rotate, page=path))
    page = text(alice.confirm(rotate, page=path))
    assert "serves for another day" in page
    for token in (plain, new_token(page)):
        assert Browser(token).get("whoami").json()["client_id"] == client
    left = AuthToken.objects.get(pk=before.pk).expiry - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert "expires soon" in text(alice.get(path))
    assert alice.confirm(f"{path}tokens/{before.token_key}/revoke", page=path).status_code == 302
    assert code_of(Browser(plain).get("whoami")) == "unauthenticated"
    assert "person:token:rotated" in text(alice.get("/log/portal/?tag=person:token:rotated"))


def test_a_token_that_ends_sooner_is_not_prolonged_by_rotating_it(
    alice: Visitor, acme: Organisation, client: str
) -> None:
    from knox.models import AuthToken

    from tenants import services

    before, _ = services.create_token(tenant=acme.tenant, client_id=client, days=1, actor="alice")
    ends = datetime.now(UTC) + timedelta(hours=2)
    AuthToken.objects.filter(pk=before.pk).update(expiry=ends)
    services.rotate_token(tenant=acme.tenant, client_id=client, token_key=before.token_key, days=1, actor="alice")
    assert AuthToken.objects.get(pk=before.pk).expiry == ends


def test_limits_are_set_and_taken_away(alice: Visitor, acme: Organisation, client: str) -> None:
    path = f"/clients/{client}/"
    assert alice.post(f"{path}limits", page=path, requests="77", items="").status_code == 302
    assert 'value="77"' in text(alice.get(path))
    assert alice.post(f"{path}limits", page=path, requests="", items="").status_code == 302
    assert 'value="77"' not in text(alice.get(path))
    assert alice.post(f"{path}limits", page=path, requests="-1", items="").status_code == 400
    assert "items" in text(alice.get("/log/portal/?tag=person:client:limited"))


def test_when_a_client_was_last_used_comes_from_the_log(
    alice: Visitor, acme: Organisation, acme_customer: Customer, client: str, fresh_name: str
) -> None:
    from portal.audit.services import copy_log

    page = text(alice.get("/clients/"))
    assert "last used never" in text(alice.get(f"/clients/{client}/"))
    assert fresh_name in page
    import_p256(acme, acme_customer, fresh_name)
    assert acme.as_client().post(f"keys/{fresh_name}/sign", json={"payload": "YQ=="}).status_code == 200
    copy_log(wait=True)
    assert "last used never" not in text(alice.get(f"/clients/{acme.client_id}/"))


def test_a_clients_page_shows_what_it_may_do_in_each_partition(
    alice: Visitor, acme: Organisation, acme_customer: Customer, client: str
) -> None:
    page = text(alice.get(f"/clients/{acme.client_id}/"))
    assert f'href="/partitions/{acme_customer.partition}/access/"' in page
    assert re.search(r"<dd>[^<]*\bsign\b[^<]*</dd>", page)
    assert "<dd>not on its access list: it can do nothing there</dd>" in text(alice.get(f"/clients/{client}/"))


def test_where_the_device_refuses_to_say_what_a_client_may_do_the_page_says_why(
    device: SealedDevice, fresh_name: str
) -> None:
    from tenants.models import Partition
    from tenants.services import request_partition

    owned = make_organisation(fresh_name, f"owner of {fresh_name}")
    customer = make_customer(owned, device)
    owner, path = visitor(owned.owner), f"/clients/{owned.client_id}/"

    def not_known() -> list[tuple[str, str]]:
        said = r'<dd>not known now: ([^<]+) <span class="state bad">([\w-]+)</span></dd>'
        return re.findall(said, text(owner.get(path)))

    # One partition is unknown to the device: what it says of the other is shown.
    credential = public_credential(customer.owner)
    row = request_partition(tenant=owned.tenant, label="lost", owner=credential, actor="test")
    lost = Partition.objects.using("provider").filter(pk=row.pk)
    lost.update(status="defined", partition_id=f"pt_{fresh_name}")
    assert [code for _, code in not_known()] == ["not-found"]
    assert re.search(r"<dd>[^<]*\bsign\b[^<]*</dd>", text(owner.get(path)))
    device.stop()
    device.start()
    try:
        assert [(code, "sealed" in sentence) for sentence, code in not_known()] == 2 * [("hsm-sealed", True)]
    finally:
        device.unseal()


def test_a_new_token_comes_with_lines_that_use_it_and_does_not_stand_in_them(
    alice: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    import_p256(acme, acme_customer, fresh_name)
    path = f"/clients/{acme.client_id}/"
    assert "<summary>curl</summary>" not in text(alice.get(path))
    page = text(alice.confirm(path, days=7))
    assert f"curl -sS http://localhost/api/v1/keys/{fresh_name}/$1" in code_below(page, "curl")
    assert f'"http://localhost/api/v1/keys/{fresh_name}/" + operation' in code_below(page, "Python")
    assert f"strongroom sign --key {fresh_name}" in code_below(page, "Command")
    assert page.count(new_token(page)) == 1


def test_where_there_is_no_key_yet_a_new_token_is_tried_on_its_own(fresh_name: str) -> None:
    owned = make_organisation(fresh_name, f"owner of {fresh_name}")
    page = text(visitor(owned.owner).confirm(f"/clients/{owned.client_id}/", days=7))
    assert "<summary>Command</summary>" not in page
    assert "curl -s http://localhost/api/v1/whoami" in code_below(page, "curl")
    line = [sys.executable, "-c", code_below(page, "Python").replace("http://localhost/", "http://127.0.0.1:1/")]
    tried = subprocess.run(line, env={"TOKEN": new_token(page)}, capture_output=True, text=True, check=False)
    assert "Connection refused" in tried.stderr


def test_the_access_list_goes_by_names_and_shows_the_owners_commands(
    alice: Visitor, acme: Organisation, acme_customer: Customer, client: str, fresh_name: str
) -> None:
    page = text(alice.get(f"/partitions/{acme_customer.partition}/"))
    assert f"strongroom access remove client:{acme.client_id}" in page
    assert '<th scope="row" data-label="Who">app</th>' in page
    assert f"# {fresh_name}\nstrongroom access allow client:{client} --rights sign,verify" in page


def test_a_device_is_taken_off_the_list_by_its_name_and_the_owners_command_stands_there(
    alice: Visitor, acme: Organisation, fresh_name: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from strongroom.protocol.credentials import public_credential
    from tenants import services

    credential = public_credential(Ed25519PrivateKey.generate())
    services.enrol_device(tenant=acme.tenant, name=fresh_name, credential=credential, actor="alice")
    path = f"/devices/{credential.fingerprint}/remove"
    assert f"Take the client device {fresh_name} off the list?" in text(alice.ask(path, page="/devices/"))
    assert alice.confirm(path, page="/devices/").status_code == 302
    assert f"strongroom access remove device:{credential.fingerprint}" in text(alice.get("/devices/"))


def test_charlie_neither_rotates_nor_limits_what_is_acmes(charlie: Visitor, acme: Organisation, client: str) -> None:
    from tenants import services

    token, _ = services.create_token(tenant=acme.tenant, client_id=client, days=1, actor="alice")
    asked: dict[str, Any] = {"requests": "5", "items": ""}
    for part in (f"tokens/{token.token_key}/rotate", "limits"):
        assert charlie.post(f"/clients/{client}/{part}", page="/clients/", **asked).status_code == 404
    assert client not in text(charlie.get("/clients/"))
