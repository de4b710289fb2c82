"""Administrative actions as the portal keeps them: what the TEE opened, and the approvals collected for it.

The portal decides nothing here. Every row can be lost or forged without a quorum being met: the TEE counts for itself.
"""

from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from strongroom.protocol.action_table import OFFICER_CLASSES
from strongroom.protocol.admin_actions import signer
from strongroom.protocol.errors import CATALOGUE


class OfficerProfile(models.Model):
    """An officer of the provider: the person whose cards and security keys the TEE has enrolled as `name` in a class.

    `active` as long as there is one: officers enrol and retire them, and the login follows.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="officer_profile")
    officer_class = models.CharField(max_length=16, choices=[(one, one) for one in OFFICER_CLASSES])
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)
    email = models.EmailField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["officer_class", "name"], name="one_login_for_an_officer")]

    def __str__(self) -> str:
        return f"{self.user.get_username()} ({self.officer_class})"


class SupportProfile(models.Model):
    """Someone of the provider's who reads officers' pages and does nothing. No card belongs to it, and no class."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="support_profile")

    def __str__(self) -> str:
        return f"{self.user.get_username()} (support)"


class ActionState(models.TextChoices):
    """`open` until the TEE has executed it, or it can never be: then one of the others."""

    OPEN = "open"
    EXECUTED = "executed"
    EXPIRED = "expired"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Told(models.TextChoices):
    """The last that officers were told of an action."""

    NOTHING = ""
    OPENED = "opened"
    REMINDED = "reminded"
    SETTLED = "settled"


class AdminAction(models.Model):
    """One action. `action` holds the bytes exactly as the TEE opened them: they are what officers sign."""

    digest = models.CharField(max_length=64, unique=True)
    action = models.BinaryField()
    name = models.CharField(max_length=64)
    officer_class = models.CharField(max_length=16)
    requester = models.ForeignKey(OfficerProfile, on_delete=models.PROTECT, related_name="requested_actions")
    partition_request = models.ForeignKey(
        "tenants.Partition", on_delete=models.PROTECT, null=True, related_name="actions"
    )
    state = models.CharField(max_length=16, choices=ActionState, default=ActionState.OPEN)
    opened = models.DateTimeField()
    expires = models.DateTimeField()
    settled = models.DateTimeField(null=True)
    told = models.CharField(max_length=8, choices=Told, default=Told.NOTHING, blank=True)
    result = models.CharField(max_length=64, default="", help_text="What the TEE made, or the code of its refusal.")

    class Meta:
        ordering = ["-opened", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["partition_request"], condition=Q(state="open"), name="one_open_action_for_a_request"
            )
        ]

    @property
    def outcome(self) -> str:
        """How it ended, for people: what was made, until when a destruction waits, or why it is over."""
        if self.state in (ActionState.EXPIRED, ActionState.REFUSED) and self.result in CATALOGUE:
            return CATALOGUE[self.result].sentence
        words, _, last = self.result.rpartition(" ")
        if words == "waits until":
            return f"{words} {datetime.fromtimestamp(int(last), UTC):%Y-%m-%d %H:%M} UTC"
        return self.result

    def __str__(self) -> str:
        return f"{self.name} {self.digest[:12]} ({self.state})"


class Decision(models.TextChoices):
    APPROVE = "approve"
    DECLINE = "decline"


class Approval(models.Model):
    """One officer's signed answer, kept exactly as it came. `otp_step` is the time step of the code that it used."""

    action = models.ForeignKey(AdminAction, on_delete=models.CASCADE, related_name="approvals")
    officer = models.ForeignKey(OfficerProfile, on_delete=models.PROTECT, related_name="approvals")
    statement = models.TextField()
    decision = models.CharField(max_length=7, choices=Decision, default=Decision.APPROVE)
    reason = models.CharField(max_length=200, blank=True, default="")
    otp_step = models.BigIntegerField()
    given = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["given", "id"]
        constraints = [models.UniqueConstraint(fields=["action", "officer"], name="one_approval_for_an_officer")]

    @property
    def card(self) -> str:
        """The fingerprint of the card or security key that it is by."""
        return signer(self.statement)

    def __str__(self) -> str:
        return f"{self.officer} for {self.action}"
