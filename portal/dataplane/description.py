"""Each operation in the API's description, made of the registry by which the TEE goes."""

from copy import deepcopy
from typing import Any

from django.conf import settings
from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.dataplane.operations_api import AsyncOperationOut, submit
from portal.dataplane.serializers import ItemIn, ItemOut, OperationIn, OperationOut, ParametersIn
from strongroom.protocol.instructions import MAX_ITEMS
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage, mechanisms_of
from tenants.api.base import ApiView
from tenants.permissions import CLIENT

SUMMARIES = {
    Usage.SIGN: ("Sign with a key", "the message, or with `prehashed` its digest"),
    Usage.VERIFY: ("Verify a signature or MAC with a key", "what was signed; the signature is in `parameters`"),
    Usage.ENCRYPT: ("Encrypt with a key", "the plaintext"),
    Usage.DECRYPT: ("Decrypt with a key", "the ciphertext"),
    Usage.HASH: ("Hash with a key, or under its authority", "the message"),
    Usage.TRANSLATE: ("Decrypt with a key and encrypt with another, in the device", "the ciphertext"),
    Usage.DERIVE: ("Agree on a secret with a key and derive from it", "the peer's SubjectPublicKeyInfo in DER"),
    Usage.WRAP: (
        "Wrap a data key, or make one",
        "the data key; none where `generate` has one made, and in a batch an empty one for each that is to be made",
    ),
    Usage.UNWRAP: ("Unwrap a data key", "the wrapped key"),
    Usage.REWRAP: (
        "Bring a ciphertext from an older version of a key to its newest, in the device",
        "what `version` of the key has encrypted",
    ),
}
ASYNCHRONOUS = (
    "1, as `Prefer: respond-async`: the answer is 202 with a `Location`, where the result is for the same token. "
    "It rests sealed to the device, and to that token."
)
OPENING = [mechanism.value for mechanism, _, _ in mechanisms_of(Usage.DECRYPT)]
WRAPPING = [mechanism.value for mechanism, _, _ in mechanisms_of(Usage.WRAP)]
"""Names of these sets among the schemas (`ENUM_NAME_OVERRIDES`): several operations share them."""
_BODIES: dict[Usage, dict[str, Any]] = {
    Usage.SIGN: {"payload": "YSBjb250cmFjdA=="},
    Usage.VERIFY: {"payload": "YSBjb250cmFjdA==", "parameters": {"signature": "MEUC…"}},
    Usage.TRANSLATE: {"payload": "AAEC…", "parameters": {"target": "archive"}},
    Usage.WRAP: {"parameters": {"generate": 32, "clear": True}},
    Usage.REWRAP: {"payload": "AAEC…", "version": 1},
}


def views() -> list[URLPattern]:
    """A path for each operation."""
    return [path(f"keys/<str:reference>/{one}", _view(one).as_view()) for one in Usage]


def _view(operation: Usage) -> type[ApiView]:
    def post(self: ApiView, request: Request, reference: str) -> Response:
        # Only what is asynchronous comes here: the data plane answers all else before (`portal.wsgi`).
        return submit(self, request, reference, operation)

    post.__doc__ = _text(operation)
    body = _BODIES.get(operation, {"payload": "AAEC…"})
    described = extend_schema(
        operation_id=f"keys_{operation}",
        request=_request(operation),
        responses={200: _answer(operation), 202: AsyncOperationOut},
        examples=[
            OpenApiExample("one", body, request_only=True),
            OpenApiExample("a batch", _batch(operation, body), request_only=True),
            OpenApiExample("a key in signed mode", {"payload": "AAEC…", "instruction": "eyJ…"}, request_only=True),
        ],
        parameters=[
            OpenApiParameter("async", int, enum=[1], description=ASYNCHRONOUS),
            OpenApiParameter(
                "Prefer", str, OpenApiParameter.HEADER, description="`respond-async` (RFC 7240): as `async` 1."
            ),
        ],
        extensions={"x-mechanisms": _mechanisms(operation)},
    )
    members = {"allowed": {"POST": CLIENT}, "max_body": settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "post": described(post)}
    return type(f"Operation{operation.title()}", (ApiView,), members)


def _text(operation: Usage) -> str:
    summary, payload = SUMMARIES[operation]
    rows = [
        f"| {one['mechanism']} | {', '.join(one['key_types'])} | {', '.join(one['parameters'])} | {one['source']} |"
        for one in _mechanisms(operation)
    ]
    return "\n".join(
        [
            f"{summary}.",
            "",
            f"`payload` is {payload}, in base64. A batch has `items` instead, and its answer `results` in their order: "
            "no item's error harms another's result. A key in `signed` mode takes an `instruction` that a client "
            "device signed.",
            "",
            "| mechanism | key types | parameters | source |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def _mechanisms(operation: Usage) -> list[dict[str, Any]]:
    """For programs: which mechanism fits which key types, and takes which parameters."""
    return [
        {
            "mechanism": mechanism.value,
            "key_types": [one.value for one in KeyType if one in row.key_types],
            "parameters": sorted(parameters),
            "source": row.source,
        }
        for mechanism, row, parameters in mechanisms_of(operation)
    ]


def _taken(operation: Usage) -> set[str]:
    return {name for _, _, parameters in mechanisms_of(operation) for name in parameters}


def _request(operation: Usage) -> type[serializers.Serializer]:
    taken, title = _taken(operation), operation.title()
    chosen: list[Mechanism] = [mechanism for mechanism, _, _ in mechanisms_of(operation)]
    item = _subset(f"{title}ItemIn", ItemIn, {"payload"} | (taken & {"signature", "aad"}))
    fields: dict[str, Any] = {
        "__doc__": OperationIn.__doc__,
        "mechanism": serializers.ChoiceField(chosen, required=False, help_text="Else the key type's usual one."),
        "items": serializers.ListField(child=item(), required=False, min_length=1, max_length=MAX_ITEMS),
        "parameters": _subset(f"{title}ParametersIn", ParametersIn, taken)(required=False) if taken else None,
    }
    return type(f"{title}In", (OperationIn,), fields)


def _answer(operation: Usage) -> type[serializers.Serializer]:
    title = operation.title()
    found = {"valid"} if operation is Usage.VERIFY else {"result"}
    found |= {"clear"} if operation is Usage.WRAP else set()
    item = _subset(f"{title}ItemOut", ItemOut, found | {"error"})
    targets = {"target_version", "target_mechanism"}
    own = found | (targets if operation in (Usage.TRANSLATE, Usage.REWRAP) else set())
    left_out = ({"result", "valid", "clear"} | targets) - own
    fields: dict[str, Any] = dict.fromkeys(left_out)
    fields |= {"__doc__": OperationOut.__doc__, "results": serializers.ListField(child=item(), required=False)}
    return type(f"{title}Out", (OperationOut,), fields)


def _subset(name: str, of: type[serializers.Serializer], fields: set[str]) -> type[serializers.Serializer]:
    """A serializer with these fields of another."""
    kept = {one: deepcopy(field) for one, field in of().get_fields().items() if one in fields}
    return type(name, (serializers.Serializer,), {"__doc__": of.__doc__, **kept})


def _batch(operation: Usage, body: dict[str, Any]) -> dict[str, Any]:
    parameters = dict(body.get("parameters", {}))
    item = {"payload": body.get("payload", "")}
    if "signature" in parameters:
        item["signature"] = parameters.pop("signature")
    rest = {name: value for name, value in body.items() if name not in ("payload", "parameters")}
    return {"items": [item, item], **rest} | ({"parameters": parameters} if parameters else {})


urlpatterns = views()
