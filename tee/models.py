"""What the provider knows of its devices, their published keys, and the imports and keys of its tenants.

Device, VendorKey and ProviderKey are the provider's own and public; EngineKey is the provider's own and has a secret
half, encrypted; Import and Key are tenant tables under row-level security. Nothing here is a customer's key material or
terms: ciphertexts pass through and are not kept.
"""

from django.db import models
from django.utils import timezone

from strongroom.protocol import jws
from strongroom.protocol.statements import Endorsement
from strongroom.protocol.suites import SUITES, Suite
from tenants.models import Partition, Tenant


class PublishedStatus(models.TextChoices):
    """As `KeyStatus` of the protocol's statements."""

    IN_FORCE = "in-force"
    RETIRED = "retired"
    REVOKED = "revoked"


class Device(models.Model):
    """One TEE of this provider. `certificate` is the manufacturer's, in PEM."""

    device_id = models.CharField(max_length=64, unique=True)
    world = models.CharField(max_length=64)
    mode = models.CharField(max_length=11)
    certificate = models.TextField()
    status = models.CharField(max_length=8, choices=PublishedStatus.choices, default=PublishedStatus.IN_FORCE)
    registered = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.device_id


class PublishedKey(models.Model):
    """A wrapping key's public half, as the device endorsed it."""

    key_id = models.CharField(max_length=64, unique=True)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="%(class)ss")
    endorsement = models.TextField()
    status = models.CharField(max_length=8, choices=PublishedStatus.choices, default=PublishedStatus.IN_FORCE)
    published = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        ordering = ["published", "id"]

    def __str__(self) -> str:
        return self.key_id

    @property
    def suite(self) -> Suite:
        """What it is a key of, as the device said."""
        return jws.read_unverified(self.endorsement, Endorsement).suite


class VendorKey(PublishedKey):
    """A vendor key. Whether it is in force is the manufacturer's word; the status here is only what is offered."""


class ProviderKey(PublishedKey):
    """A provider key in TEE custody. Its status and validity are the provider's own word (its validator)."""

    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)


class OperationsKey(PublishedKey):
    """A key of the device to which sealed operations are encrypted. That it is the device's is in the endorsement."""


class EngineKey(models.Model):
    """A provider key in engine custody (`tee.engine`). `private_key` is encrypted at rest, and empty once retired."""

    key_id = models.CharField(max_length=64, unique=True)
    suite = models.CharField(max_length=16, choices=[(one, one) for one in SUITES])
    public_key = models.TextField(help_text="Its raw bytes in base64url.")
    private_key = models.BinaryField()
    status = models.CharField(max_length=8, choices=PublishedStatus.choices, default=PublishedStatus.IN_FORCE)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["not_before", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["suite"],
                condition=models.Q(status=PublishedStatus.IN_FORCE),
                name="one_engine_key_in_force_of_a_suite",
            )
        ]

    def __str__(self) -> str:
        return self.key_id


class Import(models.Model):
    """One envelope that was handed over. The row is committed as *received* before the TEE is asked."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        COMPLETE = "complete"
        FAILED = "failed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="+")
    import_id = models.CharField(max_length=64)
    header = models.TextField()
    header_digest = models.CharField(max_length=64)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RECEIVED)
    receipt = models.TextField(blank=True, default="")
    code = models.CharField(max_length=64, blank=True, default="")
    received = models.DateTimeField(default=timezone.now)
    settled = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "import_id"], name="one_import_of_an_id")]
        indexes = [models.Index(fields=["received"], condition=models.Q(status="received"), name="imports_to_settle")]

    def __str__(self) -> str:
        return self.import_id


class Key(models.Model):
    """What is known of one version of a key in a partition: all of it from its receipt, but for the state.

    Versions of a key share its `key_id`, name and partition; the newest is what is shown of the key. `suspended`: since
    when the TEE refuses it for want of an answer in force, and why, as its log says.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="+")
    key_id = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField()
    key_type = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    receipt = models.TextField()
    public_key = models.TextField(blank=True, default="")
    check_value = models.CharField(max_length=16, blank=True, default="")
    created = models.DateTimeField()
    suspended = models.DateTimeField(null=True, blank=True)
    suspended_why = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        ordering = ["created", "id"]
        constraints = [models.UniqueConstraint(fields=["key_id", "version"], name="one_row_of_a_key_version")]
        indexes = [models.Index(fields=["tenant", "name"], name="keys_by_name")]

    def __str__(self) -> str:
        return f"{self.key_id} version {self.version}"

    @property
    def standing(self) -> str:
        """Its state in one word, `suspended` where it otherwise would be active."""
        return "suspended" if self.suspended and self.state == "active" else self.state
