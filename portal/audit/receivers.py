"""Keeps the events that the portal's packages tell of."""

from typing import Any

from django.dispatch import receiver

from portal.audit.models import PortalEvent
from portal.audit.tags import EventTag
from tenants.models import Tenant
from tenants.signals import event


@receiver(event, dispatch_uid="portal.audit.keep_event")
def keep_event(*, tag: str, tenant: Tenant | None, actor: str, details: dict[str, Any], **_: Any) -> None:
    """Write the event, inside the sender's transaction if it has one. Raises `ValueError` for an unknown tag."""
    PortalEvent.objects.create(tag=EventTag(tag), tenant=tenant, actor=actor, details=details)
