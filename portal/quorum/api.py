"""The officers' REST endpoints. The approving itself happens on the officer's card; here its result is collected."""

from dataclasses import asdict

import msgspec
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from portal.quorum import selectors, services, unsealing
from portal.quorum import serializers as shapes
from portal.quorum.models import OfficerProfile
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from tenants.api.base import ApiView


class OfficerView(ApiView):
    """A view for officers of the provider; `officer` is the one who asks."""

    officer: OfficerProfile

    def check_permissions(self, request: Request) -> None:
        """Raises `Refused`: `unauthenticated`, `forbidden`."""
        officer = selectors.officer_of(self.caller.user)
        if officer is None:
            raise Refused("forbidden")
        self.officer = officer


class PartitionRequests(OfficerView):
    @extend_schema(responses=shapes.PartitionRequestOut(many=True), tags=["officer"])
    def get(self, request: Request) -> Response:
        """Partitions that customers ask for and that no action has defined yet."""
        return Response(shapes.PartitionRequestOut(selectors.partition_requests(), many=True).data)


class Partitions(OfficerView):
    @extend_schema(parameters=[shapes.PartitionsIn], responses=shapes.PartitionOut(many=True), tags=["officer"])
    def get(self, request: Request) -> Response:
        """The partitions of a tenant, or one partition, to compare an action with."""
        found = selectors.partitions(**self.read_query(shapes.PartitionsIn))
        return Response(shapes.PartitionOut(found, many=True).data)


class World(OfficerView):
    @extend_schema(responses=shapes.WorldOut, tags=["officer"])
    def get(self, request: Request) -> Response:
        """The world's officers and thresholds, as the device has them."""
        return Response(msgspec.to_builtins(selectors.world()))


class Actions(OfficerView):
    @extend_schema(responses=shapes.ActionOut(many=True), tags=["officer"])
    def get(self, request: Request) -> Response:
        """The newest administrative actions, at most 500."""
        return Response(shapes.ActionOut(selectors.actions()[:500], many=True).data)

    @extend_schema(request=shapes.OpenActionIn, responses={201: shapes.ActionOut}, tags=["officer"])
    def post(self, request: Request) -> Response:
        """Open an administrative action.

        `request` is an `ActionRequest` that the caller's own card signed. `action` in the answer is what to approve.
        """
        action = services.open_action(officer=self.officer, **self.read(shapes.OpenActionIn))
        return Response(shapes.ActionOut(action).data, status=status.HTTP_201_CREATED)


class Action(OfficerView):
    @extend_schema(responses=shapes.ActionOut, tags=["officer"])
    def get(self, request: Request, action_id: int) -> Response:
        """One administrative action."""
        return Response(shapes.ActionOut(selectors.get_action(action_id)).data)


class Approvals(OfficerView):
    @extend_schema(request=shapes.ApprovalIn, responses={201: shapes.ActionOut}, tags=["officer"])
    def post(self, request: Request, action_id: int) -> Response:
        """Approve an action, or decline it.

        `approval` is signed by the caller's own card. When enough are collected the device is asked to execute: see
        `state` and `result`.
        """
        action = services.add_approval(officer=self.officer, action_id=action_id, **self.read(shapes.ApprovalIn))
        return Response(shapes.ActionOut(action).data, status=status.HTTP_201_CREATED)


class Withdrawal(OfficerView):
    @extend_schema(request=shapes.WithdrawalIn, responses=shapes.ActionOut, tags=["officer"])
    def post(self, request: Request, action_id: int) -> Response:
        """Take back an open action that the caller's own card requested."""
        action = services.withdraw_action(officer=self.officer, action_id=action_id, **self.read(shapes.WithdrawalIn))
        return Response(shapes.ActionOut(action).data)


class NewestParts(OfficerView):
    @extend_schema(responses=shapes.UnsealPartsOut, tags=["officer"])
    def get(self, request: Request) -> Response:
        """The unseal parts of the last change of officers.

        Each is sealed to its card. Those of the ceremony are not here: whoever held it has them.
        """
        shared = selectors.unseal_parts()
        parts = {card: b64u(part) for card, part in shared.parts.items()}
        return Response({"world": shared.world, "parts": parts, "transcript": shared.transcript})


class Unseal(OfficerView):
    @extend_schema(responses=shapes.UnsealOut, tags=["officer"])
    def get(self, request: Request) -> Response:
        """How many unseal parts the device has of those it needs, and from whom."""
        return Response(asdict(unsealing.progress()))


class UnsealBegin(OfficerView):
    @extend_schema(request=shapes.UnsealBeginIn, responses=shapes.UnsealBeginOut, tags=["officer"])
    def post(self, request: Request) -> Response:
        """Have the device make an unseal key.

        It is endorsed by the device over the officer's nonce.
        """
        endorsement = unsealing.begin(officer=self.officer, **self.read(shapes.UnsealBeginIn))
        return Response({"endorsement": endorsement})


class UnsealParts(OfficerView):
    @extend_schema(request=shapes.UnsealPartIn, responses=shapes.UnsealOut, tags=["officer"])
    def post(self, request: Request) -> Response:
        """Give an unseal part.

        It is that of the caller's own card, sealed to the unseal key.
        """
        given = unsealing.give_part(officer=self.officer, **self.read(shapes.UnsealPartIn))
        return Response(asdict(given))
