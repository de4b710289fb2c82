"""The database's copy of the TEE's log, and the portal's own events beside it.

The copy is for reading and serving: what proves anything is the chain that a client recomputes from the entries' exact
bytes against a signed checkpoint.
"""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone


class LogEntry(models.Model):
    """One entry exactly as the TEE wrote it. `tenant` is who may read it: nobody, where it belongs to the world.

    `at` to `principal` are read out of `entry`, so that people can look for it.
    """

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    device = models.CharField(max_length=64)
    partition = models.CharField(max_length=64, blank=True)
    lane = models.CharField(max_length=32)
    n = models.BigIntegerField()
    entry = models.BinaryField()
    at = models.DateTimeField()
    event = models.CharField(max_length=64)
    result = models.CharField(max_length=64)
    key = models.CharField(max_length=64, blank=True)
    principal = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partition", "lane", "n", "device"], name="one_entry_at_a_place")
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], name="log_entry_of_tenant"),
            models.Index(fields=["tenant", "key", "id"], name="log_entry_of_key", condition=~Q(key="")),
            # Entries that were copied before the portal knew whose partition it is: normally none (see `copy_log`).
            models.Index(
                fields=["partition"], name="log_entry_without_tenant", condition=Q(tenant=None) & ~Q(partition="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partition or 'world'} {self.lane} {self.n}"


class LaneCursor(models.Model):
    """How far a device's lane has been copied. Whoever copies holds its row's lock, so two never overlap."""

    device = models.CharField(max_length=64)
    lane = models.CharField(max_length=32)
    cursor = models.TextField(default="", blank=True)
    caught_up = models.DateTimeField(null=True, help_text="When the lane was last read to its end.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "lane"], name="one_cursor_for_a_lane")]

    def __str__(self) -> str:
        return f"{self.device} {self.lane}"


class Activity(models.Model):
    """How many entries of a kind the log has of a key in an hour, counted while it is copied.

    `ok`: whether what they tell of was done, or refused.
    """

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    hour = models.DateTimeField()
    key = models.CharField(max_length=64, blank=True)
    event = models.CharField(max_length=64)
    ok = models.BooleanField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "hour", "key", "event", "ok"], name="one_count_of_an_hour")
        ]
        # For what is asked of all tenants together. Rows come in order of time.
        indexes = [BrinIndex(fields=["hour"], name="activity_by_hour")]

    def __str__(self) -> str:
        return f"{self.count} {self.event} at {self.hour}"


class LastUse(models.Model):
    """When the log last had a principal of a tenant's, as it is copied."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    principal = models.CharField(max_length=128)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "principal"], name="one_last_use_of_a_principal")]

    def __str__(self) -> str:
        return f"{self.principal} at {self.at}"


class PortalEvent(models.Model):
    """Something that happened in the portal itself. `actor` is a user name, so that it outlives the user.

    The id is made here and not by the database, so that writing an event needs no right to read one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    time = models.DateTimeField(default=timezone.now, editable=False)
    tag = models.CharField(max_length=64, help_text="An `EventTag`.")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    actor = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-time"]
        indexes = [
            models.Index(fields=["tenant", "-time"], name="event_of_tenant"),
            models.Index(fields=["tag", "time"], name="event_by_tag"),
        ]

    def __str__(self) -> str:
        return f"{self.tag} by {self.actor or 'nobody'}"


class EventMail(models.Model):
    """That an event was told to its tenant's people by mail. Events themselves are never changed."""

    event = models.OneToOneField(PortalEvent, on_delete=models.CASCADE, primary_key=True, related_name="mail")
    sent = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"mail on {self.event_id}"
