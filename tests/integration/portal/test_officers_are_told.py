"""Officers are told by mail of what awaits them, of what soon expires, and of how it ended; and by a badge."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from strongroom.protocol.action_table import ChangeOfficers
from tests.support.officers import Officer
from tests.support.pages import visitor
from tests.support.sealed import SealedDevice


@pytest.fixture
def outbox(officers: dict[str, Officer], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Mail in memory; every officer has an address but `partition3`."""
    from django.conf import settings
    from django.core import mail

    from portal.quorum.models import AdminAction, OfficerProfile, Told

    profiles = OfficerProfile.objects.using("provider")
    for name, officer in officers.items():
        profiles.filter(user_id=officer.user.pk).update(email="" if name == "partition3" else f"{name}@example.org")
    AdminAction.objects.using("provider").update(told=Told.SETTLED)
    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []
    yield mail.outbox
    profiles.update(email="")


def tell() -> int:
    from portal.quorum.tasks import tell_officers

    return tell_officers()


def told(outbox: list[Any]) -> set[str]:
    """Who was written to since the last look."""
    found = {address for one in outbox for address in one.to}
    outbox.clear()
    return found


def grow_old(action: dict[str, Any]) -> None:
    """It was opened a week ago, and expires in an hour."""
    from django.utils import timezone

    from portal.quorum.models import AdminAction

    now = timezone.now()
    row = AdminAction.objects.using("provider").filter(pk=action["id"])
    row.update(opened=now - timedelta(days=7), expires=now + timedelta(hours=1))


def test_whoever_can_approve_is_told_once(outbox: list[Any], action: dict[str, Any]) -> None:
    tell()
    mail = next(one for one in outbox if f"action {action['id']} " in one.subject)
    assert "awaits the approval of partition officers" in mail.subject
    assert action["digest"] in mail.body
    assert "define a partition for tenant 'acme'" in mail.body
    # Not the requester, nobody of another class, and nobody without an address.
    assert told(outbox) == {"partition2@example.org"}
    assert tell() == 0
    assert told(outbox) == set()


def test_a_reminder_comes_before_it_expires_to_those_who_have_not_answered(
    outbox: list[Any], action: dict[str, Any], officers: dict[str, Officer]
) -> None:
    tell()
    told(outbox)
    grow_old(action)
    tell()
    assert "still awaits you" in outbox[0].subject
    assert told(outbox) == {"partition2@example.org"}
    assert tell() == 0


def test_who_has_answered_is_not_reminded(
    outbox: list[Any], action: dict[str, Any], officers: dict[str, Officer]
) -> None:
    tell()
    told(outbox)
    officers["partition2"].approve(action)
    grow_old(action)
    tell()
    assert told(outbox) == set()


def test_its_end_is_told_to_the_requester_too(
    outbox: list[Any], action: dict[str, Any], officers: dict[str, Officer]
) -> None:
    officers["partition2"].approve(action)
    officers["partition3"].approve(action)
    tell()
    assert "is executed: pt_" in outbox[0].subject
    assert told(outbox) == {"partition1@example.org", "partition2@example.org"}


def test_a_change_of_officers_is_told_to_all_of_them_with_what_security_cards_need(
    outbox: list[Any], officers: dict[str, Officer], device: SealedDevice
) -> None:
    body = ChangeOfficers(thresholds={"domain": 2, "security": 2, "partition": 2})
    change = officers["domain1"].open_rotation(device.world, body).json()
    for name in ("domain2", "domain3"):
        officers[name].approve(change)
    tell()
    [text] = {one.body for one in outbox if f"action {change['id']} " in one.subject}
    assert "strongroom officer card receive FILE" in text
    assert told(outbox) >= {f"{name}@example.org" for name in officers if name != "partition3"}


def test_mail_that_cannot_be_sent_now_is_sent_later(
    outbox: list[Any], action: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.quorum import notices

    def no_server(*_: Any) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(notices, "send_mail", no_server)
        assert tell() == 0
    assert tell() >= 1
    assert told(outbox) == {"partition2@example.org"}


def test_every_page_says_how_many_actions_await_this_officer(
    action: dict[str, Any], officers: dict[str, Officer], device: SealedDevice
) -> None:
    def badge(name: str) -> int:
        text = visitor(officers[name].user).get("/officer/tenants/").content.decode()
        return int(text.partition('class="badge">')[2].partition("<")[0] or 0)

    before, requesters = badge("partition2"), badge("partition1")
    assert before >= 1
    officers["partition2"].approve(action)
    assert (badge("partition2"), badge("partition1")) == (before - 1, requesters)
