"""Customers, their people and API clients, client devices, and partitions as the provider knows them.

User, Tenant and Membership are identity tables: they say which tenant a caller is of, so they are read before a tenant
is known and stand outside row-level security. All others here are tenant tables under it (`tenants.rls`).
"""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """A user; without a password one who cannot log in."""
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """Whoever holds a token: a person (of a tenant, or an officer), or the service user of one API client."""

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service"

    username = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PERSON)
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.username


class Tenant(models.Model):
    """A customer. `slug` is the name that import headers and partition definitions carry; it never changes."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSED = "closed"

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    requests_a_minute = models.PositiveIntegerField(null=True, blank=True)
    items_a_minute = models.PositiveIntegerField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.slug


class Role(models.TextChoices):
    """What a user may do in its tenant. `client` is the role of every API client's service user."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    CLIENT = "client"


class Membership(models.Model):
    """Which tenant a user is of, as what, and what it may ask in a minute beside the tenant's own limits.

    Officers are of none.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="membership")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)
    email = models.EmailField(blank=True, default="", help_text="Where a person is told of the tenant's keys.")
    requests_a_minute = models.PositiveIntegerField(null=True, blank=True)
    items_a_minute = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} as {self.role} of {self.tenant}"


class Invitation(models.Model):
    """That someone may become one of a tenant's people, by a link that is kept as a hash alone and serves once.

    An identity table: whoever comes with a link is of no tenant yet.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=8, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField()

    class Meta:
        ordering = ["created", "id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "email"], name="one_invitation_of_an_address")]

    def __str__(self) -> str:
        return f"{self.email} as {self.role} of {self.tenant}"


class ApiClient(models.Model):
    """A program of the customer's. Its service user's name is the client id; its tokens are that user's."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        REVOKED = "revoked"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    client_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.ACTIVE)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=models.Q(status="active"), name="one_active_client_of_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.client_id


class ClientDevice(models.Model):
    """A machine of the customer that signs envelopes and instructions. Being here gives it no right in a partition."""

    class Status(models.TextChoices):
        ENROLLED = "enrolled"
        REMOVED = "removed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    credential = models.JSONField()
    fingerprint = models.CharField(max_length=43)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ENROLLED)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "fingerprint"],
                condition=models.Q(status="enrolled"),
                name="one_enrolled_device_of_a_fingerprint",
            ),
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=models.Q(status="enrolled"), name="one_enrolled_device_of_a_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Partition(models.Model):
    """A partition that was asked for, and since officers defined it in the TEE, its id and device there.

    `destroy_at`: when the TEE destroys it, unless that is cancelled before. Until then it serves as any other.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested"
        DEFINED = "defined"
        DECLINED = "declined"
        DESTROYED = "destroyed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    request = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=100)
    owner = models.JSONField()
    owner_fingerprint = models.CharField(max_length=43)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.REQUESTED)
    partition_id = models.CharField(max_length=64, unique=True, null=True, blank=True)
    device_id = models.CharField(max_length=64, blank=True, default="")
    requested = models.DateTimeField(default=timezone.now, editable=False)
    defined = models.DateTimeField(null=True, blank=True)
    destroy_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["requested", "id"]

    def __str__(self) -> str:
        return self.partition_id or self.request


class IdempotentRequest(models.Model):
    """That a caller has used an `Idempotency-Key`, for what, and once done the answer (`tenants.idempotency`)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    principal = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True, default="")
    location = models.CharField(max_length=200, blank=True, default="")
    secret = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "principal", "key"], name="one_request_of_an_idempotency_key")
        ]
        indexes = [models.Index(fields=["created"], name="idempotent_requests_by_age")]

    def __str__(self) -> str:
        return self.key
