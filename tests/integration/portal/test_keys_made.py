"""Keys that the device makes, asked for over POST imports: by every transport and suite."""

from typing import Any

import msgspec
import pytest

from strongroom.protocol import jws
from strongroom.protocol.statements import Receipt
from tests.support.keys import p256_terms
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer
from tests.support.transports import ROUTES, make_envelope, post_import


def ask(acme: Organisation, customer: Customer, route: tuple[str, str], name: str, **changes: Any) -> Any:
    envelope = make_envelope(acme, customer, route, name, **({"material": b"", "origin": "made"} | changes))
    return post_import(acme, customer, envelope)


@pytest.mark.usefixtures("engine_keys")
@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_a_key_is_made_and_listed_like_an_imported_one(
    acme: Organisation, acme_customer: Customer, fresh_name: str, route: tuple[str, str]
) -> None:
    answer = ask(acme, acme_customer, route, fresh_name)
    assert answer.status_code == 201, answer.text
    receipt = jws.read_unverified(answer.json()["receipt"], Receipt)
    client = acme.as_client()
    key = client.get(f"keys/{fresh_name}").json()
    assert (receipt.origin, key["public_key"], key["minimum_version"]) == ("made", receipt.public_key, 1)
    assert client.post(f"keys/{fresh_name}/sign", json={"payload": "YQ=="}).status_code == 200


def test_a_kept_key_is_a_new_version(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    route = ("channel", "HPKE-XWING")
    terms = p256_terms()
    assert ask(acme, acme_customer, route, fresh_name, terms=terms).status_code == 201
    assert ask(acme, acme_customer, route, fresh_name, version=2, origin="kept", terms=terms).status_code == 201
    versions = acme.as_client().get(f"keys/{fresh_name}/versions").json()
    one, two = (jws.read_unverified(version["receipt"], Receipt) for version in versions)
    assert (one.origin, two.origin, one.public_key == two.public_key) == ("made", "kept", True)


def test_an_import_without_material_is_refused(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    envelope = make_envelope(acme, acme_customer, ("channel", "HPKE-XWING"), fresh_name)
    empty = msgspec.structs.replace(envelope, material=b"")
    assert code_of(post_import(acme, acme_customer, empty)) == "envelope-altered"
