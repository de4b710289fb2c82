"""Envelopes by every transport and suite, with the keys that the portal publishes or has made for them."""

from itertools import product
from typing import Any, get_args

import httpx

from strongroom.protocol import action_table, admin_actions, commands, jws, suites
from strongroom.protocol.action_table import Body
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, Transport
from strongroom.protocol.statements import Endorsement
from strongroom.protocol.suites import SUITES, AnyPublicKey
from tests.support.keys import import_body, p256_pkcs8, p256_terms
from tests.support.portal import Browser, Organisation
from tests.support.sealed import Customer, SealedDevice, nonce, now

ROUTES = list(product(get_args(Transport), SUITES))
"""Every transport with every suite."""
TLS_IMPORTS = "https://localhost/api/v1/imports"


def engine_key(suite: str) -> dict[str, Any]:
    """The engine's key of a suite as `GET trust` has it."""
    [found] = [one for one in Browser().get("trust").json()["engine_keys"] if one["suite"] == suite]
    return found


def single_use_key(organisation: Organisation, customer: Customer, import_id: str) -> Endorsement:
    """Asked for at the portal; its endorsement is not verified here."""
    body = {"import_id": import_id, "owner": public_credential(customer.owner).fingerprint}
    response = organisation.as_client().post(f"partitions/{customer.partition}/single-use-keys", json=body)
    assert response.status_code == 201, response.text
    return jws.read_unverified(response.json()["endorsement"], Endorsement)


def make_envelope(
    organisation: Organisation, customer: Customer, route: tuple[str, str], name: str, **changes: Any
) -> Envelope:
    """A P-256 key in token mode, or `material` and `terms`, wrapped for a route; `changes` are the header's."""
    transport, suite = route
    import_id = changes.setdefault("import_id", make_id("imp_"))
    provider_key: AnyPublicKey | None = None
    if transport == "tee":
        provider_key = customer.recipient("provider", suite)
    elif transport == "engine":
        provider_key = suites.public_key(suite, engine_key(suite)["public_key"])
    fields: dict[str, Any] = {"transport": transport, "provider_key": provider_key}
    if suite == "RSA-AES-KWP":
        fields["vendor_key"] = suites.public_key(suite, single_use_key(organisation, customer, import_id).public_key)
    material, terms = changes.pop("material", p256_pkcs8()), changes.pop("terms", p256_terms())
    return customer.envelope(material, terms.encode(), name, **(fields | changes))


def post_import(organisation: Organisation, customer: Customer, envelope: Envelope, **more: str) -> httpx.Response:
    """To the portal, over TLS."""
    return organisation.as_client().post(TLS_IMPORTS, json=import_body(customer.partition, envelope) | more)


def flipped(envelope: Envelope, part: str, place: int) -> Envelope:
    """The envelope with one bit of a part turned over; of the header, within its base64url where it is one."""
    fields: dict[str, Any] = {"header": envelope.header, "material": envelope.material, "terms": envelope.terms}
    if part == "header":
        other = "A" if envelope.header[place] != "A" else "B"
        fields[part] = envelope.header[:place] + other + envelope.header[place + 1 :]
    else:
        data = bytearray(fields[part])
        data[place] ^= 0x10
        fields[part] = bytes(data)
    return Envelope(**fields)


def rotate(device: SealedDevice, body: Body, *customers: Customer) -> str:
    """Have security officers rotate a wrapping key of the device. Returns the new key's id; `customers` learn of it."""
    first, *others = device.of("security")
    request = admin_actions.ActionRequest(
        action=action_table.action_name(body), body=body, world=device.world, nonce=nonce(), created_at=now()
    )
    opened = commands.OpenAction(request=jws.sign(request, first.signing))
    action = device.line().call(opened, commands.OpenActionReply).action
    key_id = device.execute(action, [card.approve(action) for card in others])
    for customer in customers:
        customer.published = device.line().call(commands.PublishKeys(), commands.PublishKeysReply)
    return key_id
