"""An envelope opens to what was sealed, in its context alone; one that was made once must open for ever."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.envelope import (
    MAX_HEADER,
    MAX_MATERIAL,
    MAX_TERMS,
    Binding,
    Envelope,
    ImportHeader,
    Suite,
    Wrapping,
    binding_of,
    check_header,
    check_sizes,
    strip_provider_layer,
    unwrap,
    wrap,
)
from strongroom.protocol.sealing import OVERHEAD, RecipientPrivateKey, RecipientPublicKey
from tests.support.refusals import refused
from tests.support.vectors import PARTS

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "vectors/envelope-hpke-xwing.json").read_text()
)
VENDOR = RecipientPrivateKey(from_b64u(VECTOR["vendor_private_key"]))
PROVIDER = RecipientPrivateKey(from_b64u(VECTOR["provider_private_key"]))
DEVICE = Ed25519PrivateKey.from_private_bytes(from_b64u(VECTOR["device_private_key"]))
ENVELOPE = Envelope(
    header=VECTOR["header"],
    material=from_b64u(VECTOR["material_ciphertext"]),
    terms=from_b64u(VECTOR["terms_ciphertext"]),
)
HEADER: ImportHeader = check_header(ENVELOPE, DEVICE.public_key())
CLEAR = (from_b64u(VECTOR["material"]), VECTOR["terms"].encode())


def opened(
    envelope: Envelope, header: ImportHeader, vendor: RecipientPrivateKey, provider: RecipientPrivateKey
) -> tuple[bytes, bytes]:
    """Both layers off, as a device with its own provider key takes them off."""
    return unwrap(strip_provider_layer(envelope, header, provider), header, vendor)


def test_the_envelope_of_the_vector_opens_to_what_it_held() -> None:
    assert opened(ENVELOPE, HEADER, VENDOR, PROVIDER) == CLEAR
    assert (HEADER.vendor_key, HEADER.provider_key) == (VENDOR.public().key_id("vk_"), PROVIDER.public().key_id("pk_"))


@pytest.mark.parametrize(("part", "layer"), PARTS)
def test_the_contexts_are_those_of_the_vector(part: Any, layer: Any) -> None:
    assert binding_of(HEADER).info(part, layer).decode() == VECTOR["info"][f"{part}-{layer}"]


def test_the_outer_layer_holds_no_more_than_the_inner_one() -> None:
    outer = PROVIDER.open(ENVELOPE.material, VECTOR["info"]["material-provider"].encode())
    assert VENDOR.open(outer, VECTOR["info"]["material-vendor"].encode()) == CLEAR[0]
    assert len(ENVELOPE.material) == len(outer) + OVERHEAD == len(CLEAR[0]) + 2 * OVERHEAD
    assert CLEAR[0] not in outer


def test_neither_key_alone_opens_it() -> None:
    for vendor, provider in ((VENDOR, VENDOR), (PROVIDER, PROVIDER), (PROVIDER, VENDOR)):
        with refused("envelope-unopenable"):
            opened(ENVELOPE, HEADER, vendor, provider)


@pytest.mark.parametrize("member", sorted(set(Binding.__struct_fields__) - {"suite", "transport"}))
def test_no_part_of_the_context_can_be_exchanged(member: str) -> None:
    header = msgspec.structs.replace(HEADER, **{member: "other"})
    with refused("envelope-unopenable"):
        opened(ENVELOPE, header, VENDOR, PROVIDER)


def test_the_context_has_every_member_that_the_header_shares_with_it() -> None:
    names = {"import_id", "partition", "owner", "device", "vendor_key", "provider_key", "suite", "transport"}
    assert set(Binding.__struct_fields__) == names | {"terms_digest"}
    assert get_args(Suite) == ("HPKE-XWING", "RSA-AES-KWP")


@pytest.mark.parametrize("member", ["material_digest", "terms_ciphertext_digest"])
def test_what_is_inside_is_what_was_signed(member: str) -> None:
    with refused("envelope-altered"):
        opened(ENVELOPE, msgspec.structs.replace(HEADER, **{member: "0" * 64}), VENDOR, PROVIDER)


def test_the_provider_cannot_put_a_key_of_its_own_under_the_outer_layer() -> None:
    """It may know the provider key in another custody, and the vendor's public key always."""
    info = {name: text.encode() for name, text in VECTOR["info"].items()}
    forged = VENDOR.public().seal(bytes(32), info["material-vendor"])
    outer = PROVIDER.public().seal(forged, info["material-provider"])
    with refused("envelope-altered"):
        opened(msgspec.structs.replace(ENVELOPE, material=outer), HEADER, VENDOR, PROVIDER)


def test_terms_cannot_be_exchanged_for_those_of_another_envelope() -> None:
    wrapping = Wrapping(
        **{name: getattr(HEADER, name) for name in ("import_id", "tenant", "partition", "owner", "device", "name")},
        vendor_key=VENDOR.public(),
        provider_key=PROVIDER.public(),
        validations=[],
        created_at=HEADER.created_at,
    )
    other = wrap(CLEAR[0], CLEAR[1].replace(b"signed", b"token"), wrapping, DEVICE)
    mixed = msgspec.structs.replace(ENVELOPE, terms=other.terms)
    with refused("envelope-altered"):
        opened(mixed, HEADER, VENDOR, PROVIDER)
    # Nor with the other header, which names the other terms: the material is bound to its own.
    header = check_header(other, DEVICE.public_key())
    with refused("envelope-altered", "envelope-unopenable"):
        opened(msgspec.structs.replace(other, material=ENVELOPE.material), header, VENDOR, PROVIDER)


def test_sizes_are_checked_at_the_byte() -> None:
    check_sizes(Envelope(header="h" * MAX_HEADER, material=bytes(MAX_MATERIAL), terms=bytes(MAX_TERMS)))
    for header, material, terms in (
        (MAX_HEADER + 1, 0, 0),
        (0, MAX_MATERIAL + 1, 0),
        (0, 0, MAX_TERMS + 1),
    ):
        with refused("too-large"):
            check_sizes(Envelope(header="h" * header, material=bytes(material), terms=bytes(terms)))


@pytest.mark.parametrize("raw", [b"", bytes(1215), bytes(1217), b"\xff" * 1216, VENDOR.public().raw[:-32] + bytes(32)])
def test_what_is_no_recipients_key_seals_nothing(raw: bytes) -> None:
    with refused("malformed"):
        RecipientPublicKey(raw).seal(b"m", b"")


def test_a_private_key_does_not_show_itself() -> None:
    assert VECTOR["vendor_private_key"] not in f"{VENDOR!r}{VENDOR}"
    assert repr(VENDOR.raw) not in repr([VENDOR])
