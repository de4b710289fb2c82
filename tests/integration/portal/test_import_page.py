"""The page that imports a key, as the portal serves it; what it does stands in tests/browser."""

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import override_settings

from tests.support.keys import import_p256
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Organisation, make_organisation
from tests.support.sealed import Customer

PATH = "/keys/import/"


@pytest.fixture
def alice(acme: Organisation, acme_customer: Customer) -> Visitor:
    return visitor(acme.owner)


@pytest.mark.needs("npm")
def test_every_module_of_the_import_map_is_served_from_here(alice: Visitor) -> None:
    page = text(alice.get(PATH))
    found = re.search(r'<script type="importmap" nonce="[^"]+">(.*?)</script>', page)
    assert found is not None
    imports = json.loads(found[1])["imports"]
    assert {"@hpke/core", "@hpke/hybridkem-x-wing"} < set(imports)
    for path in [*imports.values(), "/static/portal/importing/page.js"]:
        response = alice.get(path)
        assert response.status_code == 200, path
        assert response["content-type"].startswith("text/javascript")


def test_where_npm_installed_nothing_the_page_says_so_and_offers_the_command(alice: Visitor) -> None:
    finders.get_finder.cache_clear()
    try:
        with override_settings(STATICFILES_DIRS=[]):
            page = text(alice.get(PATH))
    finally:
        finders.get_finder.cache_clear()
    assert "Import in the browser is not installed here" in page
    assert "npm ci" in page
    assert "strongroom import KEY.pem" in page
    assert "strongroom keys make" in page
    assert "importing/page.js" not in page


def test_without_a_partition_the_page_says_what_comes_first(fresh_name: str) -> None:
    page = text(visitor(make_organisation(fresh_name, f"alice@{fresh_name}").owner).get(PATH))
    assert "You need a partition first" in page
    assert "importing/page.js" not in page


def test_the_list_of_keys_leads_those_here_who_may_import(alice: Visitor, acme: Organisation) -> None:
    assert f'href="{PATH}"' in text(alice.get("/keys/"))
    assert f'href="{PATH}"' not in text(visitor(acme.auditor).get("/keys/"))


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_p256(acme, acme_customer, "to-be-renewed")


@pytest.mark.needs("npm")
def test_a_keys_page_leads_here_and_the_form_is_filled_in_for_its_next_version(
    alice: Visitor, key: dict[str, Any]
) -> None:
    there = f"{PATH}?version-of={key['key_id']}"
    assert f'href="{there}"' in text(alice.get(f"/keys/{key['key_id']}/"))
    page = text(alice.get(there))
    assert "Import or make a new version of to-be-renewed" in page
    assert "strongroom import KEY.pem --name to-be-renewed --new-version" in page
    filled = re.search(r'<input id="key-name"[^>]*>', page)
    assert filled is not None
    assert f'value="to-be-renewed" data-name="to-be-renewed" data-key="{key["key_id"]}"' in filled.group()
    assert re.search(r'<input type="checkbox" id="new-version"[^>]* checked>', page)


def test_who_may_not_import_is_led_to_the_command_alone(acme: Organisation, key: dict[str, Any]) -> None:
    page = text(as_role(acme.tenant, "auditor").get(f"/keys/{key['key_id']}/"))
    assert "strongroom import KEY.pem --name to-be-renewed --new-version --usage sign</code>" in page
    assert PATH not in page
    assert as_role(acme.tenant, "auditor").get(f"{PATH}?version-of={key['key_id']}").status_code == 403


def test_bob_who_operates_imports_a_new_version(acme: Organisation, key: dict[str, Any]) -> None:
    bob = as_role(acme.tenant, "operator")
    there = f"{PATH}?version-of={key['key_id']}"
    assert f'href="{there}"' in text(bob.get(f"/keys/{key['key_id']}/"))
    assert bob.get(there).status_code == 200


def test_of_charlies_key_there_is_no_version_to_import(globex: Organisation, key: dict[str, Any]) -> None:
    charlie = visitor(globex.owner)
    for reference in (key["key_id"], "to-be-renewed", "key_nothing", "\x00"):
        assert charlie.get(f"{PATH}?version-of={reference}").status_code == 404
