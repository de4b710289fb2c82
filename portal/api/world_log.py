"""The world's log for officers: of what belongs to no customer's partition, with every action and its approvals."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal.audit import selectors
from portal.audit.api import CheckpointIn, CheckpointOut, LogOut, LogQuery, entries_out
from portal.audit.services import signed_checkpoint
from portal.quorum.api import OfficerView
from strongroom.protocol.log import ADMIN_LANE, WORLD_LOG


class WorldLog(OfficerView):
    @extend_schema(parameters=[LogQuery], responses=LogOut, tags=["officer"])
    def get(self, request: Request) -> Response:
        """Entries of the world's log.

        As a partition's; check them against a checkpoint.
        """
        entries = selectors.world_entries(**self.read_query(LogQuery))
        return Response({"lanes": [ADMIN_LANE], "entries": entries_out(entries)})


class WorldCheckpoint(OfficerView):
    @extend_schema(request=CheckpointIn, responses=CheckpointOut, tags=["officer"])
    def post(self, request: Request) -> Response:
        """The device's signed count and head of the world's log.

        When this answers, the log holds all that it counts.
        """
        return Response({"checkpoint": signed_checkpoint(WORLD_LOG, self.read(CheckpointIn)["nonce"])})
