"""GET, POST callbacks; one of them; its secret, a ping, and its deliveries."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.callbacks import selectors, services
from portal.callbacks.models import Callback as CallbackRow
from portal.callbacks.models import Delivery as DeliveryRow
from portal.callbacks.sending import MAX_URL
from tenants.api.base import ApiView
from tenants.permissions import ADMINS, OPERATORS, READERS


class CallbackIn(serializers.Serializer):
    url = serializers.CharField(max_length=MAX_URL, help_text="https://…, in no private range.")
    every = serializers.BooleanField(
        default=False, help_text="Tell it of every operation and job, not only of those that name it."
    )


class CallbackOut(serializers.Serializer):
    id = serializers.CharField(source="callback_id")
    url = serializers.CharField()
    every = serializers.BooleanField()
    previous_until = serializers.DateTimeField(help_text="Until then the secret before signs too.", allow_null=True)
    created = serializers.DateTimeField()


class NewCallbackOut(CallbackOut):
    """`secret` is shown this once."""

    secret = serializers.CharField()


class DeliveryOut(serializers.Serializer):
    """`next_try`: when it is sent again; null once it is delivered or given up."""

    id = serializers.CharField(source="delivery_id")
    event = serializers.CharField()
    subject = serializers.CharField()
    status = serializers.ChoiceField(DeliveryRow.Status.choices)
    attempts = serializers.IntegerField()
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    next_try = serializers.DateTimeField(allow_null=True)
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)


class Callbacks(ApiView):
    allowed = {"GET": READERS, "POST": ADMINS}
    answers_secret = True

    @extend_schema(responses=CallbackOut(many=True))
    def get(self, request: Request) -> Response:
        """The callbacks, oldest first."""
        return Response(CallbackOut(selectors.callbacks(tenant=self.tenant), many=True).data)

    @extend_schema(
        request=CallbackIn,
        responses={201: NewCallbackOut},
        examples=[OpenApiExample("A callback", {"url": "https://example.com/strongroom"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Register an address to be told of asynchronous operations and jobs.

        Messages are signed as Standard Webhooks (version 1) with the secret, which is shown this once.
        """
        row, secret = services.create_callback(
            tenant=self.tenant, actor=self.caller.user.username, **self.read(CallbackIn)
        )
        return Response(_with_secret(row, secret), status=201)


class Callback(ApiView):
    allowed = {"GET": READERS, "DELETE": ADMINS}

    @extend_schema(responses=CallbackOut)
    def get(self, request: Request, callback_id: str) -> Response:
        """A callback."""
        return Response(CallbackOut(selectors.callback(tenant=self.tenant, callback_id=callback_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, callback_id: str) -> Response:
        """Remove a callback.

        What was not delivered yet is given up.
        """
        services.remove_callback(tenant=self.tenant, callback_id=callback_id, actor=self.caller.user.username)
        return Response(status=204)


class Secret(ApiView):
    allowed = {"POST": ADMINS}
    answers_secret = True

    @extend_schema(request=None, responses={201: NewCallbackOut})
    def post(self, request: Request, callback_id: str) -> Response:
        """Make a new secret for a callback.

        It is shown this once. For 24 hours messages have a signature by each of the two.
        """
        row, secret = services.rotate_secret(
            tenant=self.tenant, callback_id=callback_id, actor=self.caller.user.username
        )
        return Response(_with_secret(row, secret), status=201)


class Ping(ApiView):
    allowed = {"POST": OPERATORS}

    @extend_schema(request=None, responses={202: DeliveryOut})
    def post(self, request: Request, callback_id: str) -> Response:
        """Send a test message to a callback.

        Its type is `ping`. What becomes of it is among the deliveries.
        """
        return Response(DeliveryOut(services.ping(tenant=self.tenant, callback_id=callback_id)).data, status=202)


class Deliveries(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=DeliveryOut(many=True))
    def get(self, request: Request, callback_id: str) -> Response:
        """The last 200 messages to a callback, newest first.

        Those that ended are kept for 30 days.
        """
        return Response(DeliveryOut(selectors.deliveries(tenant=self.tenant, callback_id=callback_id), many=True).data)


class Redelivery(ApiView):
    allowed = {"POST": OPERATORS}

    @extend_schema(request=None, responses={202: DeliveryOut})
    def post(self, request: Request, callback_id: str, delivery_id: str) -> Response:
        """Deliver a message again.

        It has the same id and body as before, and as many attempts as a new one.
        """
        row = services.redeliver(tenant=self.tenant, callback_id=callback_id, delivery_id=delivery_id)
        return Response(DeliveryOut(row).data, status=202)


def _with_secret(row: CallbackRow, secret: str) -> dict[str, Any]:
    return {**CallbackOut(row).data, "secret": secret}
