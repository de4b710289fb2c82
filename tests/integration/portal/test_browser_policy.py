"""What answers tell the browser: no script runs that does not carry the answer's nonce, and none is written inline."""

import re
from typing import Any

import pytest

from tests.support.officers import Officer
from tests.support.pages import Visitor, visitor
from tests.support.portal import Organisation
from tests.support.sealed import Customer

STRICT = {
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
DATA = ("importmap", "application/json")
"""What an element `script` may hold itself, beside the nonce."""


def check(response: Any) -> str:
    """Asserts that an answer has the policy and keeps to it; its nonce, empty where it runs no script."""
    policy = {one.strip() for one in response["content-security-policy"].split(";")}
    (scripts,) = policy - STRICT
    assert policy > STRICT
    nonce = re.fullmatch(r"script-src(?: 'nonce-([\w+/=]{22,})')?", scripts)
    assert nonce is not None, scripts
    assert response["x-frame-options"] == "DENY"
    assert response["x-content-type-options"] == "nosniff"
    assert response["referrer-policy"] == "same-origin"
    assert response["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in response
    assert response["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in response["permissions-policy"]
    if response["content-type"].startswith("text/html"):
        body = response.content.decode()
        assert not re.search(r"<style|<[^>]+\s(style|on\w+)=|href=\"javascript:", body)
        for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", body, re.DOTALL):
            assert f'nonce="{nonce.group(1)}"' in attributes
            assert not content.strip() or any(f'type="{one}"' in attributes for one in DATA)
    return nonce.group(1) or ""


def test_every_page_has_the_strict_policy_and_the_banner(acme: Organisation, officers: dict[str, Officer]) -> None:
    alice, officer = visitor(acme.owner), visitor(officers["partition3"].user)
    customer = ["/", "/keys/", "/partitions/", "/clients/", "/devices/", "/log/", "/nowhere/", "/clients/nothing/"]
    provider = ["", "tenants/", "devices/", "requests/", "actions/", "log/", "security-keys/"]
    pages = [alice.get(path) for path in customer] + [officer.get(f"/officer/{path}") for path in provider]
    for response in [*pages, Visitor().get("/login/")]:
        check(response)
        assert "Development installation" in response.content.decode()


def test_answers_without_a_page_have_it_too(acme_customer: Customer) -> None:
    for path in ("/static/portal/portal.css", "/static/portal/security-key.js", "/api/v1/whoami", "/keys/", "/healthz"):
        assert check(Visitor().get(path)) == ""


def test_each_answer_has_a_nonce_of_its_own(officers: dict[str, Officer]) -> None:
    officer = visitor(officers["partition3"].user)
    nonces = {check(officer.get("/officer/security-keys/")) for _ in range(3)}
    assert len(nonces) == 3
    assert "" not in nonces


@pytest.mark.parametrize("path", ["/login/", "/"])
def test_a_form_that_another_site_made_is_refused(acme: Organisation, path: str) -> None:
    response = visitor(acme.owner).client.post(path, {}, HTTP_ORIGIN="https://elsewhere.example")
    assert response.status_code in (403, 405)
