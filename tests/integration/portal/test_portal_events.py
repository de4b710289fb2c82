"""The portal's own events: all are kept under a known tag, each tenant sees its own, and nobody changes them."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.officers import Officer
from tests.support.portal import Organisation

ROOT = Path(__file__).resolve().parents[3]


def events(tenant: Any) -> list[Any]:
    from portal.audit import selectors

    return selectors.events(tenant=tenant, limit=1000)


def test_every_event_that_the_code_tells_of_has_a_tag() -> None:
    from portal.audit.tags import EventTag

    told = set()
    for folder in ("tenants", "tee", "portal"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "tags.py":
                told |= set(re.findall(r'"([a-z]+:[a-z-]+:[a-z-]+)"', path.read_text()))
    assert len(told) > 10
    assert told == {tag.value for tag in EventTag}


def test_an_unknown_tag_cannot_be_kept(acme: Organisation) -> None:
    from tenants.signals import emit

    with pytest.raises(ValueError, match="person:something:else"):
        emit(tag="person:something:else", tenant=acme.tenant, actor="alice")


def test_what_alice_does_is_on_record(acme: Organisation, fresh_name: str) -> None:
    made = acme.as_owner().post("clients", json={"name": fresh_name}).json()
    event = next(one for one in events(acme.tenant) if one.details.get("client") == made["id"])
    assert (event.tag, event.actor) == ("person:client:created", "alice")


def test_charlie_sees_nothing_of_it(acme: Organisation, globex: Organisation) -> None:
    assert events(acme.tenant)
    assert {one.tenant_id for one in events(globex.tenant)} <= {globex.tenant.pk}


def test_a_token_is_on_record_without_its_text(acme: Organisation) -> None:
    made = acme.as_owner().post(f"clients/{acme.client_id}/tokens", json={}).json()
    event = next(one for one in events(acme.tenant) if one.tag == "person:token:created")
    assert event.details["token_key"] == made["token_key"]
    assert made["token"] not in str(event.details)


def test_approvals_are_on_record_with_who_gave_them(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    from portal.audit.selectors import events_of_provider

    officers["partition2"].approve(action)
    event = next(one for one in events_of_provider() if one.tag == "officer:approval:given")
    assert (event.actor, event.details["digest"]) == ("partition2", action["digest"])


def test_the_application_can_note_an_event_and_neither_change_nor_remove_one(acme: Organisation) -> None:
    from django.conf import settings

    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as app:
        for change in ("UPDATE audit_portalevent SET actor = 'mallory'", "DELETE FROM audit_portalevent"):
            with app.transaction():
                app.execute("SELECT set_config('app.tenant', %s, true)", [str(acme.tenant.pk)])
                assert app.execute("SELECT count(*) FROM audit_portalevent").fetchone() != (0,)
                try:
                    with app.transaction():
                        assert app.execute(change).rowcount == 0
                except psycopg.errors.InsufficientPrivilege:
                    continue
    assert "mallory" not in {one.actor for one in events(acme.tenant)}
