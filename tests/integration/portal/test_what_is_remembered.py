"""What a web process remembers of keys: a new key takes only its own name from it."""

import base64
import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.keys import import_p256
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer

BODY = {"payload": base64.b64encode(b"a contract").decode()}
SOON = 0.5
"""Seconds: within what an unknown name is taken for unknown anyway (`UNKNOWN_SECONDS`)."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names and ids for which the process asks the database."""
    from portal.dataplane.directory import Directory

    found: list[str] = []
    load = Directory._load_key

    def noted(self: Directory, tenant: int, reference: str) -> Any:
        found.append(reference)
        return load(self, tenant, reference)

    monkeypatch.setattr(Directory, "_load_key", noted)
    return found


@pytest.fixture
def client(acme: Organisation, acme_customer: Customer, fresh_name: str, asked: list[str]) -> Browser:
    """Acme's API client, whose key `fresh_name` is remembered."""
    import_p256(acme, acme_customer, fresh_name)
    client = acme.as_client()
    until_it_is(client, fresh_name, "", 5)
    wait_until_remembered(client, fresh_name, asked)
    return client


def sign(client: Browser, name: str) -> str:
    """The code of the refusal, or empty."""
    response = client.post(f"keys/{name}/sign", json=BODY)
    return "" if response.status_code == 200 else code_of(response)


def until_it_is(client: Browser, name: str, wanted: str, seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while (answer := sign(client, name)) != wanted:
        assert time.monotonic() < deadline, f"{answer!r}, not {wanted!r}, after {seconds} s"
        time.sleep(0.02)


def wait_until_remembered(client: Browser, name: str, asked: list[str]) -> None:
    """The process listens by then, and notices of what was done before have come."""
    deadline = time.monotonic() + 10
    while True:
        asked.clear()
        assert [sign(client, name) for _ in range(3)] == [""] * 3
        time.sleep(0.3)
        if not asked:
            return
        assert time.monotonic() < deadline


def test_a_new_key_is_known_at_once_and_no_other_is_asked_for_again(
    client: Browser, acme: Organisation, acme_customer: Customer, fresh_name: str, asked: list[str]
) -> None:
    new = f"{fresh_name}-new"
    assert sign(client, new) == "not-found"
    import_p256(acme, acme_customer, new)
    until_it_is(client, new, "")
    assert sign(client, fresh_name) == ""
    assert fresh_name not in asked


@pytest.fixture
def elsewhere(acme: Organisation, client: Browser, fresh_name: str) -> Iterator[Any]:
    """What makes a key of the same name in another partition of Acme's."""
    from tee.models import Key
    from tenants.scoping import tenant_scope

    made: list[Any] = []

    def make() -> None:
        with tenant_scope(acme.tenant):
            key = Key.objects.get(name=fresh_name)
            partition, key = copy.copy(key.partition), copy.copy(key)
            partition.pk, partition.partition_id = None, f"pt_of_{fresh_name}"
            partition.request = f"req_of_{fresh_name}"
            partition.save(force_insert=True)
            key.pk, key.key_id, key.partition = None, f"key_of_{fresh_name}", partition
            key.save(force_insert=True)
            made.extend((key, partition))

    yield make
    with tenant_scope(acme.tenant):
        for row in made:
            row._meta.model.objects.filter(pk=row.pk)._raw_delete("default")


def test_a_name_that_a_second_partition_has_too_is_ambiguous_at_once(
    client: Browser, fresh_name: str, elsewhere: Any
) -> None:
    assert sign(client, fresh_name) == ""
    elsewhere()
    until_it_is(client, fresh_name, "conflict")


def test_many_keys_in_one_statement_end_all_that_is_remembered(
    client: Browser, acme: Organisation, fresh_name: str, asked: list[str]
) -> None:
    """One notice instead of very many: what it is for is a restored database."""
    from tee.models import Key
    from tenants.scoping import tenant_scope

    with tenant_scope(acme.tenant):
        row = Key.objects.get(name=fresh_name)
        rows = [copy.copy(row) for _ in range(101)]
        for n, one in enumerate(rows):
            one.pk, one.key_id, one.name = None, f"key_{fresh_name}_{n}", f"{fresh_name}-many"
        Key.objects.bulk_create(rows)
    try:
        deadline = time.monotonic() + SOON
        while fresh_name not in asked:
            assert sign(client, fresh_name) == ""
            assert time.monotonic() < deadline
    finally:
        with tenant_scope(acme.tenant):
            Key.objects.filter(name=f"{fresh_name}-many").delete()


def test_what_is_loaded_while_its_key_arrives_is_used_once_and_not_kept() -> None:
    from portal.dataplane.changes import Changes
    from portal.dataplane.directory import Memory

    changes = Changes("", added=lambda _: None)
    changes._last_beat = float("inf")
    memory: Memory[str] = Memory(changes)

    def load_as_it_changes() -> str:
        memory.forget("name")
        return "as it was before"

    assert memory.get("name", load_as_it_changes) == "as it was before"
    assert memory.get("name", lambda: "as it is") == "as it is"
    assert memory.get("name", lambda: "never asked") == "as it is"
    memory.forget("another")
    assert memory.get("name", lambda: "never asked") == "as it is"
