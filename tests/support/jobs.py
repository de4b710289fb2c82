"""Bulk jobs as the client makes them, for the portal's tests."""

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealed import open_reply
from tests.support.materials import material_of
from tests.support.portal import Browser, Organisation
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall

AES = material_of(KeyType.AES_256)


@dataclass
class Job:
    """A job of Alice's app, as the client makes one. `calls`: what each chunk holds."""

    browser: Browser
    id: str
    calls: list[SealedCall]

    def put(self, number: int, **changes: Any) -> httpx.Response:
        call = self.calls[number]
        body = {"sealed": base64.b64encode(call.sealed).decode(), "items": len(call.items or [])}
        if call.signed:
            body["instruction"] = call.request.instruction
        return self.browser.put(f"jobs/{self.id}/chunks/{number}", json=body | changes)

    def start(self) -> httpx.Response:
        return self.browser.post(f"jobs/{self.id}/start")

    def status(self) -> dict[str, Any]:
        return self.browser.get(f"jobs/{self.id}").json()

    def results(self) -> list[bytes | str]:
        """Each item's result or error code, in order."""
        found: list[bytes | str] = []
        for number, call in enumerate(self.calls):
            chunk = self.browser.get(f"jobs/{self.id}/chunks/{number}").json()
            reply = open_reply(call.reply_key, digest(call.sealed), base64.b64decode(chunk["sealed"]))
            found += [reply.errors[n][0] if n in reply.errors else one for n, one in enumerate(reply.results)]
        return found


def open_job(
    organisation: Organisation,
    customer: Customer,
    key: dict[str, Any],
    chunks: list[list[bytes]],
    operation: str = "encrypt",
    **call: Any,
) -> Job:
    calls = [
        SealedCall(customer, key["key_id"], operation, "AES-GCM", items=[Item(one) for one in chunk], **call)
        for chunk in chunks
    ]
    body = {
        "key": key["name"], "operation": operation, "version": 1, "mechanism": "AES-GCM", "chunks": len(chunks),
        "items": sum(map(len, chunks)), "operations_key": calls[0].binding.operations_key,
    }  # fmt: skip
    response = organisation.as_client().post("jobs", json=body)
    assert response.status_code == 201, response.text
    return Job(organisation.as_client(), response.json()["id"], calls)


def filled(job: Job) -> Job:
    for number in range(len(job.calls)):
        assert job.put(number).status_code == 201
    assert job.start().status_code == 200
    return job


def run(job: Job) -> None:
    """What a worker does."""
    from portal.jobs.models import Job as Row
    from portal.jobs.services import run_job
    from tenants.models import Tenant

    row = Row.objects.using("provider").get(job_id=job.id)
    run_job(tenant=Tenant.objects.get(pk=row.tenant_id), job=row.pk)


def change(job: Job, **fields: Any) -> None:
    from portal.jobs.models import Job as Row
    from tenants.scoping import tenant_scope

    row = Row.objects.using("provider").select_related("tenant").get(job_id=job.id)
    with tenant_scope(row.tenant):
        Row.objects.filter(pk=row.pk).update(**fields)


def chunks_of(job: Job) -> int:
    from portal.jobs.models import Chunk

    return Chunk.objects.using("provider").filter(job__job_id=job.id).count()
