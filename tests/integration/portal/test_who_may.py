"""Who may call what: every method of every view, with no token, and with a token of every role."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver

from tests.support.portal import Browser, Organisation, code_of, token_for

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PUBLIC = {("GET", "trust"), ("POST", "validation"), ("POST", "login")}
DATA_PLANE = "keys/<str:reference>/sign"
"""Each operation has a path of its own; what is no operation for now is answered before Django is reached."""


def views() -> Iterator[tuple[str, type]]:
    """(path pattern, view class) of everything under /api/v1/."""

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, type]]:
        for one in patterns:
            path = prefix + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, path)
            else:
                yield path, one.callback.view_class

    from portal.api.urls import urlpatterns

    return walk(urlpatterns, "")


def filled(pattern: str) -> str:
    """A path of the pattern that names nothing that exists."""
    return "/".join(
        "999999" if part.startswith("<int:") else "nothing" if "<" in part else part for part in pattern.split("/")
    )


def as_role(organisation: Organisation, role: str) -> Browser:
    from tenants.models import Membership, User

    if role == "client":
        return organisation.as_client()
    if role == "officer":
        return Browser(token_for(officer()))
    user, _ = User.objects.get_or_create(username=f"role-{role}")
    Membership.objects.get_or_create(user=user, defaults={"tenant": organisation.tenant, "role": role})
    return Browser(token_for(user))


def officer() -> object:
    from portal.quorum.models import OfficerProfile
    from tenants.models import User

    user, _ = User.objects.get_or_create(username="role-officer")
    OfficerProfile.objects.using("provider").update_or_create(
        user_id=user.pk, defaults={"officer_class": "partition", "name": "role-officer", "active": True}
    )
    return user


def test_there_are_views() -> None:
    paths = {path for path, _ in views()}
    assert {"trust", "imports", "officer/actions", "keys/<str:reference>", "clients"} <= paths


def test_nothing_but_what_is_public_answers_without_a_token() -> None:
    browser = Browser()
    for pattern, view in views():
        for method in METHODS:
            if (method, pattern) in PUBLIC:
                continue
            response = browser.request(method, filled(pattern), json={})
            expected = {"unauthenticated"} if not _is_public(pattern) else {"method-not-allowed"}
            assert code_of(response) in expected, f"{method} {pattern} of {view}"


@pytest.mark.parametrize("role", ["owner", "admin", "operator", "auditor", "client", "officer"])
def test_each_role_may_what_is_declared_and_nothing_else(acme: Organisation, role: str) -> None:
    browser = as_role(acme, role)
    for pattern, view in views():
        if pattern.startswith("officer/"):
            # One rule for all of these: an officer's profile (portal.quorum.permissions).
            if role != "officer":
                assert code_of(browser.get(filled(pattern))) == "forbidden", pattern
            continue
        if _is_public(pattern) or pattern in ("logout", DATA_PLANE):
            continue
        for method in METHODS:
            response = browser.request(method, filled(pattern), json={})
            what = f"{role}: {method} {pattern}"
            if method not in view.allowed:
                assert code_of(response) == "method-not-allowed", what
            elif view.allowed[method] is None or role in view.allowed[method]:
                assert response.status_code in (200, 201, 204, 400, 404), what
            else:
                assert code_of(response) == "forbidden", what


def test_what_the_contract_says_of_admins_is_declared() -> None:
    """docs/spec/rest.md: what changes clients and partition requests, or takes a device away, is an admin's."""
    declared = {
        (method, pattern): roles for pattern, view in views() for method, roles in getattr(view, "allowed", {}).items()
    }
    for key in (
        ("DELETE", "devices/<str:fingerprint>"),
        ("POST", "clients"),
        ("DELETE", "clients/<str:client_id>"),
        ("POST", "clients/<str:client_id>/tokens"),
        ("DELETE", "clients/<str:client_id>/tokens/<str:token_key>"),
        ("POST", "partitions"),
    ):
        assert declared[key] == {"owner", "admin"}, key
    assert declared["POST", "devices"] == {"owner", "admin", "operator"}
    assert declared["POST", "imports"] == {"owner", "admin", "operator", "client"}
    assert declared["POST", DATA_PLANE] == {"client"}


def _is_public(pattern: str) -> bool:
    return any(pattern == path for _, path in PUBLIC)
