"""Key pairs and public keys in PEM, DER, OpenSSH's form and PKCS#12, loaded by the library and not yet judged."""

import base64
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates, load_pkcs12

from strongroom.client.material.ec_lengths import with_full_length
from strongroom.protocol.errors import Refused

_FAILURES = (ValueError, TypeError, UnsupportedAlgorithm)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
# PFX ::= SEQUENCE { version INTEGER (3), … } (RFC 7292 §4), whatever the form of the sequence's length.
_PKCS12 = re.compile(rb"\x30(?:\x80|\x81.|\x82..|\x83...|[\x00-\x7f])\x02\x01\x03", re.DOTALL)
# Object identifiers of keyBag and pkcs8ShroudedKeyBag, which stand in clear before each private key.
_KEY_BAG = re.compile(rb"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01[\x01\x02]")


@dataclass(frozen=True)
class Loaded:
    """What a file held: a private or public key, certificates, or both. `form` says in words what it was."""

    form: str
    private: Any = None
    public: Any = None
    certificates: tuple[x509.Certificate, ...] = ()


def pem_labels(data: bytes) -> list[str]:
    """What the PEM blocks of a file say they are."""
    return [match[1].decode() for match in _BLOCK.finditer(data)]


def is_pkcs12(data: bytes) -> bool:
    return _PKCS12.match(data) is not None


def is_locked(data: bytes) -> bool:
    """Whether the private key in the file is under a passphrase."""
    if is_pkcs12(data):
        return _pkcs12(data, None) is None
    labels = pem_labels(data)
    if "OPENSSH PRIVATE KEY" not in labels and labels:
        return any("PRIVATE KEY" in label for label in labels) and b"ENCRYPTED" in data
    try:
        (load_ssh_private_key if labels else load_der_private_key)(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def load_pem(data: bytes, passphrase: bytes | None) -> Loaded:
    """What the PEM blocks of a file hold: at most one private key, or one public key, and certificates."""
    blocks = [(match[1].decode(), match[0]) for match in _BLOCK.finditer(data)]
    private = [block for block in blocks if block[0].endswith("PRIVATE KEY")]
    public = [block for block in blocks if block[0].endswith("PUBLIC KEY")]
    certificates = [block for label, block in blocks if label in ("CERTIFICATE", "X509 CERTIFICATE")]
    if len(private) > 1 or (not private and len(public) > 1):
        raise Refused("key-unparsable", "the file holds several keys; keep the one to import in it")
    if not private and not public and not certificates:
        held = ", ".join(sorted({label for label, _ in blocks})) or "nothing complete"
        raise Refused("key-unparsable", f"the file holds {held}; a private key, public key or certificate is needed")
    chain = tuple(_loaded(x509.load_pem_x509_certificate, one, "the certificate") for one in certificates)
    if private:
        label, block = private[0]
        load: Callable[..., Any] = load_ssh_private_key if label.startswith("OPENSSH") else _pem_private
        secret = passphrase if is_locked(block) else None
        return Loaded(_NAMES.get(label, "PEM"), _private(load, block, secret), certificates=chain)
    if public:
        return Loaded(
            "public key", public=_loaded(load_pem_public_key, public[0][1], "the public key"), certificates=chain
        )
    return Loaded("certificate", certificates=chain)


def load_der(data: bytes, passphrase: bytes | None) -> Loaded | None:
    """A private key, PKCS#12, public key or certificate in DER, or None where it is none of these."""
    if is_pkcs12(data):
        return _load_pkcs12(data, passphrase)
    if is_locked(data):
        return Loaded("PKCS#8 in DER under a passphrase", _private(load_der_private_key, data, passphrase))
    for read in (_der_private, _der_public, _der_certificate):
        try:
            return read(data)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if _says_halves_differ(error):
                raise Refused("key-self-test-failed", _HALVES) from None
    return None


def _pem_private(block: bytes, passphrase: bytes | None) -> Any:
    try:
        return load_pem_private_key(block, passphrase)
    except ValueError as error:
        if _says_wrong_length(error) and not is_locked(block):
            body = b"".join(block.splitlines()[1:-1])
            if right := with_full_length(base64.b64decode(body)):
                return load_der_private_key(right, None)
        raise


def _der_private(data: bytes) -> Loaded:
    try:
        return Loaded("private key in DER", load_der_private_key(data, None))
    except ValueError as error:
        if _says_wrong_length(error) and (right := with_full_length(data)):
            return Loaded("private key in DER", load_der_private_key(right, None))
        raise


def _der_public(data: bytes) -> Loaded:
    return Loaded("public key in DER", public=load_der_public_key(data))


def _der_certificate(data: bytes) -> Loaded:
    return Loaded("certificate", certificates=(x509.load_der_x509_certificate(data),))


def load_openssh_public(data: bytes) -> Loaded:
    """A public key in the one-line form of OpenSSH (RFC 4253 §6.6)."""
    with warnings.catch_warnings(action="ignore"):  # DSA is deprecated there, and refused here
        return Loaded("OpenSSH public key", public=_loaded(load_ssh_public_key, data.strip(), "the public key"))


_LENGTH = "the EC key has a zero too many, as GnuTLS writes it; `openssl pkey -in FILE -out NEW` puts it right"
_HALVES = "the private and the public half do not belong together"
_NAMES = {
    "PRIVATE KEY": "PKCS#8 in PEM",
    "ENCRYPTED PRIVATE KEY": "PKCS#8 in PEM under a passphrase",
    "RSA PRIVATE KEY": "PKCS#1 in PEM",
    "EC PRIVATE KEY": "SEC1 in PEM",
    "OPENSSH PRIVATE KEY": "OpenSSH private key",
}


def _load_pkcs12(data: bytes, passphrase: bytes | None) -> Loaded:
    # The library gives one key of several without a word.
    if len(_KEY_BAG.findall(data)) > 1:
        raise Refused("key-unparsable", "the PKCS#12 file holds several keys; export the one to import alone")
    found = _pkcs12(data, passphrase)
    if found is None:
        hint = "the passphrase is wrong" if passphrase else "it is under a passphrase, and none was given"
        raise Refused("key-unparsable", f"the PKCS#12 file cannot be opened: {hint}, or the file is damaged")
    chain = [one.certificate for one in (found.cert, *found.additional_certs) if one]
    if found.key is None and not chain:
        raise Refused("key-unparsable", "the PKCS#12 file holds neither a key nor a certificate")
    return Loaded("PKCS#12", found.key, certificates=tuple(chain))


def _pkcs12(data: bytes, passphrase: bytes | None) -> PKCS12KeyAndCertificates | None:
    # Without a passphrase there are two ways to protect a file's integrity: none at all, and an empty one.
    for secret in [passphrase] if passphrase else [None, b""]:
        try:
            return load_pkcs12(data, secret)
        except _FAILURES:
            continue
    return None


def _private(load: Callable[..., Any], block: bytes, passphrase: bytes | None) -> Any:
    try:
        return load(block, passphrase)
    except _FAILURES as error:
        if _says_halves_differ(error):
            raise Refused("key-self-test-failed", _HALVES) from None
        if is_locked(block) and passphrase is None:
            raise Refused("key-unparsable", "the file is under a passphrase, and none was given") from None
        if _says_wrong_length(error):
            raise Refused("key-unparsable", _LENGTH) from None
        hint = ", or the passphrase is wrong" if passphrase is not None else ""
        raise Refused("key-unparsable", f"the private key is damaged or of an unknown kind{hint}") from None


def _says_wrong_length(error: Exception) -> bool:
    return str(error).startswith("EC private key is not encoded properly")


def _says_halves_differ(error: Exception) -> bool:
    return str(error).startswith(("Invalid key", "Invalid private key"))


def _loaded(load: Callable[[bytes], Any], block: bytes, what: str) -> Any:
    try:
        return load(block)
    except _FAILURES:
        raise Refused("key-unparsable", f"{what} in the file is damaged or of an unknown kind") from None
