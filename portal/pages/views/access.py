"""Pages on which an owner credential in the browser changes who is listed, or a security key that the owner lets."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.pages import editing, selectors
from portal.pages.access import customer_page
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.webauthn import AssertionForm, RegistrationForm, origin_of, read
from strongroom.protocol.access import access_list_digest, edit_challenge, edited_document
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import registered
from tee import services
from tenants import selectors as tenants
from tenants.models import Partition, Tenant


@customer_page
def access(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    """Who may do what, to be changed; and of a change that was put together, what it says, to be signed."""
    partition = _defined(tenant, reference)
    if request.method != "POST":
        return _form(request, reader, tenant, partition)
    found = selectors.access_of(partition)
    rows = editing.rows(found, selectors.names_of(tenant=tenant), tenant)
    shown, off = set(request.POST.getlist("shown")), set(request.POST.getlist("off"))
    asked = {
        row.field: [] if row.entry.principal in off else request.POST.getlist(row.field)
        for row in rows
        if row.entry.principal in shown
    }
    try:
        draft = editing.draft(found, rows, asked, request.POST.get("following", ""))
    except Refused as refused:
        return _form(request, reader, tenant, partition, refused)
    if not draft.words:
        messages.warning(request, "Nothing is different from what is in force.")
        return redirect("pages:partition-access", reference=reference)
    return page(
        request,
        "customer/access_sign.html",
        reader=reader,
        partition=partition,
        access=found,
        draft=draft,
        sent=editing.sent_again(rows, request.POST),
        keys=editing.usable(found, origin_of(request)),
        challenge=b64u(edit_challenge(draft.payload)),
        facts=_facts(tenant, partition, found, payload=draft.encoded),
    )


@customer_page
def sign(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    """Pass on what a security key signed. The device decides, by the owner's list and the key's signature."""
    partition = _defined(tenant, reference)
    given = read(AssertionForm(request.POST))
    found = selectors.access_of(partition)
    rows = editing.rows(found, selectors.names_of(tenant=tenant), tenant)
    credential = given.pop("credential_id")
    key = next((one.key for one in found.editors if one.key.id == credential), None)
    try:
        if key is None:
            raise Refused("not-an-editor")
        payload = from_b64u(request.POST.get("payload", ""))
        document = edited_document(found.document, payload, key=key.fingerprint, **given)
        version = services.update_access(
            tenant=tenant,
            partition_id=partition.partition_id or "",
            document=document,
            actor=reader.user.username,
        )
    except Refused as refused:
        return _form(request, reader, tenant, partition, refused)
    for said in (f"Version {version} of the access list is in force.", *editing.words_of(payload, found, rows)):
        messages.success(request, said)
    return redirect("pages:partition", reference=reference)


@customer_page
def security_keys(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    """The security keys that may change the list; and of a new one, what the owner is to run."""
    partition, made = _defined(tenant, reference), None
    if request.method == "POST":
        made = registered(origin=origin_of(request), **read(RegistrationForm(request.POST)))
    return page(
        request,
        "customer/editors.html",
        reader=reader,
        partition=partition,
        access=selectors.access_of(partition),
        made=made,
        word=b64u(canonical_json(made)) if made else "",
    )


def _form(
    request: HttpRequest, reader: Reader, tenant: Tenant, partition: Partition, refused: Refused | None = None
) -> HttpResponse:
    """The list in force, and why what was asked for did not come into force, where it did not."""
    found = selectors.access_of(partition)
    find = request.GET.get("find", "").strip()[:100]
    everyone = editing.rows(found, selectors.names_of(tenant=tenant), tenant)
    rows = editing.found(editing.asked_again(everyone, request.POST) if refused else everyone, find)
    listed, others = [one for one in rows if one.listed], [one for one in rows if not one.listed]
    return page(
        request,
        "customer/access.html",
        reader=reader,
        status=refused.problem.status if refused else 200,
        partition=partition,
        access=found,
        tables=[("On the list", listed[: editing.SHOWN]), ("Not on it", others[: editing.SHOWN])],
        left_out=max(len(listed) - editing.SHOWN, 0) + max(len(others) - editing.SHOWN, 0),
        find=find,
        keys=editing.usable(found, origin_of(request)),
        following=access_list_digest(found.document or None),
        refused=refused,
        facts=_facts(tenant, partition, found),
    )


def _facts(tenant: Tenant, partition: Partition, found: selectors.Access, **more: str) -> str:
    """What the page's script goes by; of the owners it has the device's own word before it signs."""
    facts = {"tenant": tenant.slug, "partition": partition.partition_id, "owners": found.owners, **more}
    return canonical_json(facts).decode()


def _defined(tenant: Tenant, reference: str) -> Partition:
    found = tenants.partition(tenant=tenant, reference=reference)
    if not found.partition_id or found.status != Partition.Status.DEFINED:
        raise Refused("not-found", "no partition that is in use")
    return found
