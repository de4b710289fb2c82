"""Suite and transport are what the client signed: nobody on the way can choose weaker ones, or mix layers."""

import json
import os
from collections.abc import Callable

import pytest

from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import changed, code_of, resigned
from tests.support.materials import make_terms
from tests.support.sealed import Customer
from tests.support.ways import WAYS, delivered, engine_key, envelope_by

pytestmark = pytest.mark.usefixtures("_leaves_nothing")
Seal = Callable[..., Envelope]


@pytest.fixture
def seal(alice: Customer, name: str) -> Seal:
    """An envelope by suite and transport, as the client sends it."""
    terms = make_terms(KeyType.AES_256).encode()
    return lambda *way: envelope_by(alice, way, os.urandom(32), terms, name)


def relabelled(envelope: Envelope, **members: str) -> Envelope:
    """The header with other members under the signature that it had: what somebody on the way can do."""
    head, body, signature = envelope.header.split(".")
    altered = b64u(canonical_json(json.loads(from_b64u(body)) | members))
    return changed(envelope, header=f"{head}.{altered}.{signature}")


@pytest.mark.parametrize("made", WAYS, ids="-".join)
def test_another_suite_or_transport_in_the_header_breaks_its_signature(
    alice: Customer, seal: Seal, made: tuple[str, str]
) -> None:
    envelope = delivered(seal(*made))
    for suite, transport in set(WAYS) - {made}:
        assert code_of(alice, relabelled(envelope, suite=suite, transport=transport)) == "signature-invalid"
    assert code_of(alice, relabelled(envelope, provider_key="pk_other")) == "signature-invalid"


@pytest.mark.parametrize("transport", ["tee", "engine"])
def test_layers_of_hpke_are_bound_to_the_transport_even_under_a_new_signature(
    alice: Customer, seal: Seal, transport: str
) -> None:
    """A device that was made to sign another transport cannot make old ciphertexts fit it."""
    envelope = delivered(seal("HPKE-XWING", transport))
    other = {"tee": "engine", "engine": "tee"}[transport]
    provider_key = alice.recipient("provider").key_id("pk_")
    for changes in (
        {"transport": other},
        {"transport": other, "provider_key": provider_key},
        {"transport": "channel", "provider_key": ""},
    ):
        code = code_of(alice, resigned(alice, envelope, **changes))
        assert code in {"envelope-unopenable", "envelope-altered", "provider-key-unknown"}


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_a_layer_that_should_be_on_or_off_is_refused(alice: Customer, seal: Seal, suite: str) -> None:
    # `engine`: the provider forwards it without taking its layer off.
    assert code_of(alice, seal(suite, "engine")) == "envelope-altered"
    # `channel`: the provider adds a layer of its own.
    envelope = seal(suite, "channel")
    outer = engine_key(suite).public()
    sealed = changed(envelope, material=outer.seal(envelope.material, b""), terms=outer.seal(envelope.terms, b""))
    assert code_of(alice, sealed) == "envelope-altered"
    # `tee`: one part arrives as the inner layer of another envelope would.
    through_tee, plain = seal(suite, "tee"), seal(suite, "channel")
    for part in ("material", "terms"):
        assert code_of(alice, changed(through_tee, **{part: getattr(plain, part)})) == "envelope-unopenable"
        assert code_of(alice, changed(plain, **{part: getattr(through_tee, part)})) == "envelope-altered"


def test_a_header_that_contradicts_itself_is_refused_although_it_is_signed(alice: Customer, seal: Seal) -> None:
    for transport, provider_key in (("channel", "pk_any"), ("tee", ""), ("engine", "")):
        spoilt = resigned(alice, seal("HPKE-XWING", transport), provider_key=provider_key)
        assert code_of(alice, spoilt) == "statement-malformed"


@pytest.mark.parametrize("changes", [{"suite": "RSA-PKCS1"}, {"suite": ""}, {"transport": "post"}, {"transport": ""}])
def test_a_suite_or_transport_that_there_is_not_is_refused(
    alice: Customer, seal: Seal, changes: dict[str, str]
) -> None:
    assert code_of(alice, resigned(alice, seal("HPKE-XWING", "tee"), **changes)) == "statement-malformed"


def test_keys_of_one_suite_do_not_serve_the_other(alice: Customer, seal: Seal) -> None:
    hpke, rsa = seal("HPKE-XWING", "tee"), seal("RSA-AES-KWP", "tee")
    long_lived, single = (
        alice.recipient("vendor").key_id("vk_"),
        alice.single_use_key(f"imp_{'a' * 32}").key_id("vk_"),
    )
    of_hpke, of_rsa = (alice.recipient("provider", suite).key_id("pk_") for suite in ("HPKE-XWING", "RSA-AES-KWP"))
    assert code_of(alice, resigned(alice, hpke, provider_key=of_rsa)) == "provider-key-unknown"
    assert code_of(alice, resigned(alice, rsa, provider_key=of_hpke)) == "provider-key-unknown"
    assert code_of(alice, resigned(alice, hpke, suite="RSA-AES-KWP")) == "provider-key-unknown"
    hpke, rsa = seal("HPKE-XWING", "channel"), seal("RSA-AES-KWP", "channel")
    assert code_of(alice, resigned(alice, hpke, vendor_key=single)) == "vendor-key-unknown"
    assert code_of(alice, resigned(alice, rsa, vendor_key=long_lived)) == "vendor-key-unknown"
    assert code_of(alice, resigned(alice, rsa, suite="HPKE-XWING")) == "vendor-key-unknown"
    assert code_of(alice, resigned(alice, hpke, suite="RSA-AES-KWP")) == "vendor-key-unknown"
