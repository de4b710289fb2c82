"""Events for the audit trail. This package tells; `portal.audit`, which it may not import, listens and keeps them."""

from typing import Any

from django.dispatch import Signal

from tenants.models import Tenant

event = Signal()
"""Sent with `tag` (`source:subject:action`), `tenant` (or None), `actor` (a user name) and `details` (plain values)."""


def emit(*, tag: str, tenant: Tenant | None, actor: str, **details: Any) -> None:
    """Tell that something happened. `details` never hold secrets."""
    event.send(sender=None, tag=tag, tenant=tenant, actor=actor, details=details)
