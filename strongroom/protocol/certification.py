"""What a certification request (PKCS#10, RFC 2986) says of its subject: read by the device, checked by the client."""

import ipaddress
from collections.abc import Callable

import msgspec
from cryptography import x509

from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused

MAX_REQUEST = 4096
_KINDS: dict[str, Callable[[str], x509.GeneralName]] = {
    "DNS": x509.DNSName,
    "email": x509.RFC822Name,
    "URI": x509.UniformResourceIdentifier,
}


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """`subject` is a distinguished name as RFC 4514 writes it; `san` are alternative names: `DNS:`, `IP:`, `email:`
    or `URI:` and a value."""

    subject: str = ""
    san: list[str] = []

    def encode(self) -> bytes:
        return canonical_json(self)


def read_subject(payload: bytes) -> Subject:
    """Raises `Refused("payload-invalid")`, also where the subject names nobody."""
    if len(payload) > MAX_REQUEST:
        raise Refused("payload-invalid", f"subject and names have at most {MAX_REQUEST} bytes")
    try:
        subject = msgspec.json.decode(payload, type=Subject)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("payload-invalid", f"not a subject in JSON: {error}") from None
    if not subject.subject and not subject.san:
        raise Refused("payload-invalid", "a subject or an alternative name is needed")
    return subject


def request_builder(subject: Subject) -> x509.CertificateSigningRequestBuilder:
    """The request, to be signed. Raises `Refused("payload-invalid")` for what is no name."""
    try:
        name = x509.Name.from_rfc4514_string(subject.subject)
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    except (ValueError, KeyError, TypeError) as error:
        hint = "`subject` is no name as RFC 4514 writes one, such as 'CN=shop.example,O=Example,C=DE'"
        raise Refused("payload-invalid", f"{hint}: {error}".removesuffix(": ")) from None
    try:
        if subject.san:
            names = x509.SubjectAlternativeName([_general_name(one) for one in subject.san])
            builder = builder.add_extension(names, critical=not subject.subject)
    except (ValueError, KeyError, TypeError) as error:
        hint = "each of `san` is DNS:, IP:, email: or URI: and such a name"
        raise Refused("payload-invalid", f"{hint}: {error}".removesuffix(": ")) from None
    return builder


def is_for(request: bytes, subject: Subject) -> bool:
    """Whether a request in DER names exactly this subject and these alternative names."""
    try:
        read = x509.load_der_x509_csr(request)
        extensions = list(read.extensions)
    except ValueError:
        return False
    name = x509.Name.from_rfc4514_string(subject.subject)
    names = [x509.SubjectAlternativeName([_general_name(one) for one in subject.san])] if subject.san else []
    return read.subject == name and [one.value for one in extensions] == names


def _general_name(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if not value:
        raise ValueError(f"{text!r} is none")
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    return _KINDS[kind](value)
