"""Where a tenant wants to be told of what is done, and each message with what became of it. Tenant tables."""

from django.db import models
from django.utils import timezone

from tenants.models import Tenant


class Callback(models.Model):
    """A registered address. Its secrets rest encrypted (`tee.at_rest`); the previous one signs too for a while.

    `every`: it is told of everything, not only of what names it.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        REMOVED = "removed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    callback_id = models.CharField(max_length=64, unique=True)
    url = models.CharField(max_length=1000)
    every = models.BooleanField(default=False)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.ACTIVE)
    secret = models.BinaryField()
    previous_secret = models.BinaryField(blank=True, default=b"")
    previous_until = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created", "id"]

    def __str__(self) -> str:
        return self.callback_id


class Delivery(models.Model):
    """One message to one address. `body` is what is sent, each time the same; `subject` is what it is about."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        GIVEN_UP = "given-up"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    callback = models.ForeignKey(Callback, on_delete=models.CASCADE, related_name="deliveries")
    delivery_id = models.CharField(max_length=64, unique=True)
    event = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)
    body = models.TextField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, default="")
    next_try = models.DateTimeField(null=True, blank=True, default=timezone.now)
    created = models.DateTimeField(default=timezone.now, editable=False)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created", "-id"]
        indexes = [
            models.Index(fields=["next_try"], condition=models.Q(status="pending"), name="deliveries_to_make"),
            models.Index(fields=["callback", "created"], name="deliveries_of_a_callback"),
        ]

    def __str__(self) -> str:
        return self.delivery_id
