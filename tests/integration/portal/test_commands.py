"""manage.py create_tenant, seed_development, register_device, prepare_roles; and that scheduled tasks exist."""

import io
import json
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.otp import fresh_code
from tests.support.portal import Browser, code_of
from tests.support.sealed import SealedDevice


def run(*arguments: str, given: Any = None, monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    """The command's standard output."""
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(given).encode())))
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_new_tenants_owner_gets_a_first_password_but_no_token_without_a_code(fresh_name: str) -> None:
    printed = run("create_tenant", fresh_name, "Initech", "--admin", f"peter@{fresh_name}")
    match = re.search(r"password: (\S+)", printed)
    assert match is not None
    body = {"username": f"peter@{fresh_name}", "password": match[1], "otp": "123456"}
    assert code_of(Browser().post("login", json=body)) == "login-refused"
    with pytest.raises(CommandError, match="conflict"):
        run("create_tenant", fresh_name, "Initech", "--admin", "someone-else")
    # Where its owner is told of keys, and no longer.
    from portal.audit.mails import recipients
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug=fresh_name).pk
    for address in ("peter@initech.example", ""):
        run("set_email", f"peter@{fresh_name}", address)
        assert recipients(tenant) == ([address] if address else [])
    for wrong in (("nobody", "peter@initech.example"), (f"peter@{fresh_name}", "no address")):
        with pytest.raises(CommandError):
            run("set_email", *wrong)
    with pytest.raises(CommandError):
        run("create_tenant", "No Slug", "Initech", "--admin", "someone-else")


@pytest.mark.parametrize("name", ["Initech", "initech_1", "initech\n", "ínitech", ""])
def test_a_short_name_has_small_letters_digits_and_hyphens(name: str) -> None:
    from tenants.models import Tenant

    with pytest.raises(CommandError, match="small letters, digits and hyphens"):
        run("create_tenant", name, "Initech", "--admin", "peter-of-no-name")
    assert not Tenant.objects.filter(slug=name).exists()


def test_a_tenants_owner_is_invited_by_a_link(fresh_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings
    from django.core import mail

    from tests.support.pages import Visitor, text

    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []
    address = f"peter@{fresh_name}.example"
    printed = run("create_tenant", fresh_name, "Initech", "--invite", address, "--url", "https://portal.example/")
    link = printed.split("https://portal.example")[1].strip()
    assert f"https://portal.example{link}" in mail.outbox[0].body
    assert mail.outbox[0].to == [address]
    assert "Initech invites you" in text(Visitor().get(link))


def test_seeding_makes_people_who_can_log_in_and_is_idempotent(
    fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.authenticators.models import Authenticator

    spec = {
        "officers": [{"username": f"o-{fresh_name}", "officer_class": "security", "name": f"officer-{fresh_name}"}],
        "tenants": [
            {
                "slug": f"t-{fresh_name}",
                "name": "Tenant",
                "client": "backend",
                "people": [{"username": f"p-{fresh_name}", "role": "admin"}],
            }
        ],
    }
    made = json.loads(run("seed_development", given=spec, monkeypatch=monkeypatch))
    expected = {f"o-{fresh_name}": (None, "security"), f"p-{fresh_name}": (f"t-{fresh_name}", None)}
    for person in made["people"]:
        device = Authenticator.objects.get(user__username=person["username"])
        body = {"username": person["username"], "password": person["password"], "otp": fresh_code(device)}
        answer = Browser().post("login", json=body).json()
        assert (answer["tenant"], answer["officer_class"]) == expected.pop(person["username"])
    assert not expected
    [client] = made["clients"]
    assert Browser(client["token"]).get("whoami").json()["client_id"] == client["client_id"]
    assert json.loads(run("seed_development", given=spec, monkeypatch=monkeypatch)) == {"people": [], "clients": []}


def test_seeding_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "DEVELOPMENT", False)
    with pytest.raises(CommandError, match="development alone"):
        run("seed_development", given={}, monkeypatch=monkeypatch)


def test_a_development_device_is_refused_in_production(device: SealedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "DEVELOPMENT", False)
    with pytest.raises(CommandError, match="certificate-invalid"):
        run("register_device")


def test_the_roles_can_be_prepared_again() -> None:
    assert "ready" in run("prepare_roles")


def test_every_scheduled_task_exists() -> None:
    from django.conf import settings

    from portal.celery import app

    app.loader.import_default_modules()
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in app.tasks, name
