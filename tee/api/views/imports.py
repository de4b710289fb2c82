"""POST imports, and what is asked for one."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from strongroom.protocol import jws
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.statements import Receipt as ReceiptStatement
from tee import imports, selectors, services
from tee.api.serializers import (
    ImportIn,
    ImportOut,
    SingleUseKeyIn,
    SingleUseKeyOut,
)
from tee.models import Import as ImportRow
from tenants.api.base import ApiView, PageView
from tenants.permissions import CLIENT, OPERATORS, READERS


class SingleUseKeys(ApiView):
    allowed = {"POST": CLIENT | OPERATORS}

    @extend_schema(request=SingleUseKeyIn, responses={201: SingleUseKeyOut})
    def post(self, request: Request, partition_id: str) -> Response:
        """Have the device make a vendor key for one import.

        It is of suite RSA-AES-KWP, endorsed by the device, and gone after use or an hour.
        """
        endorsement = services.make_single_use_key(
            tenant=self.tenant, partition_id=partition_id, actor=self.caller.user.username, **self.read(SingleUseKeyIn)
        )
        return Response({"endorsement": endorsement}, status=201)


class Imports(PageView):
    allowed = {"POST": CLIENT | OPERATORS}

    @extend_schema(
        request=ImportIn,
        responses={200: ImportOut, 201: ImportOut},
        examples=[
            OpenApiExample(
                "What `strongroom import` sends",
                {"partition": "pt_…", "header": "eyJ…", "material": "c2VhbGVk…", "terms": "c2VhbGVk…"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Import a key.

        `header` is the signed header, `material` and `terms` what was sealed under it. The same header again gets the
        same answer, with 200. Verify the receipt: the device's signed word that it holds the key under these terms.
        """
        body = self.read(ImportIn)
        partition_id, consent = body.pop("partition"), body.pop("consent")
        row, new = imports.import_key(
            tenant=self.tenant,
            partition_id=partition_id,
            envelope=Envelope(**body),
            consent=consent,
            secure=request.is_secure(),
            actor=self.caller.user.username,
        )
        return Response(_import_out(row), status=201 if new else 200)


class Import(PageView):
    allowed = {"GET": READERS}

    @extend_schema(responses=ImportOut)
    def get(self, request: Request, import_id: str) -> Response:
        """What has become of an import.

        After a failure on the way it is `received` until the device has been asked, then `complete` or `failed`.
        """
        row = selectors.find_import(tenant=self.tenant, import_id=import_id)
        return Response(_import_out(imports.settle(row)))


def _import_out(row: ImportRow) -> dict[str, Any]:
    receipt = jws.read_unverified(row.receipt, ReceiptStatement) if row.receipt else None
    return {
        "import_id": row.import_id,
        "status": row.status,
        "receipt": row.receipt or None,
        "code": row.code or None,
        "key_id": receipt.key_id if receipt else None,
        "name": receipt.name if receipt else None,
    }
