"""The portal's pages without a browser: Django's own client on the WSGI stack, with sessions and CSRF checks."""

import html
import re
import secrets
from typing import Any

from tests.support.otp import fresh_code
from tests.support.portal import PASSWORD


class Visitor:
    """Someone with a browser, who follows no redirects; once logged in, with an authenticator."""

    authenticator: Any = None

    def __init__(self) -> None:
        from django.test import Client

        # Everyone comes from an address of their own: nobody waits for others' failures.
        address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        self.client = Client(enforce_csrf_checks=True, HTTP_HOST="localhost", REMOTE_ADDR=address)

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, page: str = "", **fields: Any) -> Any:
        """Send the form of `page` (else of the same path), with the CSRF token that it holds."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page or path).content.decode())
        return self.client.post(path, {"csrfmiddlewaretoken": token.group(1) if token else "", **fields})

    def ask(self, path: str, page: str = "", **fields: Any) -> Any:
        """As `post`, of what asks for a fresh one-time code: the page of the question."""
        where = self.post(path, page=page, **fields)
        assert (where.status_code, where["location"]) == (302, "/confirm/"), where.content.decode()
        return self.get("/confirm/")

    def confirm(self, path: str, page: str = "", **fields: Any) -> Any:
        """As `post`, with a fresh one-time code."""
        return self.post(path, page=page, fresh_code=fresh_code(self.authenticator), **fields)

    def log_in(self, username: str, code: str, password: str = PASSWORD, **fields: str) -> Any:
        return self.post("/login/", username=username, password=password, otp_token=code, **fields)


def as_role(tenant: Any, role: str) -> Visitor:
    """Someone of this role, logged in: of `tenant`, or of the provider where the role is one of its own."""
    from portal.pages.roles import CUSTOMER, SUPPORT
    from portal.quorum.models import OfficerProfile, SupportProfile
    from tenants.models import Membership, User

    user, _ = User.objects.get_or_create(username=f"{role} of {tenant.slug if role in CUSTOMER else 'the provider'}")
    if role in CUSTOMER:
        Membership.objects.get_or_create(user=user, defaults={"tenant": tenant, "role": role})
    elif role == SUPPORT:
        SupportProfile.objects.using("provider").get_or_create(user_id=user.pk)
    else:
        # Active, although no card is enrolled: the next change of officers ends that.
        OfficerProfile.objects.using("provider").update_or_create(
            user_id=user.pk, defaults={"officer_class": role, "name": f"officer of {role}", "active": True}
        )
    return visitor(user)


def give_login(user: Any) -> Any:
    """A password and an authenticator for a person; the authenticator."""
    from portal.authenticators.models import Authenticator

    user.set_password(PASSWORD)
    user.save()
    return Authenticator.objects.get_or_create(user=user, name="default")[0]


def visitor(user: Any) -> Visitor:
    """A person who has logged in."""
    who = Visitor()
    who.authenticator = give_login(user)
    response = who.log_in(user.username, fresh_code(who.authenticator))
    assert response.status_code == 302, response.content.decode()
    return who


def text(response: Any) -> str:
    """The page that is shown, which it must be, with its characters as people read them."""
    assert response.status_code == 200, response.status_code
    return html.unescape(response.content.decode().replace("<wbr>", ""))
