"""Shapes of the officers' requests and answers (docs/spec/rest.md)."""

import base64
from typing import Any

from rest_framework import serializers

from portal.quorum.models import AdminAction, Decision


class OpenActionIn(serializers.Serializer[Any]):
    request = serializers.CharField(max_length=16_384, help_text="Signed ActionRequest.")
    partition_request = serializers.CharField(
        max_length=64, required=False, help_text="The customer's request, for an action that defines a partition."
    )


class ApprovalIn(serializers.Serializer[Any]):
    approval = serializers.CharField(
        max_length=4_096, help_text="Signed Approval of the action's digest, or refusal; or a security key's."
    )
    otp = serializers.CharField(max_length=16, help_text="A fresh one-time code.")


class WithdrawalIn(serializers.Serializer[Any]):
    withdrawal = serializers.CharField(max_length=4_096, help_text="Signed Withdrawal of the action's digest.")


class ApprovalOut(serializers.Serializer[Any]):
    officer = serializers.CharField(source="officer.user.username")
    card = serializers.CharField()
    decision = serializers.ChoiceField(Decision.choices)
    reason = serializers.CharField()
    given = serializers.DateTimeField()


class ActionOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    digest = serializers.CharField()
    action = serializers.SerializerMethodField(help_text="Base64 of the exact bytes that the TEE opened.")
    officer_class = serializers.CharField()
    partition_request = serializers.CharField(source="partition_request.request", default="")
    state = serializers.CharField()
    requested_by = serializers.CharField(source="requester.user.username")
    approvals = ApprovalOut(many=True, source="approvals.all")
    opened = serializers.DateTimeField()
    expires = serializers.DateTimeField()
    result = serializers.CharField()

    def get_action(self, action: AdminAction) -> str:
        return base64.b64encode(bytes(action.action)).decode()


class PartitionRequestOut(serializers.Serializer[Any]):
    request = serializers.CharField()
    tenant = serializers.CharField(source="tenant.slug")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, not the serializer's own label
    owner = serializers.JSONField()
    requested = serializers.DateTimeField()


class PartitionsIn(serializers.Serializer[Any]):
    tenant = serializers.CharField(max_length=64, required=False, help_text="Of this tenant (its slug).")
    partition = serializers.CharField(max_length=64, required=False, help_text="This one.")


class PartitionOut(serializers.Serializer[Any]):
    partition = serializers.CharField(source="partition_id")
    tenant = serializers.CharField(source="tenant.slug")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, not the serializer's own label
    owner = serializers.CharField(source="owner_fingerprint", help_text="The first owner's fingerprint.")
    status = serializers.CharField()
    destroy_at = serializers.DateTimeField(allow_null=True)


class WorldOut(serializers.Serializer[Any]):
    world = serializers.CharField()
    epoch = serializers.IntegerField()
    officers = serializers.ListField(child=serializers.DictField())
    thresholds = serializers.DictField(child=serializers.IntegerField())
    roster = serializers.CharField(help_text="The same, as the device signs it.")


class UnsealPartsOut(serializers.Serializer[Any]):
    world = serializers.CharField()
    parts = serializers.DictField(child=serializers.CharField(), help_text="Base64url, by the card it is sealed to.")
    transcript = serializers.CharField(help_text="Signed CeremonyTranscript.")


class UnsealOut(serializers.Serializer[Any]):
    state = serializers.CharField()
    progress = serializers.IntegerField()
    threshold = serializers.IntegerField()
    given = serializers.ListField(child=serializers.CharField(), help_text="Who has given a part.")
    wait_seconds = serializers.IntegerField(help_text="How long no part is taken, after a wrong one.")


class UnsealBeginIn(serializers.Serializer[Any]):
    nonce = serializers.CharField(max_length=128)


class UnsealBeginOut(serializers.Serializer[Any]):
    endorsement = serializers.CharField()


class UnsealPartIn(serializers.Serializer[Any]):
    key_id = serializers.CharField(max_length=64)
    card = serializers.CharField(max_length=43, help_text="Fingerprint of the officer's own card.")
    part = serializers.CharField(max_length=8_192, help_text="Base64url of the part, sealed to the unseal key.")
    otp = serializers.CharField(max_length=16, help_text="A fresh one-time code.")
