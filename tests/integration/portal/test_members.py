"""A tenant's people: invited by a link that serves once, changed and removed by admins, and never without an owner."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Browser, Organisation, code_of, make_organisation, token_for

PASSWORD = "a password that is long enough"


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was sent, by Django's backend for tests."""
    from django.conf import settings
    from django.core import mail

    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []
    return mail.outbox


@pytest.fixture(scope="module")
def acme() -> Organisation:
    """One of its own, whose people nobody else's mails go to."""
    return make_organisation("vandelay", "alice@vandelay")


@pytest.fixture(scope="module")
def admin(acme: Organisation) -> Visitor:
    return as_role(acme.tenant, "admin")


def link_in(page: str) -> str:
    found = re.search(r'id="link" readonly value="http://localhost(/invitation/[^"]+)"', page)
    assert found is not None
    return found.group(1)


def invited(who: Visitor, email: str, role: str = "operator") -> str:
    """The path of an invitation's link."""
    return link_in(text(who.confirm("/members/", email=email, role=role)))


def accept(path: str, username: str, password: str = PASSWORD) -> tuple[Visitor, Any]:
    who = Visitor()
    return who, who.post(path, username=username, password=password, again=password)


def test_from_the_mail_to_the_overview(alice: Visitor, acme: Organisation, mails: list[Any], fresh_name: str) -> None:
    email = f"{fresh_name}@acme.example"
    path = invited(alice, email, "admin")
    assert [one.to for one in mails] == [[email]]
    assert f"http://localhost{path}" in mails[0].body
    # 1. A user name and a password. Nothing else is open yet.
    assert "Vandelay invites you" in text(Visitor().get(path))
    who, answer = accept(path, fresh_name)
    assert answer["location"] == "/authenticator/"
    assert who.get("/")["location"] == "/authenticator/"
    # 2. An authenticator.
    from portal.authenticators.models import Authenticator

    assert "Scan this" in text(who.get("/authenticator/"))
    device = Authenticator.objects.get(user__username=fresh_name)
    assert "recovery codes" in text(who.post("/authenticator/", code=fresh_code(device)))
    # 3. In, as what was said, and seen by the others.
    assert "You are its admin" in text(who.get("/"))
    members = text(alice.get("/members/"))
    assert email in members
    assert f'Withdraw<span class="aside"> the invitation of {email}' not in members


def test_a_link_serves_once_and_is_kept_as_a_hash_alone(alice: Visitor, mails: list[Any], fresh_name: str) -> None:
    from tenants.models import Invitation

    path = invited(alice, f"{fresh_name}@acme.example")
    secret = path.split("/")[2]
    assert not Invitation.objects.filter(digest=secret).exists()
    # What is refused leaves it open.
    assert "at least 12" in text(accept(path, fresh_name, "short")[1])
    assert "is a user" in text(accept(path, "alice@vandelay")[1])
    assert accept(path, fresh_name)[1].status_code == 302
    assert Visitor().get(path).status_code == 404
    assert "serves no more" in Visitor().get(path).content.decode()


def test_everything_that_is_wrong_is_said_at_once(alice: Visitor, mails: list[Any], fresh_name: str) -> None:
    path = invited(alice, f"{fresh_name}@acme.example")
    said = text(Visitor().post(path, username="alice@vandelay", password="short", again="shorter"))
    for wrong in ("is a user", "at least 12", "The two passwords are not the same."):
        assert wrong in said
    # A password that is refused, and was typed twice alike, is not called unequal as well.
    said = text(accept(path, fresh_name, "short")[1])
    assert "at least 12" in said
    assert "not the same" not in said


def test_an_invitation_is_withdrawn_expires_or_is_replaced(alice: Visitor, mails: list[Any], fresh_name: str) -> None:
    from django.utils import timezone

    from tenants.models import Invitation

    email = f"{fresh_name}@acme.example"
    first = invited(alice, email)
    second = invited(alice, email)
    assert Visitor().get(first).status_code == 404
    row = Invitation.objects.get(email=email)
    Invitation.objects.filter(pk=row.pk).update(expires=timezone.now() - timedelta(seconds=1))
    assert Visitor().get(second).status_code == 404
    third = invited(alice, email)
    row = Invitation.objects.get(email=email)
    assert alice.post(f"/invitations/{row.pk}/withdraw", page="/members/").status_code == 302
    assert Visitor().get(third).status_code == 404


def test_a_mail_that_does_not_go_off_is_told_and_the_link_is_still_there(
    alice: Visitor, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **more: Any) -> None:
        raise OSError("no such host")

    monkeypatch.setattr("portal.pages.invitation_mail.send_mail", fail)
    page = text(alice.confirm("/members/", email=f"{fresh_name}@acme.example", role="auditor"))
    assert "The mail did not go off" in page
    assert Visitor().get(link_in(page)).status_code == 200


def test_without_a_fresh_code_nobody_is_invited(alice: Visitor, fresh_name: str) -> None:
    email = f"{fresh_name}@acme.example"
    assert f"Invite {email} as auditor?" in text(alice.ask("/members/", email=email, role="auditor"))
    assert email not in text(alice.get("/members/"))


def test_a_role_is_changed_and_tokens_of_the_role_before_end(
    alice: Visitor, acme: Organisation, mails: list[Any], fresh_name: str
) -> None:
    from tenants.models import User

    accept(invited(alice, f"{fresh_name}@acme.example", "admin"), fresh_name)
    token = token_for(User.objects.get(username=fresh_name))
    page = f"/members/{fresh_name}/"
    asked = text(alice.ask(page, role="auditor"))
    assert f"Make {fresh_name} an auditor of Vandelay?" in asked
    assert alice.confirm(page, role="auditor").status_code == 302
    assert code_of(Browser(token).get("whoami")) == "unauthenticated"
    assert Browser(token_for(User.objects.get(username=fresh_name))).get("whoami").json()["role"] == "auditor"


def test_whoever_is_removed_is_out_at_once(alice: Visitor, acme: Organisation, fresh_name: str) -> None:
    from tenants.models import Membership, User

    user = User.objects.create_user(fresh_name)
    Membership.objects.create(user=user, tenant=acme.tenant, role="operator")
    who, token = visitor(user), token_for(user)
    assert who.get("/keys/").status_code == 200
    assert alice.confirm(f"/members/{fresh_name}/remove", page="/members/").status_code == 302
    assert who.get("/keys/")["location"].startswith("/login/")
    assert code_of(Browser(token).get("whoami")) == "unauthenticated"
    assert fresh_name not in re.findall(r'scope="row"[^>]*>([^<]+)<', text(alice.get("/members/")))
    assert alice.get(f"/members/{fresh_name}/").status_code == 404


def test_the_last_owner_stays() -> None:
    organisation = make_organisation("hooli", "gavin")
    gavin, page = visitor(organisation.owner), "/members/gavin/"
    # The page says so, and no code is used up for what cannot be.
    shown = text(gavin.get(page))
    assert "make somebody else one first" in shown
    assert "Change role" not in shown
    for path, fields in ((page, {"role": "admin"}), (f"{page}remove", {})):
        response = gavin.post(path, page="/members/", **fields)
        assert response.status_code == 409
        assert "make somebody else one first" in response.content.decode()
    assert gavin.get("/").status_code == 200
    # With another owner one may go.
    assert gavin.confirm("/members/bob@hooli/", page=page, role="owner").status_code == 302
    assert gavin.confirm(page, role="auditor").status_code == 302
    assert "You are its auditor" in text(gavin.get("/"))


def test_an_admin_makes_no_owner_and_touches_none(admin: Visitor, acme: Organisation, fresh_name: str) -> None:
    email = f"{fresh_name}@acme.example"
    assert '<option value="owner"' not in text(admin.get("/members/"))
    shown = text(admin.get("/members/alice@vandelay/"))
    assert "only an owner changes or removes an owner" in shown
    assert "Change role" not in shown
    # Nor are they asked for a code first.
    assert admin.post("/members/", email=email, role="owner").status_code == 403
    for path, fields in (("/members/alice@vandelay/", {"role": "auditor"}), ("/members/alice@vandelay/remove", {})):
        assert admin.post(path, page="/members/", **fields).status_code == 403
    assert admin.confirm("/members/", email=email, role="client").status_code == 200
    assert email not in text(admin.get("/members/"))


def test_charlie_neither_sees_nor_touches_acmes_people(
    alice: Visitor, charlie: Visitor, acme: Organisation, mails: list[Any], fresh_name: str
) -> None:
    from tenants.models import Invitation

    email = f"{fresh_name}@acme.example"
    path = invited(alice, email)
    row = Invitation.objects.get(email=email)
    page = text(charlie.get("/members/"))
    assert email not in page
    assert "alice" not in page
    assert charlie.get("/members/alice@vandelay/").status_code == 404
    for foreign in (f"/invitations/{row.pk}/withdraw", "/members/alice@vandelay/", "/members/alice@vandelay/remove"):
        assert charlie.confirm(foreign, page="/members/", role="auditor").status_code == 404
    assert Visitor().get(path).status_code == 200


def test_who_did_what_is_on_record(alice: Visitor, mails: list[Any], fresh_name: str) -> None:
    invited(alice, f"{fresh_name}@acme.example")
    assert "person:invitation:made" in text(alice.get("/log/portal/"))
