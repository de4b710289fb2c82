"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that changes something is done once.

What is kept for 24 hours: that a caller has used a key, a fingerprint of the request, and the answer of a success. Key
and request are kept as HMACs alone, the request's under the key too: neither can be guessed from the database. An
answer that shows a secret once is not kept. A refused request has changed nothing and leaves nothing behind.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone
from django.utils.crypto import salted_hmac

from strongroom.protocol.errors import Refused
from tenants.models import IdempotentRequest, Tenant
from tenants.scoping import tenant_scope

KEPT = timedelta(hours=24)
LONGEST_KEY = 255


@dataclass(frozen=True)
class Answer:
    """A success, as it is sent: its JSON and where the new thing is."""

    status: int
    body: str
    location: str


@dataclass(frozen=True)
class Claim:
    """The caller is the one who carries this request out, and says here what came of it."""

    tenant: Tenant
    row: int

    def keep(self, answer: Answer, *, secret: bool) -> None:
        """`secret`: the body is shown once, and not kept."""
        with tenant_scope(self.tenant):
            IdempotentRequest.objects.filter(pk=self.row).update(
                status=answer.status, body="" if secret else answer.body, location=answer.location, secret=secret
            )

    def release(self) -> None:
        """Nothing was done: the key may be used again."""
        with tenant_scope(self.tenant):
            IdempotentRequest.objects.filter(pk=self.row).delete()


def claim(*, tenant: Tenant, principal: str, key: str, request: bytes) -> Claim | Answer:
    """The right to carry `request` out, or the answer that it got before.

    Raises `Refused`: `malformed` for a key of no use; `idempotency-mismatch` where it was used for another request,
    `idempotency-in-progress`, `idempotency-secret` where the answer is not kept.
    """
    key = key.strip()
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Refused("malformed", f"an Idempotency-Key has 1 to {LONGEST_KEY} printable characters")
    named = salted_hmac("strongroom.idempotency-key", key, algorithm="sha256").hexdigest()
    fingerprint = salted_hmac(f"strongroom.idempotent-request:{key}", request, algorithm="sha256").hexdigest()
    of_caller = {"tenant": tenant, "principal": principal, "key": named}
    try:
        with tenant_scope(tenant):
            IdempotentRequest.objects.filter(**of_caller, created__lt=timezone.now() - KEPT).delete()
            row = IdempotentRequest.objects.create(**of_caller, fingerprint=fingerprint)
        return Claim(tenant, row.pk)
    except IntegrityError:
        with tenant_scope(tenant):
            used = IdempotentRequest.objects.filter(**of_caller).first()
    if used is None:  # refused, and so released, at this very moment
        raise Refused("idempotency-in-progress")
    if used.fingerprint != fingerprint:
        raise Refused("idempotency-mismatch")
    if used.status is None:
        raise Refused("idempotency-in-progress")
    if used.secret:
        raise Refused("idempotency-secret")
    return Answer(used.status, used.body, used.location)


def forget_old() -> None:
    """Delete what is older than 24 hours, of all tenants."""
    IdempotentRequest.objects.using("provider").filter(created__lt=timezone.now() - KEPT).delete()
