"""The first page of the provider's people: what they should look at, and how much there is of what they serve."""

import re
import uuid
from typing import Any

import pytest

from tests.support.officers import Officer
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Organisation
from tests.support.sealed import SealedDevice


@pytest.fixture(scope="module")
def officer(officers: dict[str, Officer]) -> Visitor:
    """A partition officer, logged in."""
    return visitor(officers["partition3"].user)


@pytest.fixture
def opened(officer: Visitor) -> str:
    """The address of a tenant that an officer has opened."""
    slug = f"tenant-{uuid.uuid4().hex[:8]}"
    return str(officer.confirm("/officer/tenants/", name=f"The {slug}", slug=slug)["location"])


def tiles(who: Visitor) -> dict[str, tuple[int, str]]:
    """By what is counted (in the plural) how much there is of it, and where that leads."""
    found = re.findall(r'<a class="tile" href="([^"]+)"><b>(\d+)</b><span>([^<]+)</span>', text(who.get("/officer/")))
    several = {re.sub(r"(tenant|request|action|failure|device)\b", r"\1s", what): int(n) for _, n, what in found}
    return {what: (n, where) for (what, n), (where, _, _) in zip(several.items(), found, strict=True)}


def attention(who: Visitor) -> list[tuple[str, str, str, str]]:
    """Where each notice leads, of what it is, in which state that is, and why that is said."""
    row = r'<li><a href="([^"]+)">([^<]+)</a> <span class="state \w+">([^<]+)</span> <span class="quiet">([^<]*)<'
    return re.findall(row, text(who.get("/officer/")))


def test_tenants_are_counted_as_they_stand(officer: Visitor, opened: str) -> None:
    def counted() -> list[int]:
        now = tiles(officer)
        return [now[one][0] for one in ("active tenants", "suspended tenants", "tenants whose owner is invited")]

    active, suspended, invited = counted()
    officer.confirm(f"{opened}invite", page=opened, email="olga@customer.example")
    assert counted() == [active, suspended, invited + 1]
    officer.confirm(f"{opened}status", page=opened, status="suspended")
    assert counted() == [active - 1, suspended + 1, invited]


def test_a_tenant_that_nobody_can_come_into_is_told_of_until_somebody_is_invited(officer: Visitor, opened: str) -> None:
    from portal.pages.officer_attention import tenants_now

    def forgotten() -> list[str]:
        return [f"/officer/tenants/{one.slug}/" for one in tenants_now().forgotten]

    assert opened in forgotten()
    told = {where for where, _, state, why in attention(officer) if state == "without people" and why}
    assert told
    assert told <= set(forgotten())
    officer.confirm(f"{opened}invite", page=opened, email="olga@customer.example")
    assert opened not in forgotten()


def test_an_action_is_told_of_to_those_whose_answer_counts(
    officer: Visitor, officers: dict[str, Officer], acme: Organisation, action: dict[str, Any]
) -> None:
    waits = ("/officer/actions/", "Your answer counts, and is not given.")
    for who, told in (
        (officer, True),
        (visitor(officers["security1"].user), False),
        (as_role(acme.tenant, "support"), False),
    ):
        assert (waits in [(where, why) for where, _, _, why in attention(who)]) == told
        assert tiles(who)["open actions"][0] > 0


def test_a_partition_that_is_asked_for_is_told_of_until_an_action_is_made_of_it(
    officer: Visitor, officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    what = f"acme, {asked['label']}"
    requests = tiles(officer)["partition requests"]
    assert requests[0] > 0
    shown = [one for one in attention(officer) if one[0] == requests[1]]
    assert what in [name for _, name, _, _ in shown] or len(shown) > 5
    assert officers["partition1"].open(device.world, asked).status_code == 201
    assert what not in [name for _, name, _, _ in attention(officer)]


def test_a_device_that_does_not_answer_is_out_of_service(officer: Visitor, device: SealedDevice) -> None:
    def in_and_out() -> list[int]:
        now = tiles(officer)
        return [now["devices in service"][0], now["devices out of service"][0]]

    assert in_and_out() == [1, 0]
    device.stop()
    try:
        assert in_and_out() == [0, 1]
        assert "It does not answer this portal: no key of it can be used." in [why for *_, why in attention(officer)]
    finally:
        device.start()
        device.unseal()


@pytest.mark.parametrize(("role", "opens", "cards"), [("partition", 1, 1), ("domain", 0, 1), ("support", 0, 0)])
def test_what_somebody_may_not_do_is_not_offered(acme: Organisation, role: str, opens: int, cards: int) -> None:
    who = as_role(acme.tenant, role)
    page = text(who.get("/officer/"))
    assert page.count('href="/officer/tenants/#open"') == opens
    assert page.count('href="/officer/security-keys/"') == cards
    assert text(who.get("/officer/tenants/")).count('id="open"') == opens
    for _, where in tiles(who).values():
        assert who.get(where).status_code == 200
