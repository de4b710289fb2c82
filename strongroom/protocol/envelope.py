"""The import envelope: a signed header, and material and terms, each sealed to vendor key, then to provider key.

The main path in order: `wrap` (in the client) → `check_header` → `strip_provider_layer` (in the TEE or the engine; for
transport `channel` there is none) → `unwrap` (in the TEE).
Source: US 9,141,769, claims on double encryption; HPKE `info` after RFC 9180 §5.1.
"""

import re
from typing import ClassVar, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import canonical_json, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import AnyPrivateKey, AnyPublicKey, Suite
from strongroom.protocol.terms import terms_digest

Transport = Literal["tee", "engine", "channel"]
"""Who strips the provider layer: the TEE, the provider's engine, or nobody (the TLS connection takes its place)."""
Origin = Literal["imported", "made", "kept"]
"""Where a version's key comes from: the envelope, the device that makes it, or the version before, which it keeps."""
ORIGIN_EVENTS: dict[Origin, str] = {"imported": "key:import", "made": "key:make", "kept": "key:renew"}
"""How the device's log calls each."""
IMPORT_ID = re.compile(r"imp_[a-z2-7]{32}")
MAX_MATERIAL = 64 * 1024
MAX_TERMS = 64 * 1024
MAX_HEADER = 32 * 1024


class Validation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One validation that the client made before it encrypted: who said what of which key, and the digest of that."""

    validator: str
    subject: str
    status: str
    statement_digest: str
    issued_at: int


class ImportHeader(jws.Statement, frozen=True, kw_only=True):
    """What the client device signs. Everything in it is known to the provider; none of it is secret.

    `material_digest` and `terms_ciphertext_digest` are SHA-256 over the *vendor-layer* ciphertexts, so that they hold
    whoever strips the outer layer; `terms_digest` is over the terms themselves. With an `origin` other than `imported`
    there is no material: that part is empty.
    """

    TYP: ClassVar[str] = "strongroom.import-header"

    v: Literal[1] = 1
    import_id: str
    tenant: str
    partition: str
    owner: str
    device: str
    vendor_key: str
    provider_key: str
    transport: Transport
    suite: Suite
    name: str
    version: int = 1
    origin: Origin = "imported"
    material_digest: str
    terms_ciphertext_digest: str
    terms_digest: str
    validations: list[Validation]
    created_at: int


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What travels: the header as signed (compact JWS) and two ciphertexts with their outer layer."""

    header: str
    material: bytes
    terms: bytes


class Binding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The context that is bound into every layer of every part."""

    import_id: str
    partition: str
    owner: str
    device: str
    vendor_key: str
    provider_key: str
    suite: Suite
    transport: Transport
    terms_digest: str

    def info(self, part: Literal["material", "terms"], layer: Literal["vendor", "provider"]) -> bytes:
        """HPKE `info`: canonical JSON. The digest of the terms binds the material to them, and is absent for terms."""
        members = msgspec.structs.asdict(self) | {"v": "strongroom-envelope-1", "part": part, "layer": layer}
        if part == "terms":
            del members["terms_digest"]
        return canonical_json(members)


def binding_of(header: ImportHeader) -> Binding:
    return Binding(**{name: getattr(header, name) for name in Binding.__struct_fields__})


class Wrapping(msgspec.Struct, frozen=True, kw_only=True):
    """Whom and what an envelope is for: all of the header but the digests, which `wrap` computes."""

    import_id: str
    tenant: str
    partition: str
    owner: str
    device: str
    vendor_key: AnyPublicKey
    provider_key: AnyPublicKey | None
    transport: Transport = "tee"
    name: str
    version: int = 1
    origin: Origin = "imported"
    validations: list[Validation]
    created_at: int


def wrap(material: bytes, terms: bytes, wrapping: Wrapping, device_key: Ed25519PrivateKey) -> Envelope:
    """Seal `material` (unless there is none) and `terms` to vendor key and then provider key, and sign the header.

    Returns the envelope to send. Nothing in it can be opened outside the device that holds both private keys.
    """
    # 1. The context that both layers of both parts are bound to.
    vendor_key, provider_key = wrapping.vendor_key, wrapping.provider_key
    if (provider_key is None) != (wrapping.transport == "channel"):
        raise Refused("malformed", "every transport but channel has a provider layer")
    if provider_key is not None and provider_key.suite != vendor_key.suite:
        raise Refused("malformed", "both layers are of one suite")
    binding = Binding(
        import_id=wrapping.import_id,
        partition=wrapping.partition,
        owner=wrapping.owner,
        device=wrapping.device,
        vendor_key=vendor_key.key_id("vk_"),
        provider_key=provider_key.key_id("pk_") if provider_key else "",
        suite=vendor_key.suite,  # type: ignore[arg-type]  # each recipient class has its suite's name
        transport=wrapping.transport,
        terms_digest=terms_digest(terms),
    )
    # 2. The inner layer, which only the device's vendor key opens.
    imported = wrapping.origin == "imported"
    inner_material = vendor_key.seal(material, binding.info("material", "vendor")) if imported else b""
    inner_terms = vendor_key.seal(terms, binding.info("terms", "vendor"))
    # 3. The header, which names what was sealed, for whom, and what was validated before.
    header = ImportHeader(
        **msgspec.structs.asdict(binding),
        tenant=wrapping.tenant,
        name=wrapping.name,
        version=wrapping.version,
        origin=wrapping.origin,
        material_digest=digest(inner_material),
        terms_ciphertext_digest=digest(inner_terms),
        validations=wrapping.validations,
        created_at=wrapping.created_at,
    )
    # 4. The outer layer, which only the provider key opens.
    if provider_key is not None:
        if imported:
            inner_material = provider_key.seal(inner_material, binding.info("material", "provider"))
        inner_terms = provider_key.seal(inner_terms, binding.info("terms", "provider"))
    return Envelope(header=jws.sign(header, device_key), material=inner_material, terms=inner_terms)


def check_sizes(envelope: Envelope) -> None:
    """Raise `Refused("too-large")` before any work is done for an oversized envelope."""
    if len(envelope.material) > MAX_MATERIAL or len(envelope.terms) > MAX_TERMS or len(envelope.header) > MAX_HEADER:
        raise Refused("too-large", "an envelope's part is larger than any key or terms")


def header_digest(header: str) -> str:
    """SHA-256 of the header exactly as it was signed and sent."""
    return digest(header.encode())


def check_header(envelope: Envelope, device_key: Ed25519PublicKey) -> ImportHeader:
    """The header, if `device_key` signed it. Raises `Refused("signature-invalid" | "statement-malformed")`."""
    header = jws.verify(envelope.header, ImportHeader, device_key)
    if header.origin != "imported" and envelope.material:
        raise Refused("envelope-altered", "only an imported key has material")
    if (header.provider_key == "") != (header.transport == "channel"):
        raise Refused("statement-malformed", "every transport but channel has a provider key")
    return header


def strip_provider_layer(envelope: Envelope, header: ImportHeader, provider_key: AnyPrivateKey) -> Envelope:
    """The envelope without its outer layer: by the TEE, or by the engine of a provider that holds the key itself.

    Raises `Refused("envelope-unopenable")` alike for whichever part fails.
    """
    binding = binding_of(header)
    if provider_key.suite != header.suite:
        raise Refused("envelope-unopenable")
    imported = header.origin == "imported"
    return Envelope(
        header=envelope.header,
        material=provider_key.open(envelope.material, binding.info("material", "provider")) if imported else b"",
        terms=provider_key.open(envelope.terms, binding.info("terms", "provider")),
    )


def unwrap(envelope: Envelope, header: ImportHeader, vendor_key: AnyPrivateKey) -> tuple[bytes, bytes]:
    """(material, terms) in clear, of an envelope whose outer layer is off. Only the sealed process holds `vendor_key`.

    The material is empty where it is not imported.

    Raises `Refused("envelope-altered")` where the inner ciphertexts are not what the header states, and
    `Refused("envelope-unopenable")` alike for whichever part fails.
    """
    binding = binding_of(header)
    # 1. What is inside is what the device signed.
    if digest(envelope.material) != header.material_digest or digest(envelope.terms) != header.terms_ciphertext_digest:
        raise Refused("envelope-altered")
    # 2. Strip the vendor layer: first the terms, to which the material is bound by their digest.
    if vendor_key.suite != header.suite:
        raise Refused("envelope-unopenable")
    terms = vendor_key.open(envelope.terms, binding.info("terms", "vendor"))
    if terms_digest(terms) != header.terms_digest:
        raise Refused("envelope-altered")
    if header.origin != "imported":
        return b"", terms
    return vendor_key.open(envelope.material, binding.info("material", "vendor")), terms
