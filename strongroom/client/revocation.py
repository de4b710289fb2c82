"""The customer's side of revocation terms: made from an address and files, and judged here as the device will."""

import re
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import Revocation, check_revocation, host, pinned_certificates, text_of_key

_DURATION = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
EVERY = "60s"


def read_duration(text: str) -> int:
    """`45s`, `5m`, `12h` or `7d` as seconds. Raises `Refused("malformed")`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Refused("malformed", f"{text!r} is not a duration: a whole number, from 1 on, with s, m, h or d")
    return int(found[1]) * _SECONDS[found[2]]


def read_moment(text: str, now: int) -> int:
    """A time in ISO 8601, UTC unless it says otherwise, or a duration from `now`; as unix seconds.

    Raises `Refused("malformed")`.
    """
    if _DURATION.fullmatch(text):
        return now + read_duration(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("malformed", f"{text!r} is neither a time in ISO 8601 nor a duration such as 90d") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def make(url: str, *, token: str, pin: bytes, every: str = EVERY, answer_key: bytes = b"") -> Revocation:
    """Terms that have the device ask an endpoint. `pin`: its certificate or public key in PEM (or several of one
    kind); `answer_key`: in PEM, the Ed25519 public key that signs its answers, if one does.

    Raises `Refused`: `terms-refused` for what the device would refuse, and for a pin that the endpoint at `url` could
    never satisfy; `malformed` for a duration.
    """
    blocks = [(found[1], found[0].encode()) for found in _PEM.finditer(pin.decode("ascii", "replace"))]
    terms = Revocation(
        url=url,
        token=token,
        certificates=[_certificate(pem) for label, pem in blocks if label == "CERTIFICATE"],
        public_keys=[_public_key(pem) for label, pem in blocks if label == "PUBLIC KEY"],
        every=read_duration(every),
        answer_key=text_of_key(_answer_key(answer_key)) if answer_key else "",
    )
    check_revocation(terms)
    _check_pins(terms)
    return terms


def make_certificate_status(
    method: Literal["ocsp", "crl", "none", ""], url: str, every: str
) -> CertificateStatus | None:
    """Terms for the status of the key's own certificate; None where nothing is said. Raises `Refused`."""
    if not method:
        if url or every:
            raise Refused("terms-refused", "the status of the certificate: by which method, ocsp or crl?")
        return None
    return CertificateStatus(method=method, url=url, every=read_duration(every) if every else 0)


def in_words(terms: Revocation) -> str:
    """What was chosen, without the token."""
    pins = [f"certificate {digest(one.public_bytes(Encoding.DER))[:16]}…" for one in pinned_certificates(terms)]
    pins += [f"public key {one[:16]}…" for one in terms.public_keys]
    signed = ", with signed answers" if terms.answer_key else ""
    return f"asked at {terms.url}, known by {', '.join(pins)}{signed}; an answer holds for {terms.every} s"


def read_token(value: str, file: Path | None) -> str:
    """The endpoint's token: from a file, or `@FILE`, or as it stands. Raises `Refused("configuration")`."""
    path = file or (Path(value[1:]) if value.startswith("@") else None)
    if path is None:
        return value
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Refused("configuration", f"{path}: {error.strerror}") from None


def _check_pins(terms: Revocation) -> None:
    """Sealed terms cannot be mended: a pin that never fits would make the key useless."""
    certificates, name, now = pinned_certificates(terms), host(terms.url)[0], datetime.now(UTC)
    if certificates and all(one.not_valid_after_utc <= now for one in certificates):
        raise Refused("terms-refused", "the pinned certificate has expired")
    if certificates and not any(_is_authority(one) or _is_for(one, name) for one in certificates):
        raise Refused("terms-refused", f"the pinned certificate is not for {name}")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_for(certificate: x509.Certificate, name: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ip_address(name) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        known = {one.lower() for one in names.get_values_for_type(x509.DNSName)}
    return name.lower() in known or f"*.{name.lower().partition('.')[2]}" in known


def _certificate(pem: bytes) -> str:
    try:
        return b64u(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
    except ValueError:
        raise Refused("terms-refused", "a pinned certificate cannot be read") from None


def _public_key(pem: bytes) -> str:
    try:
        return digest(load_pem_public_key(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except ValueError:
        raise Refused("terms-refused", "a pinned public key cannot be read") from None


def _answer_key(pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Refused("terms-refused", "the key of signed answers is not an Ed25519 public key in PEM")
    return key
