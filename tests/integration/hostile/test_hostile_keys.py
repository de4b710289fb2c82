"""A portal that passes other keys to the client: it stops before it encrypts."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.trust import validate
from strongroom.protocol import jws
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.encoding import digest
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import Endorsement
from tests.support.client import Client, now
from tests.support.device import Device
from tests.support.hardware import Factory
from tests.support.hostile import Body, HostilePortal
from tests.support.maker import Manufacturer
from tests.support.refusals import refused

MINE = RecipientPrivateKey.generate().public()
SIGNER = Ed25519PrivateKey.generate()


pytestmark = pytest.mark.usefixtures("_nothing_leaves")


def test_while_the_portal_is_honest_the_key_goes_in(alice: Client, portal: HostilePortal) -> None:
    assert alice.import_key("payments").name == "payments"
    assert len(portal.seen("import")) == 1
    portal.requests.clear()


@pytest.fixture
def others_portal(portal: HostilePortal, other: Device) -> tuple[HostilePortal, Device]:
    return portal, other


def own_endorsement(purpose: str, **changes: Any) -> Endorsement:
    """An endorsement of a key to which the portal has the private half."""
    key_id = MINE.key_id("vk_" if purpose == "vendor-key" else "pk_")
    fields: dict[str, Any] = {
        "device": "",
        "purpose": purpose,
        "key_id": key_id,
        "public_key": MINE.text,
        "issued_at": now(),
    }
    return Endorsement(**(fields | changes))


def alone(portal: HostilePortal, _: Device, purpose: str) -> str:
    """Under a root of the portal's own."""
    factory = Factory()
    mine = Device()
    certificate = mine.certified(factory.certify(mine.request.decode())).certificate
    assert certificate is not None
    statement = own_endorsement(purpose, device=mine.id)
    return jws.sign(statement, mine.identity, x5c=to_x5c(certificate))


def under_the_devices_certificate(portal: HostilePortal, _: Device, purpose: str) -> str:
    published = portal.published()
    x5c = jws.read_header(published.vendor_keys[0])["x5c"]
    return jws.sign(own_endorsement(purpose, device=published.device), SIGNER, x5c=x5c)


def with_other_bytes(portal: HostilePortal, _: Device, purpose: str) -> str:
    """The device's own endorsement, in which the key is replaced."""
    published = portal.published()
    true = portal.published_key(purpose)
    head, signature = true.split(".")[0], true.split(".")[2]
    changed = jws.sign(own_endorsement(purpose, device=published.device), SIGNER).split(".")[1]
    return f"{head}.{changed}.{signature}"


def by_another_device(portal: HostilePortal, other: Device, purpose: str) -> str:
    return other.endorse(purpose=purpose, key_id=other.vendor_key.key_id("vk_" if purpose == "vendor-key" else "pk_"))


def by_another_device_in_its_name(portal: HostilePortal, other: Device, purpose: str) -> str:
    return other.endorse(
        purpose=purpose,
        device=portal.published().device,
        key_id=other.vendor_key.key_id("vk_" if purpose == "vendor-key" else "pk_"),
    )


def of_the_other_purpose(portal: HostilePortal, _: Device, purpose: str) -> str:
    return portal.published_key("provider-key" if purpose == "vendor-key" else "vendor-key")


@pytest.mark.parametrize("purpose", ["vendor-key", "provider-key"])
@pytest.mark.parametrize(
    ("make", "code"),
    [
        # None of these names is among those that the device attests to, whoever signed what.
        (alone, "validation-failed"),
        (under_the_devices_certificate, "validation-failed"),
        (with_other_bytes, "validation-failed"),
        (by_another_device, "validation-failed"),
        (by_another_device_in_its_name, "validation-failed"),
        (of_the_other_purpose, "validation-failed"),
    ],
)
def test_a_key_in_the_place_of_the_devices_own_is_refused(
    alice: Client, others_portal: tuple[HostilePortal, Device], purpose: str, make: Callable[..., str], code: str
) -> None:
    portal, other = others_portal
    keys = {f"{purpose.replace('-', '_')}s": [make(portal, other, purpose)]}
    portal.alters("trust", lambda true: true | {"devices": [true["devices"][0] | keys]})
    with refused(code):
        alice.import_key("payments")


def test_another_device_in_the_place_of_the_one_that_holds_the_partition_is_refused(
    alice: Client, portal: HostilePortal, other: Device
) -> None:
    provider_key = by_another_device(portal, other, "provider-key")
    published = {"device": other.id, "vendor_keys": [other.endorse()], "provider_keys": [provider_key]}
    portal.alters("trust", lambda true: true | {"devices": [published]})
    with refused("validation-failed"):
        alice.import_key("payments")


def test_keys_that_another_certified_device_endorses_in_the_right_devices_entry_are_refused(
    alice: Client, portal: HostilePortal, other: Device
) -> None:
    keys = {"vendor_keys": [other.endorse()], "provider_keys": [by_another_device(portal, other, "provider-key")]}
    portal.alters("trust", lambda true: true | {"devices": [true["devices"][0] | keys]})
    with refused("validation-failed"):
        alice.import_key("payments")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (None, "validation-failed"),
        ({"vendor_keys": []}, "suite-unsupported"),
        ({"provider_keys": []}, "suite-unsupported"),
    ],
)
def test_keys_that_are_kept_back_are_not_done_without(
    alice: Client, portal: HostilePortal, keys: Body | None, code: str
) -> None:
    portal.alters("trust", lambda true: true | {"devices": [] if keys is None else [true["devices"][0] | keys]})
    with refused(code):
        alice.import_key("payments")


def test_a_development_device_is_refused_by_a_client_that_was_given_the_production_root_alone(
    alice: Client, manufacturer: Manufacturer
) -> None:
    pems = manufacturer.public("root.pem").decode().split("-----END CERTIFICATE-----\n")
    development = manufacturer.root_pem
    production = [one + "-----END CERTIFICATE-----\n" for one in pems if one and one not in development]
    assert len(production) == 1
    (alice.home.path / "trust/manufacturer-roots.pem").write_text(production[0])
    with refused("certificate-invalid"):
        alice.import_key("payments")


def test_a_development_device_is_refused_where_the_environment_is_production(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_ENV", "production")
    with refused("certificate-invalid"):
        alice.import_key("payments")


def test_where_no_partition_is_asked_about_the_device_is_the_one_that_endorses_the_keys_whatever_the_portal_says(
    alice: Client, portal: HostilePortal, other: Device
) -> None:
    keys = {"vendor_keys": [other.endorse()], "provider_keys": [by_another_device(portal, other, "provider-key")]}
    portal.alters("trust", lambda true: true | {"devices": [true["devices"][0] | keys]})
    lie = {"device": other.id, "public_key_digest": digest(other.vendor_key.raw)}
    portal.does["validation"] = lambda body: {"statement": jws.sign(portal.vouch(body, **lie), portal.validation_key)}
    assert validate(alice.connection, now()).device == other.id
