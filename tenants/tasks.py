"""Work of this package that may wait."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone
from knox.models import AuthToken

from tenants import idempotency

KEPT_AFTER_EXPIRY = timedelta(days=30)
"""So long a token's user is told that it has expired, rather than that it is unknown."""


@shared_task
def forget_expired_tokens() -> None:
    AuthToken.objects.filter(expiry__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()


@shared_task
def forget_idempotent_requests() -> None:
    idempotency.forget_old()
