"""Operations in the API's description. They are served before Django is reached (`portal.wsgi`)."""

from django.urls import path
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_ITEMS
from strongroom.protocol.mechanisms import Mechanism, Usage
from tenants.api.base import ApiView
from tenants.permissions import CLIENT


class ParametersIn(serializers.Serializer):
    """Which apply is in docs/mechanisms.md. Bytes are standard base64; `target` is a key's name or id."""

    prehashed = serializers.BooleanField(required=False)
    signature = serializers.CharField(required=False, help_text="What to verify; of a batch each item has its own.")
    aad = serializers.CharField(
        required=False, help_text="Additional data, label, context or info, for all items of a batch."
    )
    format = serializers.ChoiceField(["raw"], required=False, help_text="r ‖ s instead of DER.")
    salt = serializers.CharField(required=False)
    length = serializers.IntegerField(required=False, help_text="Bytes to derive, 16 to 8160; else 32.")
    target = serializers.CharField(required=False)
    target_mechanism = serializers.CharField(required=False, help_text="As `mechanism`.")
    target_aad = serializers.CharField(required=False)


class ItemIn(serializers.Serializer):
    payload = serializers.CharField(help_text="Standard base64 of at most 1 MiB.")
    signature = serializers.CharField(required=False)
    aad = serializers.CharField(required=False, help_text="Instead of that of the parameters.")


class OperationIn(serializers.Serializer):
    """`payload`, or the `items` of a batch.

    With `instruction` (a signed statement) its mechanism, version and parameters count, and are not sent.
    """

    payload = serializers.CharField(required=False, help_text="Standard base64 of at most 1 MiB.")
    items = serializers.ListField(child=ItemIn(), required=False, min_length=1, max_length=MAX_ITEMS)
    mechanism = serializers.ChoiceField(list(Mechanism), required=False)
    version = serializers.IntegerField(required=False)
    parameters = ParametersIn(required=False)
    instruction = serializers.CharField(required=False)


class ItemErrorOut(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class ItemOut(serializers.Serializer):
    """`error`, else `valid` after verify, else `result`."""

    result = serializers.CharField(required=False)
    valid = serializers.BooleanField(required=False)
    error = ItemErrorOut(required=False)


class OperationOut(serializers.Serializer):
    """`results` of a batch, in the order of its items; else `valid` after verify, else `result`."""

    result = serializers.CharField(required=False)
    valid = serializers.BooleanField(required=False)
    results = serializers.ListField(child=ItemOut(), required=False)
    key_id = serializers.CharField()
    version = serializers.IntegerField()
    mechanism = serializers.CharField()


_KEY = {"key_id": "key_…", "version": 1, "mechanism": "ECDSA-SHA256"}
EXAMPLES = [
    OpenApiExample("sign, hash", {"payload": "YSBjb250cmFjdA=="}, request_only=True),
    OpenApiExample("verify", {"payload": "YSBjb250cmFjdA==", "parameters": {"signature": "MEUC…"}}, request_only=True),
    OpenApiExample("encrypt, decrypt", {"payload": "YQ==", "parameters": {"aad": "aW52b2ljZQ=="}}, request_only=True),
    OpenApiExample("translate", {"payload": "YQ==", "parameters": {"target": "archive"}}, request_only=True),
    OpenApiExample("a key in signed mode", {"payload": "YQ==", "instruction": "eyJ…"}, request_only=True),
    OpenApiExample("a result", {"result": "MEUC…", **_KEY}, response_only=True),
    OpenApiExample("verified", {"valid": True, **_KEY}, response_only=True),
]


class Operation(ApiView):
    allowed = {"POST": CLIENT}

    @extend_schema(
        operation_id="keys_operate",
        parameters=[OpenApiParameter("operation", str, "path", enum=list(Usage))],
        request=OperationIn,
        responses=OperationOut,
        examples=EXAMPLES,
    )
    def post(self, request: Request, reference: str, operation: str) -> Response:
        """Use a key.

        `payload` is the message, plaintext or ciphertext in base64. A signature to verify, and what else a mechanism
        takes, is in `parameters`. A key in `signed` mode takes an `instruction` that a client device signed. A batch
        has `items` instead of `payload`, and its answer `results` in their order.
        """
        raise Refused("not-found")


urlpatterns = [path("keys/<str:reference>/<str:operation>", Operation.as_view())]
