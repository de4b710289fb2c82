"""The portal's pages without a browser: Django's own client on the WSGI stack, with sessions and CSRF checks."""

import re
from typing import Any

from tests.support.otp import fresh_code
from tests.support.portal import PASSWORD


class Visitor:
    """Someone with a browser. Follows no redirects; `path` is where a redirect leads."""

    def __init__(self) -> None:
        from django.test import Client

        self.client = Client(enforce_csrf_checks=True, HTTP_HOST="localhost")

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, page: str = "", **fields: Any) -> Any:
        """Send the form of `page` (else of the same path), with the CSRF token that it holds."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page or path).content.decode())
        return self.client.post(path, {"csrfmiddlewaretoken": token.group(1) if token else "", **fields})

    def log_in(self, username: str, code: str, password: str = PASSWORD, **fields: str) -> Any:
        return self.post("/login/", username=username, password=password, otp_token=code, **fields)


def give_login(user: Any) -> Any:
    """A password and an authenticator for a person; the authenticator."""
    from portal.authenticators.models import Authenticator

    user.set_password(PASSWORD)
    user.save()
    return Authenticator.objects.get_or_create(user=user, name="default")[0]


def visitor(user: Any) -> Visitor:
    """A person who has logged in."""
    who = Visitor()
    response = who.log_in(user.username, fresh_code(give_login(user)))
    assert response.status_code == 302, response.content.decode()
    return who
