"""Operations in the API's description. They are served before Django is reached (`portal.wsgi`)."""

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.dataplane.operations import MAX_BODY
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism, Usage
from tenants.api.base import ApiView
from tenants.permissions import CLIENT


class ParametersIn(serializers.Serializer):
    """Bytes are standard base64; `target` is a key's name or id."""

    prehashed = serializers.BooleanField(required=False)
    signature = serializers.CharField(required=False)
    aad = serializers.CharField(required=False)
    target = serializers.CharField(required=False)
    target_mechanism = serializers.CharField(required=False, help_text="As `mechanism`.")
    target_aad = serializers.CharField(required=False)


class OperationIn(serializers.Serializer):
    """With `instruction` (a signed statement) its mechanism, version and parameters count, and are not sent."""

    payload = serializers.CharField(help_text="Standard base64 of at most 1 MiB.")
    mechanism = serializers.ChoiceField(list(Mechanism), required=False)
    version = serializers.IntegerField(required=False)
    parameters = ParametersIn(required=False)
    instruction = serializers.CharField(required=False)


class OperationOut(serializers.Serializer):
    """`valid` after verify, else `result`."""

    result = serializers.CharField(required=False)
    valid = serializers.BooleanField(required=False)
    key_id = serializers.CharField()
    version = serializers.IntegerField()
    mechanism = serializers.CharField()


class Operation(ApiView):
    allowed = {"POST": CLIENT}

    @extend_schema(
        summary="Use a key",
        description=f"The body is at most {MAX_BODY} bytes.",
        parameters=[OpenApiParameter("operation", str, "path", enum=list(Usage))],
        request=OperationIn,
        responses=OperationOut,
    )
    def post(self, request: Request, reference: str, operation: str) -> Response:
        raise Refused("not-found")


urlpatterns = [path("keys/<str:reference>/<str:operation>", Operation.as_view())]
