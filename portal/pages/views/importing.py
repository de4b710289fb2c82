"""The page that imports a key, or has the device make one: its script does, in the browser, by the REST interface."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from portal.pages.access import customer_page
from portal.pages.browser_modules import import_map
from portal.pages.readers import Reader
from portal.pages.rendering import page
from strongroom.protocol import jws
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.mechanisms import REGISTRY, SYMMETRIC, KeyType
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import MADE_SIZES
from tee import selectors as tee
from tenants import selectors as tenants
from tenants.models import Partition, Tenant

KEY_TYPES = ("AES-128", "AES-256", "ChaCha20", "HMAC", "RSA", "EC-P256", "EC-P384", "EC-P521", "Ed25519", "X25519")
"""Of keys in files those that a browser can test; the command knows more."""
MADE_TYPES = {
    "Key pairs": [one.value for one in KeyType if one not in SYMMETRIC],
    "Symmetric keys": [one.value for one in KeyType if one in SYMMETRIC],
}
"""The device makes all, and of those nothing is tested in a browser."""


@customer_page
def import_key(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """`?version-of=` names a key that is to get a new version: the form is filled in for it.

    Raises `Refused("not-found")` for a key that the tenant does not have.
    """
    succeeded = request.GET.get("version-of", "")
    before = tee.key(tenant=tenant, reference=succeeded) if succeeded else None
    partitions = [one for one in tenants.partitions(tenant=tenant) if one.status == Partition.Status.DEFINED]
    return page(
        request,
        "customer/import.html",
        reader=reader,
        before=before,
        made_before=before is not None and jws.read_unverified(before.receipt, Receipt).origin != "imported",
        made_type=before.key_type if before else KeyType.EC_P256,
        partitions=partitions,
        key_types=KEY_TYPES,
        made_types=MADE_TYPES,
        rsa_bits=MADE_SIZES[KeyType.RSA],
        import_map=import_map(),
        facts=canonical_json({"tenant": tenant.slug, "registry": _registry()}).decode(),
    )


def _registry() -> dict[str, Any]:
    """Which mechanism serves which types and operations."""
    return {
        name: {"key_types": sorted(row.key_types), "operations": sorted(row.operations)}
        for name, row in REGISTRY.items()
    }
