"""GET operations: what has become of asynchronous ones."""

import base64
from typing import Any

import msgspec
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.dataplane import asynchronous
from portal.dataplane.serializers import ItemErrorOut, OperationOut
from portal.jobs import operations, selectors
from portal.jobs.models import Operation as OperationRow
from strongroom.protocol.errors import Refused
from tenants.api.base import ApiView
from tenants.api.media import check_media_type
from tenants.permissions import ADMINS, CLIENT, READERS

NOT_THE_ASKER = "The result is sealed under a key that is derived from the token that asked: only that token opens it."
SEALED_BY_CLIENT = "Whoever sealed the request opens the result."


class AsyncOperationOut(serializers.Serializer):
    """`error`: why it has failed, or still waits."""

    id = serializers.CharField(source="operation_id")
    status = serializers.ChoiceField(OperationRow.Status.choices)
    key_id = serializers.CharField()
    operation = serializers.CharField()
    error = ItemErrorOut(allow_null=True)
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)


class AsyncResultOut(AsyncOperationOut):
    """`answer`: what a synchronous call would have had, to the token that asked. To others `sealed`, and `note` why."""

    answer = OperationOut(required=False)
    sealed = serializers.CharField(required=False)
    statement = serializers.CharField(required=False)
    note = serializers.CharField(required=False)


class Operations(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=AsyncOperationOut(many=True))
    def get(self, request: Request) -> Response:
        """The last 200 asynchronous operations, newest first, without results."""
        return Response([_describe(one) for one in selectors.operations(tenant=self.tenant)])


class Operation(ApiView):
    allowed = {"GET": READERS, "DELETE": CLIENT | ADMINS}

    @extend_schema(responses=AsyncResultOut)
    def get(self, request: Request, operation_id: str) -> Response:
        """An asynchronous operation.

        It is `queued`, `running`, `done` or `failed`. The result is kept for 7 days.
        """
        row = selectors.operation(tenant=self.tenant, operation_id=operation_id)
        return Response(_describe(row) | _result(row, _bearer(request)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, operation_id: str) -> Response:
        """Delete an asynchronous operation and its result.

        One that waits is taken back. An API client deletes its own, an admin any.
        """
        operations.forget(tenant=self.tenant, user=self.caller.client_user, operation_id=operation_id)
        return Response(status=204)


def submit(view: ApiView, request: Request, reference: str, operation: str) -> Response:
    """Keep an operation for a worker, and say where its result will be. Raises `Refused`."""
    if not asynchronous.is_wanted(request.META):
        raise Refused("not-found")
    check_media_type(request.content_type or "")
    row = asynchronous.submit(
        tenant=view.tenant,
        caller=view.caller,
        token=_bearer(request),
        reference=reference,
        operation=operation,
        data=request.body,
    )
    where = f"/api/v1/operations/{row.operation_id}"
    return Response(_describe(row), 202, headers={"Location": where, "Preference-Applied": "respond-async"})


def _describe(row: OperationRow) -> dict[str, Any]:
    about = {name: getattr(row, name) for name in (
        "operation_id", "status", "key_id", "operation", "created", "started", "finished",
    )}  # fmt: skip
    about["error"] = {"code": row.error_code, "detail": row.error_detail} if row.error_code else None
    return dict(AsyncOperationOut(about).data)


def _bearer(request: Request) -> bytes:
    """The token as it came. It was checked before."""
    return str(request.headers.get("Authorization", "")).partition(" ")[2].strip().encode()


def _result(row: OperationRow, token: bytes) -> dict[str, Any]:
    if row.status != OperationRow.Status.DONE:
        return {}
    answer = asynchronous.answer(row, token)
    if answer is not None:
        return {"answer": msgspec.to_builtins(answer), "statement": row.statement}
    sealed = base64.b64encode(bytes(row.reply)).decode()
    note = NOT_THE_ASKER if row.portal_sealed else SEALED_BY_CLIENT
    return {"sealed": sealed, "statement": row.statement, "note": note}


urlpatterns = [
    path("operations", Operations.as_view()),
    path("operations/<str:operation_id>", Operation.as_view()),
]
