"""One key: how it stands, what proves it, how to use it, and trying it."""

import base64
import json

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header

from portal.audit import selectors as audit
from portal.audit.evidence import evidence_of
from portal.pages import selectors
from portal.pages.access import customer_page
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.samples import samples_for, simple_operation
from portal.pages.trying import MOST, trial, try_key
from strongroom.protocol import jws
from strongroom.protocol.commands import VersionStatus
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from tee import revocation
from tee import selectors as tee
from tee.key_list import capable
from tee.models import Key
from tee.public_keys import MEDIA_TYPES, public_key
from tenants.models import Tenant

OVER = frozenset({"destroyed", "revoked"})
SHOWN = 20


class TrialForm(forms.Form):
    client = forms.CharField(max_length=64, label="As")
    text = forms.CharField(max_length=MOST, label="Text")


@customer_page
def key(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    """A trial's answer stands in the answer to the request that made it, and nowhere else."""
    versions = tee.versions(tenant=tenant, reference=reference)
    newest = versions[-1]
    form, outcome, refused = TrialForm(request.POST or None), None, None
    operation = simple_operation(newest)
    if request.method == "POST" and form.is_valid() and operation is not None:
        try:
            given = form.cleaned_data
            reply = try_key(
                tenant=tenant,
                key=newest,
                operation=operation,
                client_id=given["client"],
                text=given["text"],
                actor=reader.user.username,
            )
            outcome = {
                "result": base64.b64encode(reply.result).decode(),
                "version": reply.version,
                "mechanism": reply.mechanism,
            }
        except Refused as error:
            refused = error
    entries = audit.newest(tenant=tenant, wanted=audit.Wanted(keys=(newest.key_id,)), limit=SHOWN)
    standing, not_known = _standing(versions, tenant)
    able = capable(newest.key_type)
    listed, unlisted_why = _listed(newest)
    return page(
        request,
        "customer/key.html",
        reader=reader,
        key=newest,
        versions=list(reversed(versions)),
        receipt=jws.read_unverified(newest.receipt, Receipt),
        able=able,
        usage=simple_operation(newest) or able[0],
        revocation=standing,
        drilled=any(one.state in ("unchecked", "good", "suspended") for one in standing),
        not_known=not_known,
        samples=samples_for(newest, request.build_absolute_uri("/")),
        jwk=_jwk(newest),
        over=newest.state in OVER,
        trial=trial(tenant=tenant, operation=operation, listed=listed),
        trial_closed=unlisted_why,
        form=form,
        outcome=outcome,
        refused=refused,
        compared=_compared(newest, tenant),
        lines=selectors.lines_of_tenant(entries.entries, tenant=tenant),
        more=entries.older is not None,
    )


@customer_page
def key_receipt(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    found = _named(request, tenant, reference)
    return _file(found.receipt.encode(), f"{found.name}-v{found.version}.receipt.jws", "application/jose")


@customer_page
def key_evidence(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    found = _named(request, tenant, reference)
    evidence = json.dumps(evidence_of(tenant=tenant, key=found), indent=2).encode()
    return _file(evidence, f"{found.name}-v{found.version}.provider-evidence.json", "application/json")


@customer_page
def key_public(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    found, form = _named(request, tenant, reference), request.GET.get("format", "pem")
    if form not in MEDIA_TYPES:
        raise Refused("malformed", f"format is one of {', '.join(MEDIA_TYPES)}")
    return _file(public_key(key=found, form=form), f"{found.name}-v{found.version}.{form}", MEDIA_TYPES[form])


@customer_page
def key_check(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    """Have the device ask now whether the key may be used."""
    revocation.check_now(tenant=tenant, reference=reference)
    messages.success(request, "The device is asking now. Load this page again in a moment for what came of it.")
    return redirect("pages:key", reference=reference)


def _standing(versions: list[Key], tenant: Tenant) -> tuple[list[VersionStatus], Refused | None]:
    """How each version stands with those who may revoke it, which the rows then say too; or why that is not known."""
    try:
        found = revocation.status(tenant=tenant, reference=versions[-1].key_id)
        revocation.stand(versions, found)
    except Refused as error:
        return [], error
    return [one for one in found if one.state not in ("none", "destroyed")], None


def _listed(key: Key) -> tuple[list[selectors.Principal], Refused | None]:
    try:
        return selectors.access_of(key.partition).principals, None
    except Refused as error:
        return [], error


def _compared(key: Key, tenant: Tenant) -> str:
    """By what a browser finds what it sent for a key."""
    about = {"key": key.key_id, "name": key.name, "partition": key.partition.partition_id, "tenant": tenant.slug}
    return json.dumps(about)


def _jwk(key: Key) -> str:
    return json.dumps(json.loads(public_key(key=key, form="jwk")), indent=2) if key.public_key else ""


def _named(request: HttpRequest, tenant: Tenant, reference: str) -> Key:
    version = request.GET.get("version", "0")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Refused("malformed", "version is a number")
    return tee.key(tenant=tenant, reference=reference, version=int(version))


def _file(content: bytes, name: str, media_type: str) -> HttpResponse:
    headers = {"Content-Disposition": content_disposition_header(True, name) or "attachment"}
    return HttpResponse(content, content_type=media_type, headers=headers)
