"""Bodies of this package's part of the REST interface."""

from typing import Any

from rest_framework import serializers

from strongroom.protocol.access import client_principal
from tenants.api.base import CredentialField
from tenants.models import ApiClient, ClientDevice, Partition
from tenants.names import check_readable

NEXT_STEP = "Nothing may be done with this yet: an owner adds it to the access list with `{command}`."


class NewDevice(serializers.Serializer):
    name = serializers.CharField(max_length=100, validators=[check_readable])
    credential = CredentialField()


class DeviceOut(serializers.Serializer):
    name = serializers.CharField()
    fingerprint = serializers.CharField()
    principal = serializers.CharField()
    credential = CredentialField()
    created = serializers.DateTimeField()
    next_step = serializers.CharField(required=False)


class NewClient(serializers.Serializer):
    name = serializers.CharField(max_length=100, validators=[check_readable])


class ClientOut(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    principal = serializers.CharField()
    created = serializers.DateTimeField()
    next_step = serializers.CharField(required=False)


class NewQuota(serializers.Serializer):
    """In a minute; null: no other limit than the tenant's."""

    requests = serializers.IntegerField(min_value=1, max_value=2**31 - 1, allow_null=True)
    items = serializers.IntegerField(min_value=1, max_value=2**31 - 1, allow_null=True)


class UsageOut(serializers.Serializer):
    name = serializers.ChoiceField(["tenant-requests", "tenant-items", "client-requests", "client-items"])
    limit = serializers.IntegerField()
    window_seconds = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset_seconds = serializers.IntegerField()


class NewToken(serializers.Serializer):
    days = serializers.IntegerField(min_value=1, max_value=365, default=90)


class TokenOut(serializers.Serializer):
    """`token` is shown this once."""

    token = serializers.CharField()
    token_key = serializers.CharField()
    expiry = serializers.DateTimeField()


class NewPartition(serializers.Serializer):
    label = serializers.CharField(max_length=100, validators=[check_readable])  # type: ignore[assignment]  # a field of that name
    owner = CredentialField()


class PartitionOut(serializers.Serializer):
    partition = serializers.CharField(source="partition_id", allow_null=True)
    request = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    owner = CredentialField()
    owner_fingerprint = serializers.CharField()
    status = serializers.ChoiceField(Partition.Status.choices)
    device = serializers.CharField(source="device_id")
    requested = serializers.DateTimeField()
    defined = serializers.DateTimeField(allow_null=True)
    destroy_at = serializers.DateTimeField(allow_null=True)


def device_out(device: ClientDevice, *, new: bool = False) -> dict[str, Any]:
    out = {
        "name": device.name,
        "fingerprint": device.fingerprint,
        "principal": f"device:{device.fingerprint}",
        "credential": device.credential,
        "created": device.created,
    }
    if new:
        allow = f"strongroom access allow device:{device.fingerprint} --rights import,sign"
        out["next_step"] = NEXT_STEP.format(command=allow)
    return dict(DeviceOut(out).data)


def client_out(client: ApiClient, *, new: bool = False) -> dict[str, Any]:
    principal = client_principal(client.client_id)
    out = {"id": client.client_id, "name": client.name, "principal": principal, "created": client.created}
    if new:
        out["next_step"] = NEXT_STEP.format(command=f"strongroom access allow {principal} --rights sign")
    return dict(ClientOut(out).data)
