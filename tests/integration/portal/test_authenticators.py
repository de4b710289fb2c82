"""One-time codes: seeds rest encrypted, and whoever lost the authenticator comes back by a recovery code."""

import re
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.pages import Visitor
from tests.support.portal import PASSWORD, Organisation


@pytest.fixture
def newcomer(acme: Organisation, fresh_name: str) -> Any:
    from tenants.services import add_person

    return add_person(tenant=acme.tenant, username=fresh_name, password=PASSWORD, role="operator")


def set_up(user: Any) -> tuple[Visitor, list[str]]:
    """Someone who has just set up an authenticator, and the recovery codes that were shown."""
    from portal.authenticators.models import Authenticator

    who = Visitor()
    who.log_in(user.username, "")
    who.get("/authenticator/")
    shown = who.post("/authenticator/", code=fresh_code(Authenticator.objects.get(user=user))).content.decode()
    codes = re.findall(r"^(?:<pre><code>|\s*<pre><code>)?((?:[a-z2-7]{4}-){3}[a-z2-7]{4})$", shown, re.MULTILINE)
    assert len(set(codes)) == 10
    return who, codes


def stored(table: str) -> str:
    """A whole table as text, as whoever steals the database sees it."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT coalesce(string_agg(one::text, E'\\n'), '') FROM {table} AS one")
        return str(cursor.fetchone()[0])


def test_neither_seed_nor_recovery_code_can_be_read_in_the_database(newcomer: Any) -> None:
    from base64 import b32encode

    from portal.authenticators.models import Authenticator

    _, codes = set_up(newcomer)
    device = Authenticator.objects.get(user=newcomer)
    tables = stored("authenticators_authenticator") + stored("authenticators_recoverycodes")
    assert bytes(device.sealed_seed).hex() in tables
    for secret in (
        device.seed.hex(),
        b32encode(device.seed).decode(),
        *codes,
        *[one.replace("-", "") for one in codes],
    ):
        assert secret not in tables
    assert stored("otp_totp_totpdevice") == stored("otp_static_statictoken") == ""


def test_a_seed_that_is_moved_to_another_person_opens_nothing(newcomer: Any, acme: Organisation) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from portal.authenticators.models import Authenticator

    set_up(newcomer)
    Authenticator.objects.filter(user=newcomer).update(user=acme.auditor)
    moved = Authenticator.objects.get(user=acme.auditor)
    with pytest.raises(ImproperlyConfigured):
        _ = moved.seed
    moved.delete()


def test_a_recovery_code_opens_one_session_in_which_another_authenticator_is_set_up(newcomer: Any) -> None:
    from portal.authenticators.models import Authenticator

    _, codes = set_up(newcomer)
    old = Authenticator.objects.get(user=newcomer)
    back = Visitor()
    assert back.log_in(newcomer.username, codes[3])["location"] == "/"
    assert "one-time code is wrong" in Visitor().log_in(newcomer.username, codes[3]).content.decode()
    assert "<svg" in back.get("/authenticator/").content.decode()
    new = Authenticator.objects.get(user=newcomer, confirmed=False)
    assert new.seed != old.seed
    assert "shown this once" in back.post("/authenticator/", code=fresh_code(new)).content.decode()
    assert [one.pk for one in Authenticator.objects.filter(user=newcomer)] == [new.pk]
    # The codes of before are over with it.
    assert "one-time code is wrong" in Visitor().log_in(newcomer.username, codes[4]).content.decode()


def test_whoever_has_an_authenticator_sets_up_no_other_without_a_recovery_code(newcomer: Any) -> None:
    who, _ = set_up(newcomer)
    assert who.get("/authenticator/")["location"] == "/"


def test_a_recovery_code_approves_nothing(officers: dict[str, Any], action: dict[str, Any]) -> None:
    from portal.authenticators.models import RecoveryCodes, recovery_digest

    officer, code = officers["partition2"], "abcd-efgh-ijkl-mnop"
    kept = RecoveryCodes.objects.create(user=officer.user, name="codes", digests=[recovery_digest(code)])
    answer = officer.portal.post(
        f"officer/actions/{action['id']}/approvals", json={"approval": officer.sign_approval(action), "otp": code[:16]}
    )
    assert answer.json()["code"] == "otp-refused"
    kept.delete()


def test_guessing_recovery_codes_is_slowed_down(newcomer: Any) -> None:
    _, codes = set_up(newcomer)
    Visitor().log_in(newcomer.username, "aaaa-aaaa-aaaa-aaaa")
    assert "one-time code is wrong" in Visitor().log_in(newcomer.username, codes[0]).content.decode()
