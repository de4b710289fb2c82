"""Asynchronous operations and bulk jobs. Tenant tables: requests are sealed to the device, replies to clients.

Which key is used for what is in clear, as in the device's log; payloads, parameters and results are not.
"""

from django.db import models
from django.utils import timezone

from portal.callbacks.models import Callback
from tenants.models import Tenant, User


class Work(models.Model):
    """What both are asked for. `user`: the API client's service user; `token_digest`: of the token that must still
    stand for it to be carried out; `operations_key`: what requests are sealed to.

    `error_code` and `error_detail`: why it has failed, or waits for `next_try`.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    token_digest = models.CharField(max_length=128, blank=True, default="")
    partition = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=0)
    operation = models.CharField(max_length=16)
    mechanism = models.CharField(max_length=64, blank=True, default="")
    operations_key = models.CharField(max_length=64)
    callback = models.ForeignKey(Callback, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True, default="")
    error_detail = models.CharField(max_length=500, blank=True, default="")
    next_try = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Operation(Work):
    """One asynchronous operation. `request` is there until it has ended, `reply` and the device's `statement` then.

    `portal_sealed`: it came in clear and this portal sealed it on arrival, under a reply key that only the caller's
    token gives again. `count`: how many items are in `request`; `unread`: the errors of those that could not be read,
    under that reply key. `used_version` and `used_mechanism` are those by which it was done.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    operation_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.QUEUED)
    portal_sealed = models.BooleanField(default=False)
    batch = models.BooleanField(default=False)
    count = models.PositiveIntegerField(default=0)
    unread = models.BinaryField(blank=True, default=b"")
    request = models.BinaryField()
    request_digest = models.CharField(max_length=64)
    instruction = models.TextField(blank=True, default="")
    reply = models.BinaryField(blank=True, default=b"")
    statement = models.TextField(blank=True, default="")
    used_version = models.PositiveIntegerField(default=0)
    used_mechanism = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-created", "-id"]
        indexes = [
            models.Index(fields=["next_try"], condition=models.Q(finished=None), name="operations_to_do"),
            models.Index(fields=["finished"], name="operations_by_age"),
        ]

    def __str__(self) -> str:
        return self.operation_id


class Job(Work):
    """A bulk job of `chunks` sealed chunks. `refused_since`: since when the device refuses to go on.

    `items` is the client's word. `forgotten`: when its ciphertexts were deleted.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    job_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    chunks = models.PositiveIntegerField()
    items = models.PositiveBigIntegerField(default=0)
    refused_since = models.DateTimeField(null=True, blank=True)
    forgotten = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created", "-id"]
        indexes = [models.Index(fields=["status", "finished"], name="jobs_by_state")]

    def __str__(self) -> str:
        return self.job_id

    @property
    def is_over(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED, self.Status.CANCELLED)


class Chunk(models.Model):
    """A part of a job: its sealed request until it is `done`, then the sealed reply. Each number is written once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    items = models.PositiveIntegerField()
    request = models.BinaryField()
    instruction = models.TextField(blank=True, default="")
    done = models.BooleanField(default=False)
    reply = models.BinaryField(blank=True, default=b"")
    statement = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_chunk_of_a_number")]
        indexes = [
            models.Index(fields=["job", "number"], condition=models.Q(done=False), name="chunks_to_do"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} chunk {self.number}"
