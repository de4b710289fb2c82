"""POST, GET jobs; their chunks; start and cancel."""

import base64
import binascii
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.jobs import selectors, services
from portal.jobs.models import Job as JobRow
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_ITEMS
from strongroom.protocol.mechanisms import Mechanism, Usage
from tee.selectors import key as find_key
from tenants.api.base import ApiView
from tenants.permissions import ADMINS, CLIENT, OPERATORS, READERS

MAX_CHUNK_BODY = 2 * 1024 * 1024


class SealedField(serializers.CharField):
    """Standard base64."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Not standard base64.") from None


class JobIn(serializers.Serializer):
    key = serializers.CharField(max_length=200, help_text="Name or id.")
    operation = serializers.ChoiceField(list(Usage))
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    mechanism = serializers.ChoiceField(list(Mechanism))
    operations_key = serializers.CharField(max_length=64, help_text="What the chunks are sealed to.")
    chunks = serializers.IntegerField(min_value=1, max_value=services.MOST_CHUNKS)
    items = serializers.IntegerField(min_value=0, max_value=10**12, default=0, help_text="In all, for the display.")
    callback = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="Id of a callback that is told of the end."
    )


class ErrorOut(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class ProgressOut(serializers.Serializer):
    stored = serializers.IntegerField(help_text="Chunks that have come.")
    done = serializers.IntegerField(help_text="Chunks that are done.")
    items_done = serializers.IntegerField()


class JobOut(serializers.Serializer):
    """`error`: why it is paused or has failed. `forgotten`: since when its results are deleted."""

    id = serializers.CharField()
    status = serializers.ChoiceField(JobRow.Status.choices)
    key_id = serializers.CharField()
    version = serializers.IntegerField()
    operation = serializers.CharField()
    mechanism = serializers.CharField()
    chunks = serializers.IntegerField()
    items = serializers.IntegerField()
    progress = ProgressOut()
    error = ErrorOut(allow_null=True)
    callback = serializers.CharField(allow_null=True)
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    forgotten = serializers.DateTimeField(allow_null=True)


class ChunkIn(serializers.Serializer):
    """With `instruction`, a deferred one over this sealed chunk, the key may be in `signed` mode."""

    sealed = SealedField()
    items = serializers.IntegerField(min_value=1, max_value=MAX_ITEMS)
    instruction = serializers.CharField(default="", allow_blank=True, max_length=16 * 1024)


class ChunkStateOut(serializers.Serializer):
    number = serializers.IntegerField()
    items = serializers.IntegerField()
    done = serializers.BooleanField()


class ChunkOut(serializers.Serializer):
    """`sealed`: the reply, for whoever sealed the request. `statement`: the device's word about both."""

    number = serializers.IntegerField()
    items = serializers.IntegerField()
    sealed = serializers.CharField()
    statement = serializers.CharField()


class Jobs(ApiView):
    allowed = {"GET": READERS, "POST": CLIENT}

    @extend_schema(responses=JobOut(many=True))
    def get(self, request: Request) -> Response:
        """The last 200 jobs, newest first."""
        return Response([job_out(*one) for one in selectors.jobs(tenant=self.tenant)])

    @extend_schema(
        request=JobIn,
        responses={201: JobOut},
        examples=[
            OpenApiExample(
                "Encrypt a file",
                {"key": "archive", "operation": "encrypt", "version": 1, "mechanism": "AES-GCM",
                 "operations_key": "ok_…", "chunks": 2000, "items": 1000000},
                request_only=True,
            )
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Open a bulk job.

        Then put its chunks, each sealed to the device, and start it. It is carried out in the background.
        """
        body = self.read(JobIn)
        key = find_key(tenant=self.tenant, reference=body.pop("key"), version=body["version"])
        job = services.create_job(tenant=self.tenant, user=self.caller.user, key=key, **body)
        return Response(job_out(*selectors.job(tenant=self.tenant, job_id=job.job_id)), status=201)


class Job(ApiView):
    allowed = {"GET": READERS, "DELETE": CLIENT | ADMINS}

    @extend_schema(responses=JobOut)
    def get(self, request: Request, job_id: str) -> Response:
        """A job and its progress.

        A job that the device refuses to go on with is `paused`, says why, and tries again for 24 hours.
        """
        return Response(job_out(*selectors.job(tenant=self.tenant, job_id=job_id)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, job_id: str) -> Response:
        """Delete what there is of a job, results too.

        One that is not over is cancelled. An API client deletes its own, an admin any. That there was a job is
        shown for 90 days.
        """
        services.forget_job(tenant=self.tenant, user=self.caller.client_user, job_id=job_id)
        return Response(status=204)


class Start(ApiView):
    allowed = {"POST": CLIENT}

    @extend_schema(request=None, responses=JobOut)
    def post(self, request: Request, job_id: str) -> Response:
        """Start a job whose chunks are all there.

        It is carried out as long as the token that started it stands. To start it again changes nothing but that:
        with a new token, before the old one is revoked.
        """
        token = self.caller.token_digest
        services.start_job(tenant=self.tenant, user=self.caller.user, token_digest=token, job_id=job_id)
        return Response(job_out(*selectors.job(tenant=self.tenant, job_id=job_id)))


class Cancel(ApiView):
    allowed = {"POST": CLIENT | OPERATORS}

    @extend_schema(request=None, responses=JobOut)
    def post(self, request: Request, job_id: str) -> Response:
        """Cancel a job.

        What is there of it, results too, is deleted. An API client cancels its own, a person any.
        """
        services.cancel_job(tenant=self.tenant, user=self.caller.client_user, job_id=job_id)
        return Response(job_out(*selectors.job(tenant=self.tenant, job_id=job_id)))


class Chunks(ApiView):
    allowed = {"GET": READERS}

    @extend_schema(responses=ChunkStateOut(many=True))
    def get(self, request: Request, job_id: str) -> Response:
        """The chunks that have come, in order."""
        return Response(ChunkStateOut(selectors.chunks(tenant=self.tenant, job_id=job_id), many=True).data)


class Chunk(ApiView):
    allowed = {"GET": READERS, "PUT": CLIENT}
    max_body = MAX_CHUNK_BODY

    @extend_schema(responses=ChunkOut)
    def get(self, request: Request, job_id: str, number: int) -> Response:
        """The sealed reply to a chunk.

        It is there as soon as this chunk is done, and for 7 days after the job's end.
        """
        row = selectors.chunk(tenant=self.tenant, job_id=job_id, number=number)
        sealed = base64.b64encode(bytes(row.reply)).decode()
        about = {"number": row.number, "items": row.items, "sealed": sealed, "statement": row.statement}
        return Response(ChunkOut(about).data)

    @extend_schema(request=ChunkIn, responses={201: ChunkStateOut, 200: ChunkStateOut})
    def put(self, request: Request, job_id: str, number: int) -> Response:
        """Put a chunk of an open job.

        The same bytes again change nothing; other bytes for a number that is there are refused.
        """
        body = self.read(ChunkIn)
        if not body["sealed"]:
            raise Refused("malformed", "an empty chunk")
        new = services.put_chunk(
            tenant=self.tenant, user=self.caller.user, quota=self.quota, job_id=job_id, number=number, **body
        )
        about = {"number": number, "items": body["items"], "done": False}
        return Response(ChunkStateOut(about).data, status=201 if new else 200)


def job_out(job: JobRow, progress: selectors.Progress) -> dict[str, Any]:
    error = {"code": job.error_code, "detail": job.error_detail} if job.error_code else None
    about = {
        "id": job.job_id,
        "progress": progress,
        "error": error,
        "callback": job.callback.callback_id if job.callback else None,
        **{name: getattr(job, name) for name in (
            "status", "key_id", "version", "operation", "mechanism", "chunks", "items",
            "created", "started", "finished", "forgotten",
        )},
    }  # fmt: skip
    return dict(JobOut(about).data)
