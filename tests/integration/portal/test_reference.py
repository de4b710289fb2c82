"""The page of the API: everything that the description has is on it, for anyone, with the pages' own strict policy."""

import html
import re

import httpx
import pytest

from tests.support.portal import Browser


@pytest.fixture(scope="module")
def page() -> str:
    response: httpx.Response = Browser().get("http://localhost/api/docs/")
    assert response.status_code == 200
    return html.unescape(response.text)


def operation(page: str, anchor: str) -> str:
    found = re.search(rf'<details id="{anchor}">(.*?)</details>', page, re.DOTALL)
    assert found, anchor
    return found[1]


def test_every_operation_of_the_description_is_there_with_what_it_says(page: str) -> None:
    described = Browser().get("http://localhost/api/schema/?format=json").json()
    seen = 0
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            shown = operation(page, one["operationId"])
            assert f">{method.upper()}</b> <code>{path}</code>" in shown
            assert one["summary"] in shown
            for parameter in one.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in shown, (path, parameter["name"])
            seen += 1
    assert seen > 70


def test_what_goes_in_and_out_is_shown_to_the_innermost(page: str) -> None:
    sign = operation(page, "keys_sign")
    for member in ("payload", "parameters.prehashed", "items[].payload", "result", "results[].error.code"):
        assert f"<code>{member}</code>" in sign, member
    # Descriptions are Markdown, with tables.
    assert "<td>ECDSA-SHA256</td>" in sign
    assert "<p>For API clients.</p>" in sign
    assert '"payload": "YSBjb250cmFjdA=="' in sign
    assert "For API clients and owners, admins and operators of the tenant." in operation(page, "imports_create")
    assert "For owners, admins and operators of the tenant." in operation(page, "callbacks_ping_create")
    assert "At most 1024 characters." in operation(page, "login_create")


def test_a_page_of_scripts_of_nobody_elses_needs_no_looser_policy() -> None:
    response = Browser().get("http://localhost/api/docs/")
    policy = response.headers["content-security-policy"]
    assert "'self'" not in re.search(r"script-src[^;]*", policy)[0]  # type: ignore[index]
    assert "data:" not in policy


def test_markdown_brings_no_html_of_its_own() -> None:
    from portal.pages.templatetags.strongroom_pages import markdown

    shown = markdown("<b>x</b> [y](javascript:z) `c`")
    assert shown == "<p>&lt;b&gt;x&lt;/b&gt; [y](javascript:z) <code>c</code></p>\n"
