"""Which role may see which page and do what there: the table of `portal.pages.roles`, tried out page by page."""

import runpy
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver

from stack.layout import PROJECT
from strongroom.protocol.credentials import public_credential
from tests.support.keys import import_p256
from tests.support.officers import Officer
from tests.support.pages import Visitor, as_role
from tests.support.portal import Organisation
from tests.support.sealed import Customer

CUSTOMER = ("owner", "admin", "operator", "auditor")
PROVIDER = ("domain", "security", "partition", "support")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OUTSIDE = {"healthz", "readyz", "metrics", "schema", "docs"}
"""What is for everyone, or asks for a token itself (tests/integration/portal/test_who_may.py)."""


@pytest.fixture(scope="module")
def readers(acme: Organisation, officers: dict[str, Officer]) -> dict[str, Visitor]:
    """Someone of each role, logged in; customers' are Acme's."""
    return {role: as_role(acme.tenant, role) for role in (*CUSTOMER, *PROVIDER)}


@pytest.fixture
def parts(
    acme: Organisation, acme_customer: Customer, officers: dict[str, Officer], asked: dict[str, Any], action: Any
) -> Callable[[str], dict[str, Any]]:
    """What stands in the address of a page: something of Acme's that there is, and that nothing else needs."""
    from portal.callbacks import services as callbacks
    from tenants import members, services
    from tenants.models import Membership, User

    key = import_p256(acme, acme_customer, f"role-{asked['label']}")["key_id"]
    client = services.create_client(tenant=acme.tenant, name=f"role-{asked['label']}", actor="test").client_id
    token, _ = services.create_token(tenant=acme.tenant, client_id=client, days=1, actor="test")
    invited, _ = members.invite(
        tenant=acme.tenant, email=f"{asked['label']}@acme.example", role="auditor", actor="test", by=None
    )
    callback, _ = callbacks.create_callback(
        tenant=acme.tenant, url=f"http://127.0.0.1:9/{asked['label']}", every=False, actor="test"
    )
    delivery = callbacks.ping(tenant=acme.tenant, callback_id=callback.callback_id)
    of_callback = {"callback_id": callback.callback_id}
    leaving = User.objects.create_user(f"leaving-{asked['label']}")
    Membership.objects.create(user=leaving, tenant=acme.tenant, role="auditor")
    known: dict[str, dict[str, Any]] = {
        **{one: {"reference": key} for one in ("key", "key-receipt", "key-evidence", "key-public", "key-check")},
        **{
            one: {"reference": acme_customer.partition}
            for one in ("partition", "partition-access", "partition-access-sign", "partition-editors")
        },
        "client": {"client_id": client},
        "client-remove": {"client_id": client},
        "client-limits": {"client_id": client},
        "token-rotate": {"client_id": client, "token_key": token.token_key},
        "token-revoke": {"client_id": client, "token_key": token.token_key},
        "device-remove": {"fingerprint": public_credential(acme_customer.owner).fingerprint},
        "member": {"username": leaving.username},
        "member-remove": {"username": leaving.username},
        "invitation-withdraw": {"invitation": invited.pk},
        **dict.fromkeys(("callback", "callback-secret", "callback-ping", "callback-remove"), of_callback),
        "delivery-again": {**of_callback, "delivery_id": delivery.delivery_id},
        "officer-tenant": {"slug": "acme"},
        "officer-tenant-status": {"slug": "acme"},
        "officer-tenant-invite": {"slug": "acme"},
        "officer-action": {"action_id": action["id"]},
        "officer-approve": {"action_id": action["id"]},
    }

    def of(name: str) -> dict[str, Any]:
        return known.get(name) or {one: 999_999 if one.endswith("_id") else "nothing" for one in converters(name)}

    return of


def converters(name: str) -> list[str]:
    from portal.pages.urls import urlpatterns

    return [one for pattern in urlpatterns if pattern.name == name for one in pattern.pattern.converters]


def address(name: str, parts: dict[str, Any]) -> str:
    from django.urls import reverse

    return reverse(f"pages:{name}", kwargs=parts)


def send(who: Visitor, method: str, path: str) -> Any:
    """A request without what a form of the page would hold, but for its CSRF token."""
    return getattr(who.client, method.lower())(path, HTTP_X_CSRFTOKEN=who.client.cookies["csrftoken"].value)


def test_no_page_is_outside_the_table() -> None:
    from portal.pages.roles import BEFORE_A_ROLE, PAGES
    from portal.urls import urlpatterns

    seen = set()
    for one in urlpatterns:
        if isinstance(one, URLPattern):
            assert str(one.pattern).strip("/").rpartition("/")[2] in OUTSIDE
        elif str(one.pattern) != "api/v1/":
            assert isinstance(one, URLResolver)
            assert one.app_name == "pages"
            seen |= {page.name for page in one.url_patterns}
    assert seen == set(PAGES) | set(BEFORE_A_ROLE)


def test_a_page_that_nobody_declared_stops_the_portal_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.checks import run_checks

    from portal.pages import roles

    monkeypatch.setattr(roles, "PAGES", {name: rule for name, rule in roles.PAGES.items() if name != "log"})
    assert [one.id for one in run_checks() if "'log'" in one.msg] == ["pages.E001"]


@pytest.mark.parametrize("role", [*CUSTOMER, *PROVIDER])
def test_each_role_may_what_the_table_says_and_nothing_else(
    readers: dict[str, Visitor], parts: Callable[[str], dict[str, Any]], role: str
) -> None:
    from portal.pages.roles import PAGES

    who = readers[role]
    for name, rule in PAGES.items():
        path = address(name, parts(name))
        side = CUSTOMER if role in CUSTOMER else PROVIDER
        for method in METHODS:
            response = send(who, method, path)
            what = f"{role}: {method} {path} is {response.status_code}"
            if not set(side) & (rule.read | rule.change):
                assert response.status_code == 404, what
            elif method not in rule.methods:
                assert response.status_code == 405, what
            elif role not in rule.roles(method):
                assert response.status_code == 403, what
                assert "Your role does not allow this" in response.content.decode(), what
            elif method == "GET" and name in ("overview",) and role in PROVIDER:
                assert response["location"] == "/officer/", what
            elif method == "GET" and "nothing" not in path:
                assert response.status_code == 200, what
                said = response.headers.get("Content-Disposition", "")
                assert said.startswith("attachment") == rule.download, f"{what}, {said or 'a page'}"
            else:
                assert "Your role does not allow this" not in response.content.decode(), what
                assert response.status_code in (200, 302, 400, 404), what


def test_an_operator_does_the_days_work_and_nothing_with_people_tokens_secrets_or_removals() -> None:
    from portal.pages.roles import changes_of, reads_of

    assert changes_of("operator") - changes_of("auditor") == {
        "key", "key-check", "job-cancel", "callback-ping", "delivery-again",
    }  # fmt: skip
    assert reads_of("operator") - reads_of("auditor") == {"import"}


def test_what_is_acmes_does_not_exist_for_charlie(globex: Organisation, parts: Callable[[str], dict[str, Any]]) -> None:
    """In the highest of roles, page by page and method by method, wherever an address names something."""
    from portal.pages.roles import CUSTOMER as ROLES_OF_CUSTOMERS
    from portal.pages.roles import PAGES

    charlie = as_role(globex.tenant, "owner")
    tried = 0
    for name, rule in PAGES.items():
        if not converters(name) or not ROLES_OF_CUSTOMERS & (rule.read | rule.change):
            continue
        for method in ("GET", "POST"):
            if method in rule.methods:
                assert send(charlie, method, address(name, parts(name))).status_code == 404, name
                tried += 1
    assert tried >= 6


def test_nobody_gets_anywhere_without_a_login(parts: Callable[[str], dict[str, Any]]) -> None:
    from portal.pages.roles import PAGES

    for name in PAGES:
        path = address(name, parts(name))
        assert Visitor().get(path)["location"].startswith("/login/"), path
        assert Visitor().client.post(path).status_code == 403, path


@pytest.mark.parametrize("role", [*CUSTOMER, *PROVIDER])
def test_the_navigation_leads_only_where_the_role_may_go(readers: dict[str, Visitor], role: str) -> None:
    import re

    who = readers[role]
    page = who.get("/officer/" if role in PROVIDER else "/").content.decode()
    navigation = re.search(r"<nav.*?</nav>", page, re.DOTALL)
    assert navigation is not None
    links = re.findall(r'href="([^"]+)"', navigation.group())
    assert len(links) > 4
    assert [who.get(link).status_code for link in links] == [200] * len(links)


def test_the_page_in_the_documentation_is_as_the_table_makes_it() -> None:
    script = runpy.run_path(str(PROJECT / "docs/write_roles.py"))
    assert (PROJECT / "docs/roles.md").read_text() == script["page"](), "run docs/write_roles.py"
