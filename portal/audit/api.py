"""A partition's log over REST: the copy, and the device's checkpoint to check it against."""

import base64
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.audit import selectors, services
from portal.audit.models import LogEntry
from tenants.api.base import PageView
from tenants.permissions import READERS
from tenants.selectors import defined_partition


class LogQuery(serializers.Serializer[Any]):
    lane = serializers.CharField(max_length=32, default="", allow_blank=True)
    after = serializers.IntegerField(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=5000, default=1000)


class LogEntryOut(serializers.Serializer[Any]):
    lane = serializers.CharField()
    n = serializers.IntegerField()
    entry = serializers.CharField(help_text="Base64 of the entry's exact bytes.")


class LogOut(serializers.Serializer[Any]):
    lanes = serializers.ListField(child=serializers.CharField())
    entries = LogEntryOut(many=True)


class CheckpointIn(serializers.Serializer[Any]):
    nonce = serializers.CharField(min_length=16, max_length=128)


class CheckpointOut(serializers.Serializer[Any]):
    checkpoint = serializers.CharField()


def entries_out(entries: list[LogEntry]) -> list[dict[str, Any]]:
    return [{"lane": one.lane, "n": one.n, "entry": base64.b64encode(bytes(one.entry)).decode()} for one in entries]


class Log(PageView):
    allowed = {"GET": READERS}

    @extend_schema(parameters=[LogQuery], responses=LogOut)
    def get(self, request: Request, partition_id: str) -> Response:
        """Entries of the partition's log.

        Of one `lane` those after number `after`, or the first ones of all lanes. Check them against a checkpoint.
        """
        query = LogQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        partition = defined_partition(tenant=self.tenant, partition_id=partition_id)
        entries = selectors.lane_entries(tenant=self.tenant, partition=partition, **query.validated_data)
        return Response(
            {
                "lanes": selectors.lanes(tenant=self.tenant, partition=partition),
                "entries": entries_out(entries),
            }
        )


class Checkpoint(PageView):
    allowed = {"POST": READERS}

    @extend_schema(request=CheckpointIn, responses=CheckpointOut)
    def post(self, request: Request, partition_id: str) -> Response:
        """The device's signed count and head of every lane.

        When this answers, the log holds all that it counts.
        """
        nonce = self.read(CheckpointIn)["nonce"]
        partition = defined_partition(tenant=self.tenant, partition_id=partition_id)
        return Response({"checkpoint": services.signed_checkpoint(str(partition.partition_id), nonce)})
