"""Envelopes by every suite and transport: as the client sends them, and as they reach the device."""

import functools
from typing import get_args

from strongroom.protocol import jws, suites
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, ImportHeader, Transport, strip_provider_layer
from tests.support.sealed import Customer

WAYS = [(suite, transport) for suite in suites.SUITES for transport in get_args(Transport)]


@functools.cache
def engine_key(suite: suites.Suite) -> suites.AnyPrivateKey:
    """The provider key that the provider's engine would keep."""
    return suites.generate(suite)


def envelope_by(
    customer: Customer, way: tuple[suites.Suite, Transport], material: bytes, terms: bytes, name: str, **changes: object
) -> Envelope:
    """An envelope of this suite and transport, as the client makes it."""
    suite, transport = way
    import_id = str(changes.pop("import_id", "") or make_id("imp_"))
    fields: dict[str, object] = {
        "import_id": import_id,
        "transport": transport,
        "vendor_key": customer.recipient("vendor") if suite == "HPKE-XWING" else customer.single_use_key(import_id),
        "provider_key": {
            "tee": customer.recipient("provider", suite),
            "engine": engine_key(suite).public(),
            "channel": None,
        }[transport],
    }
    return customer.envelope(material, terms, name, **(fields | changes))


def delivered(envelope: Envelope) -> Envelope:
    """The envelope as it reaches the device: of transport `engine`, without the layer that the engine takes off."""
    header = jws.read_unverified(envelope.header, ImportHeader)
    if header.transport != "engine":
        return envelope
    return strip_provider_layer(envelope, header, engine_key(header.suite))
