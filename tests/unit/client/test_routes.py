"""Every transport and suite is followed exactly as asked; whoever offers less, or another, stops the client."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from authorities import PARTITION
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simulator import Simulator

from strongroom.client import imports
from strongroom.client.connection import Connection
from strongroom.client.dossier import judge
from strongroom.client.home import Home
from strongroom.client.material import read_material
from strongroom.client.routes import Route
from strongroom.client.trust import validate
from strongroom.client.validators import anchors
from strongroom.protocol import jws
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.suites import SUITES, generate
from strongroom.protocol.terms import Terms, new_salt

PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
ROUTES = [Route(transport, suite) for transport in ("tee", "engine", "channel") for suite in SUITES]  # type: ignore[arg-type]
every_route = pytest.mark.parametrize("route", ROUTES, ids=[f"{one.transport}-{one.suite}" for one in ROUTES])


@pytest.fixture(autouse=True)
def over_tls(home: Home) -> None:
    """Alice's portal has an https address."""
    home._save_config(msgspec.structs.replace(home.config(), url="https://localhost"))


def bring_in(connection: Connection, now: int, route: Route) -> imports.Imported:
    material = read_material(PEM)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN])
    return imports.import_key(connection, material, "signer", terms, now, route=route)


def sent(provider: Simulator) -> list[Any]:
    return [body for _, path, body in provider.requests if path == "/imports"]


@every_route
def test_a_key_goes_by_every_route_and_the_header_says_which(
    listed: Connection, provider: Simulator, now: int, route: Route
) -> None:
    done = bring_in(listed, now, route)
    header = jws.read_unverified(sent(provider)[0]["header"], ImportHeader)
    assert (header.transport, header.suite) == (route.transport, route.suite)
    assert (header.provider_key == "") is (route.transport == "channel")
    assert provider.opened["signer"][0] == read_material(PEM).secret
    about = [(one.validator, one.subject) for one in done.evidence.validations()]
    assert ("provider", "provider-key") not in about if route.transport == "channel" else about
    assert about[0] == ("manufacturer", "vendor-key")


def test_a_channel_without_tls_is_refused_before_anything_is_asked(
    listed: Connection, home: Home, provider: Simulator, now: int
) -> None:
    home._save_config(msgspec.structs.replace(home.config(), url="http://localhost"))
    provider.requests.clear()
    with pytest.raises(Refused, match="transport-insecure"):
        validate(listed, now, PARTITION, Route("channel"))
    assert not provider.requests


Change = Callable[[Any], Any]


def without(*names: str) -> Change:
    """A portal that offers less: these members of what it publishes are empty."""

    def change(published: dict[str, Any]) -> dict[str, Any]:
        devices = [{**one, **{name: [] for name in names if name in one}} for one in published["devices"]]
        return {**published, "devices": devices, **{name: [] for name in names if name in published}}

    return change


def engine_key(**fields: Any) -> Change:
    return lambda published: {**published, "engine_keys": [{**one, **fields} for one in published["engine_keys"]]}


OTHER = generate("HPKE-XWING").public()


@pytest.mark.parametrize(
    ("route", "change", "code"),
    [
        (Route("engine"), without("engine_keys"), "suite-unsupported"),
        (Route("tee"), without("provider_keys"), "suite-unsupported"),
        (Route("tee", "RSA-AES-KWP"), without("provider_keys"), "suite-unsupported"),
        (Route("channel"), without("vendor_keys"), "suite-unsupported"),
        (Route("engine"), engine_key(status="retired"), "validation-failed"),
        (Route("engine"), engine_key(not_after=int(time.time()) - 10), "validation-failed"),
        (Route("engine"), engine_key(not_before=int(time.time()) + 100_000), "validation-failed"),
        (Route("engine"), engine_key(public_key=OTHER.text), "validation-failed"),
        (Route("engine"), engine_key(public_key=OTHER.text, key_id=OTHER.key_id("pk_")), "validation-failed"),
        (Route("engine", "RSA-AES-KWP"), engine_key(suite="HPKE-XWING"), "suite-unsupported"),
        (Route("engine"), engine_key(suite="RSA-AES-KWP"), "suite-unsupported"),
    ],
)
def test_a_portal_that_offers_less_or_another_key_stops_the_client(
    listed: Connection, provider: Simulator, *, route: Route, change: Change, code: str
) -> None:
    now = int(time.time())
    provider.lies["published"] = change
    with pytest.raises(Refused) as refused:
        bring_in(listed, now, route)
    assert refused.value.code == code
    assert not sent(provider)


@every_route
@pytest.mark.parametrize("other", ROUTES, ids=[f"as-{one.transport}-{one.suite}" for one in ROUTES])
def test_evidence_for_one_route_is_not_taken_for_another(
    listed: Connection, home: Home, now: int, route: Route, other: Route
) -> None:
    evidence = validate(listed, now, PARTITION, route)
    if route == other:
        assert judge(evidence.dossier, other, anchors(home, PARTITION), now)
        return
    # Neither as it is, nor with the other route's name written over it: but a channel needs only the vendor key.
    with pytest.raises(Refused, match="validation-failed"):
        judge(evidence.dossier, other, anchors(home, PARTITION), now)
    if (other.transport, other.suite) != ("channel", route.suite):
        renamed = msgspec.structs.replace(evidence.dossier, transport=other.transport, suite=other.suite)
        with pytest.raises(Refused):
            judge(renamed, other, anchors(home, PARTITION), now)


def changed(**fields: Any) -> Change:
    return lambda statement: msgspec.structs.replace(statement, **fields)


LONG_AGO = int(time.time()) - 7200


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (changed(import_id="imp_other"), "validation-failed"),
        (changed(partition="pt_other"), "validation-failed"),
        (changed(owner="A" * 43), "validation-failed"),
        (changed(purpose="vendor-key"), "validation-failed"),
        (changed(device="dev_other"), "validation-failed"),
        (changed(key_id="vk_other"), "validation-failed"),
        (changed(expires_at=LONG_AGO), "stale"),
        (changed(expires_at=None), "stale"),
        (changed(issued_at=LONG_AGO), "stale"),
        (changed(suite="HPKE-XWING"), "malformed"),
    ],
)
def test_a_single_use_key_for_anything_else_than_this_import_stops_the_client(
    listed: Connection, provider: Simulator, now: int, lie: Change, code: str
) -> None:
    provider.lies["single-use-vendor-key"] = lie
    with pytest.raises(Refused) as refused:
        bring_in(listed, now, Route(suite="RSA-AES-KWP"))
    assert refused.value.code in (code, "validation-failed")
    assert not sent(provider)


def test_a_single_use_key_that_the_manufacturer_does_not_list_stops_the_client(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.answers["POST /v1/vendor-keys"] = lambda: {"status": "in-force"}
    with pytest.raises(Refused, match="validation-failed"):
        bring_in(listed, now, Route(suite="RSA-AES-KWP"))
    assert not sent(provider)


def test_a_standing_vendor_key_cannot_stand_in_for_a_single_use_key(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.answers[f"POST /partitions/{PARTITION}/single-use-keys"] = lambda: {
        "endorsement": provider.endorse("vendor-key", provider.vendor_key)
    }
    with pytest.raises(Refused, match="validation-failed"):
        bring_in(listed, now, Route(suite="RSA-AES-KWP"))
    assert not sent(provider)
