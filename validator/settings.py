"""What a validator watches and what it trusts for that, got out of band: one file of its store."""

import re
import ssl
from typing import Annotated

import msgspec
from cryptography import x509

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.errors import Refused
from validator.store import Store, write_file

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class Watched(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A service: its https address, and the certificate (its own or its authority's, PEM) that it must show."""

    url: str
    tls: str


class Manufacturer(Watched, frozen=True, kw_only=True):
    """`roots`: the certificates (PEM) that vouch for its devices and its statements."""

    roots: str


class Provider(Watched, frozen=True, kw_only=True):
    """`credential`: the key with which the provider's own validator signs."""

    name: str
    credential: PublicCredential


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`name` is what the validator calls itself in its statements, `interval` the seconds between two looks."""

    name: str
    interval: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 5.0
    manufacturer: Manufacturer
    provider: Provider

    def roots(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(self.manufacturer.roots.encode())


def save(*, store: Store, settings: Settings) -> None:
    """Keep the settings in place of those before. Raises `Refused("configuration")` for what could never work."""
    # A statement's reader must not take one validator for another.
    if not _NAME.fullmatch(settings.name) or settings.name in ("manufacturer", "provider"):
        raise Refused("configuration", "a validator's name has letters, digits, dots and hyphens, and is its own")
    try:
        settings.roots()
        for one in (settings.manufacturer, settings.provider):
            tls_context(one)
            if not one.url.startswith("https://"):
                raise Refused("configuration", f"{one.url!r} is not an https address")
    except (ValueError, ssl.SSLError):
        raise Refused("configuration", "a certificate cannot be read") from None
    write_file(store.settings, canonical_json(settings))


def load(store: Store) -> Settings:
    """Raises `Refused("configuration")` where there are none."""
    if not store.settings.is_file():
        raise Refused("configuration", f"no validator's store in {store.folder}: run init first")
    return read_json(store.settings.read_bytes(), Settings, "configuration")


def tls_context(watched: Watched) -> ssl.SSLContext:
    """TLS that trusts the one certificate alone, which may be a leaf that some authority issued."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=watched.tls)
    return context
