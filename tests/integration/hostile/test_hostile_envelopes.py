"""A portal that alters, re-targets, repeats or keeps an envelope: the device refuses, or the customer sees it."""

import base64
import functools
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import access
from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, ImportHeader, Wrapping, binding_of, wrap
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.client import Client, now
from tests.support.hostile import Body, HostilePortal
from tests.support.materials import make_terms, material_of
from tests.support.refusals import refused

MINE = Ed25519PrivateKey.generate()


def keys_of(client: Client) -> list[tuple[str, str]]:
    command = c.ListKeys(partition=client.partition)
    return client.portal.device.line().call(command, c.ListKeysReply).keys


def recipients(portal: HostilePortal) -> tuple[RecipientPublicKey, RecipientPublicKey]:
    """Vendor key and provider key, which everyone may know."""
    vendor, provider = (
        RecipientPublicKey.from_text(jws.read_unverified(portal.published_key(purpose), Endorsement).public_key)
        for purpose in ("vendor-key", "provider-key")
    )
    return vendor, provider


# --- altered ---


def altered_byte(text: str, place: int) -> str:
    data = bytearray(base64.b64decode(text))
    data[place] ^= 1
    return base64.b64encode(data).decode()


def flipped(part: str, place: int) -> Callable[[HostilePortal, Body], Body]:
    return lambda _, body: {part: altered_byte(body[part], place)}


def truncated(part: str) -> Callable[[HostilePortal, Body], Body]:
    return lambda _, body: {part: base64.b64encode(base64.b64decode(body[part])[:-1]).decode()}


def exchanged(_: HostilePortal, body: Body) -> Body:
    return {"material": body["terms"], "terms": body["material"]}


def header_with(**changes: object) -> Callable[[HostilePortal, Body], Body]:
    """Other things in the header, under the customer's signature of the old ones."""

    def change(_: HostilePortal, body: Body) -> Body:
        head, _, signature = body["header"].split(".")
        says = msgspec.structs.replace(jws.read_unverified(body["header"], ImportHeader), **changes)
        return {"header": ".".join([head, jws.sign(says, MINE).split(".")[1], signature])}

    return change


def signed_by_the_portal(_: HostilePortal, body: Body) -> Body:
    return {"header": jws.sign(jws.read_unverified(body["header"], ImportHeader), MINE)}


def own_content(part: str) -> Callable[[HostilePortal, Body], Body]:
    """Material or terms of the portal's own, sealed properly, in both layers and for this very header."""

    def change(portal: HostilePortal, body: Body) -> Body:
        vendor, provider = recipients(portal)
        binding = binding_of(jws.read_unverified(body["header"], ImportHeader))
        mine = material_of(KeyType.AES_256) if part == "material" else make_terms(KeyType.AES_256).encode()
        inner = vendor.seal(mine, binding.info(part, "vendor"))  # type: ignore[arg-type]
        return {part: base64.b64encode(provider.seal(inner, binding.info(part, "provider"))).decode()}  # type: ignore[arg-type]

    return change


def without_the_inner_layer(portal: HostilePortal, body: Body) -> Body:
    _, provider = recipients(portal)
    binding = binding_of(jws.read_unverified(body["header"], ImportHeader))
    outer = provider.seal(material_of(KeyType.AES_256), binding.info("material", "provider"))
    return {"material": base64.b64encode(outer).decode()}


def without_the_outer_layer(portal: HostilePortal, body: Body) -> Body:
    vendor, _ = recipients(portal)
    binding = binding_of(jws.read_unverified(body["header"], ImportHeader))
    inner = vendor.seal(material_of(KeyType.AES_256), binding.info("material", "vendor"))
    return {"material": base64.b64encode(inner).decode()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (flipped("material", 0), "envelope-unopenable"),
        (flipped("material", -1), "envelope-unopenable"),
        (flipped("terms", 1200), "envelope-unopenable"),
        (truncated("material"), "envelope-unopenable"),
        (truncated("terms"), "envelope-unopenable"),
        (exchanged, "envelope-unopenable"),
        (own_content("material"), "envelope-altered"),
        (own_content("terms"), "envelope-altered"),
        (without_the_inner_layer, "envelope-altered"),
        (without_the_outer_layer, "envelope-unopenable"),
        (header_with(name="invoices"), "signature-invalid"),
        (header_with(tenant="globex"), "signature-invalid"),
        (header_with(terms_digest="0" * 64), "signature-invalid"),
        (header_with(validations=[]), "signature-invalid"),
        (signed_by_the_portal, "device-not-listed"),
    ],
    ids=lambda value: getattr(value, "__qualname__", value).split(".")[0],
)
def test_an_envelope_that_was_altered_on_the_way_is_refused(
    alice: Client, portal: HostilePortal, change: Callable[[HostilePortal, Body], Body], code: str
) -> None:
    portal.does["import"] = lambda body: portal.honest("import", body | change(portal, body))
    with refused(code):
        alice.import_key("payments")
    assert keys_of(alice) == []
    assert "key:import" not in [one.event for one in alice.verify_log().lanes["admin"]]


def test_parts_of_two_envelopes_of_the_customer_do_not_go_together(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("first")
    first = portal.seen("import")[0]
    for part in ({"material": first["material"]}, {"terms": first["terms"]}):
        portal.does["import"] = functools.partial(_import_with, portal, part)
        with refused("envelope-unopenable"):
            alice.import_key("second")


def _import_with(portal: HostilePortal, change: Body, body: Body) -> Body:
    return portal.honest("import", body | change)


def test_a_key_of_the_portals_own_does_not_go_in_in_the_customers_name(alice: Client, portal: HostilePortal) -> None:
    vendor, provider = recipients(portal)
    wrapping = Wrapping(
        import_id=make_id("imp_"),
        tenant="acme",
        partition=alice.partition,
        owner=alice.home.credential("owner").fingerprint,
        device=portal.published().device,
        vendor_key=vendor,
        provider_key=provider,
        name="payments",
        validations=[],
        created_at=now(),
    )
    mine: Envelope = wrap(material_of(KeyType.AES_256), make_terms(KeyType.AES_256).encode(), wrapping, MINE)
    with refused("device-not-listed"):
        portal.honest("import", {"partition": alice.partition} | msgspec.to_builtins(mine))
    assert keys_of(alice) == []


# --- re-targeted ---


def twin_of(alice: Client) -> str:
    """A second partition of Alice's, with the same access list: all but the partition is as in the first."""
    portal = alice.portal
    partition = portal.device.define_partition(alice.home.credential("owner"))
    kept = jws.read_unverified(alice.home.kept("access", alice.partition), AccessList)
    twin = msgspec.structs.replace(kept, partition=partition)
    portal.honest("access-update", {"partition": partition, "document": jws.sign(twin, alice.owner_key)})
    return partition


def test_an_envelope_does_not_go_into_another_partition_even_of_the_same_owner(
    alice: Client, portal: HostilePortal
) -> None:
    twin = twin_of(alice)
    portal.does["import"] = lambda body: portal.honest("import", body | {"partition": twin})
    with refused("wrong-partition"):
        alice.import_key("payments")


def test_an_envelope_kept_from_one_import_does_not_go_into_another_partition(
    alice: Client, charlie: Client, portal: HostilePortal
) -> None:
    alice.import_key("payments")
    kept = portal.seen("import")[0]
    for partition, code in ((twin_of(alice), "wrong-partition"), (charlie.partition, "device-not-listed")):
        with refused(code):
            portal.honest("import", kept | {"partition": partition})
    assert len(keys_of(alice)) == 1
    assert keys_of(charlie) == []


def test_an_envelope_does_not_go_in_as_another_tenants(alice: Client, portal: HostilePortal) -> None:
    portal.tenant = "globex"
    with refused("wrong-tenant"):
        alice.import_key("payments")


def test_in_a_partition_that_officers_defined_for_another_tenant_nothing_is_imported(
    alice: Client, portal: HostilePortal
) -> None:
    for tenant in ("globex", "acme"):
        alice.home.use_partition(portal.device.define_partition(alice.home.credential("owner"), "globex"))
        alice.list_everyone()
        portal.tenant = tenant
        with refused("wrong-tenant"):
            alice.import_key("payments")


# --- repeated and kept ---


def test_an_envelope_sent_twice_is_one_key_with_one_receipt(alice: Client, portal: HostilePortal) -> None:
    portal.does["import"] = lambda body: portal.honest("import", body) and portal.honest("import", body)
    receipt = alice.import_key("payments")
    portal.honest("import", portal.seen("import")[0])
    assert [jws.read_unverified(token, type(receipt)) for token, _ in keys_of(alice)] == [receipt]
    imported = [one for one in alice.verify_log().lanes["admin"] if one.event == "key:import"]
    assert [one.n for one in imported] == [receipt.log_position]


def kept_envelope(alice: Client, portal: HostilePortal) -> Body:
    """An envelope that the portal says it could not import."""

    def keep(_: Body) -> Body:
        raise Refused("internal")

    portal.does["import"] = keep
    with refused("internal"):
        alice.import_key("payments")
    del portal.does["import"]
    return portal.seen("import")[0]


def test_an_envelope_that_is_imported_behind_the_customers_back_stands_in_the_log(
    alice: Client, portal: HostilePortal
) -> None:
    kept = kept_envelope(alice, portal)
    portal.honest("import", kept)
    logged = [one for one in alice.verify_log().lanes["admin"] if one.event == "key:import"]
    assert [one.details["import_id"] for one in logged] == [jws.read_unverified(kept["header"], ImportHeader).import_id]


def test_an_envelope_that_was_kept_goes_in_no_more_once_the_owner_has_taken_its_device_off(
    alice: Client, portal: HostilePortal
) -> None:
    kept = kept_envelope(alice, portal)
    alice.change_access(access.remove(alice.device))
    with refused("device-not-listed"):
        portal.honest("import", kept)
