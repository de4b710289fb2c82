"""Revocation by a key's own certificate: what OCSP (RFC 6960) and CRLs (RFC 5280 §5) say of it, as pure checks.

Answers are signed by the certificate's issuer and not bound to a question: a replay is found out by its age alone,
which counts from `thisUpdate`. The transport proves nothing here and need not.
"""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import LONGEST, Status

SKEW = 300
"""How far, in seconds, the issuer's clock may be ahead of the device's."""
_KNOWN_CRL_EXTENSIONS = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)


class CertificateStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Terms: where the status of the key's own certificate is asked, and how old an answer may be.

    No `url`: the certificate's own address. `every`: seconds from `thisUpdate` in which an answer holds, and never
    beyond its `nextUpdate`; 0: as long as that, at most 7 days. `none`: the status of the certificate does not count.
    """

    method: Literal["ocsp", "crl", "none"]
    url: str = ""
    every: int = 0


class Asked(NamedTuple):
    """What is to be asked where, on which certificate of which issuer."""

    method: Literal["ocsp", "crl"]
    url: str
    every: int
    certificate: x509.Certificate
    issuer: x509.Certificate


class Stated(NamedTuple):
    """What the issuer said, and in unix seconds since when and until when that holds."""

    status: Status
    reason: str
    this_update: int
    holds_until: int


def asked_of(stated: CertificateStatus | None, certificates: list[str]) -> Asked | None:
    """What these terms have the device ask: nothing where there is no certificate, no address, or `none`.

    `certificates` are the terms' (DER in base64url), the key's own first, then its issuer's.
    Raises `Refused`: `terms-refused` where it would have to be asked and cannot, `certificate-mismatch`.
    """
    if stated is not None and stated.method != "none" and not certificates:
        raise Refused("terms-refused", "the status of a certificate is asked for, and there is none")
    if not certificates or (stated is not None and stated.method == "none"):
        return None
    try:
        chain = [x509.load_der_x509_certificate(from_b64u(one, "certificate-mismatch")) for one in certificates[:2]]
        method, url = _own_address(chain[0], stated.method if stated else "")
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension):
        raise Refused("certificate-mismatch", "the certificate cannot be read") from None
    if stated is not None and stated.method != "none":
        method, url = stated.method, stated.url or url
        if not url:
            raise Refused("terms-refused", f"the certificate names no address for {method}, nor do the terms")
    if not url or method is None:
        return None
    if not url.startswith(("http://", "https://")) or any(not "!" <= one <= "~" for one in url):
        raise Refused("terms-refused", "the address of the certificate's status is not http or https")
    if len(chain) < 2:
        raise Refused("terms-refused", "the status of the certificate counts: its issuer's certificate is needed too")
    every = stated.every if stated else 0
    if every < 0:
        raise Refused("terms-refused", "the age of a certificate's status is not positive")
    return Asked(method, url, every, chain[0], chain[1])


def is_looser(new: CertificateStatus | None, old: CertificateStatus | None) -> bool:
    """Whether `new` gives up any of what `old` ensures."""
    if old is not None and old.method == "none":
        return False
    if new is not None and new.method == "none":
        return True
    if old is None:
        return False
    if new is None:
        return True
    return (new.method, new.url) != (old.method, old.url) or (new.every or LONGEST) > (old.every or LONGEST)


def ocsp_request(asked: Asked, nonce: bytes) -> bytes:
    """The DER of a request for the one certificate, with a nonce that a responder may leave out of its answer."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(asked.certificate, asked.issuer, hashes.SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def check_ocsp(body: bytes, asked: Asked, nonce: bytes, now: int) -> Stated:
    """What an OCSP response says. Raises `Refused`: `malformed`, `nonce-mismatch`, `signature-invalid`, `stale`."""
    try:
        response = ocsp.load_der_ocsp_response(body)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Refused("malformed", "the responder does not answer")
        _check_ocsp_signature(response, asked.issuer, now)
        _check_ocsp_nonce(response, nonce)
        for one in response.responses:
            if _is_about(one, asked):
                return _in_time(asked, _ocsp_status(one), one.this_update_utc, one.next_update_utc, now)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise Refused("malformed", "not an OCSP response") from None
    raise Refused("malformed", "the response is about another certificate")


def check_crl(body: bytes, asked: Asked, now: int) -> Stated:
    """What a full CRL of the certificate's issuer says. Raises `Refused`: `malformed`, `signature-invalid`, `stale`."""
    try:
        pem = body.lstrip().startswith(b"-----BEGIN")
        crl = x509.load_pem_x509_crl(body) if pem else x509.load_der_x509_crl(body)
        if crl.issuer != asked.issuer.subject or not crl.is_signature_valid(asked.issuer.public_key()):  # type: ignore[arg-type]
            raise Refused("signature-invalid", "the list is not its issuer's")
        for extension in crl.extensions:
            _check_crl_extension(extension)
        revoked = crl.get_revoked_certificate_by_serial_number(asked.certificate.serial_number)
        said: tuple[Status, str] = ("active", "") if revoked is None else _crl_status(revoked)
        return _in_time(asked, said, crl.last_update_utc, crl.next_update_utc, now)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise Refused("malformed", "not a certificate revocation list") from None


def _own_address(certificate: x509.Certificate, wanted: str) -> tuple[Literal["ocsp", "crl"] | None, str]:
    """Method and address from the certificate's extensions, OCSP before CRL unless one is wanted."""
    if wanted in ("", "ocsp"):
        try:
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
            for one in access:
                if one.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
                    one.access_location, x509.UniformResourceIdentifier
                ):
                    return "ocsp", one.access_location.value
        except x509.ExtensionNotFound:
            pass
    if wanted in ("", "crl"):
        try:
            points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            for point in points:
                for name in point.full_name or []:
                    if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith("http"):
                        return "crl", name.value
        except x509.ExtensionNotFound:
            pass
    return None, ""


def _check_ocsp_signature(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: int) -> None:
    """By the issuer itself, or by a responder that it certified for this purpose (RFC 6960 §4.2.2.2)."""
    moment = datetime.fromtimestamp(now, UTC)
    signers = [issuer]
    for one in response.certificates:
        try:
            one.verify_directly_issued_by(issuer)
            usage = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
            continue
        in_force = one.not_valid_before_utc <= moment <= one.not_valid_after_utc
        if ExtendedKeyUsageOID.OCSP_SIGNING in usage and in_force:
            signers.append(one)
    for signer in signers:
        try:
            _verify(signer.public_key(), response)
        except InvalidSignature:
            continue
        return
    raise Refused("signature-invalid", "the response is not its issuer's")


def _verify(key: object, response: ocsp.OCSPResponse) -> None:
    signature, data, algorithm = response.signature, response.tbs_response_bytes, response.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        key.verify(signature, data, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        key.verify(signature, data, ec.ECDSA(algorithm))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, data)
    else:
        raise InvalidSignature


def _check_ocsp_nonce(response: ocsp.OCSPResponse, nonce: bytes) -> None:
    try:
        given = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return  # responders that answer from a store of signed answers have none
    if given != nonce:
        raise Refused("nonce-mismatch")


def _is_about(one: ocsp.OCSPSingleResponse, asked: Asked) -> bool:
    builder = ocsp.OCSPRequestBuilder().add_certificate(asked.certificate, asked.issuer, one.hash_algorithm)
    wanted = builder.build()
    return (one.serial_number, one.issuer_name_hash, one.issuer_key_hash) == (
        wanted.serial_number,
        wanted.issuer_name_hash,
        wanted.issuer_key_hash,
    )


def _ocsp_status(one: ocsp.OCSPSingleResponse) -> tuple[Status, str]:
    if one.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return "active", ""
    if one.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        return _by_reason(one.revocation_reason)
    return "unknown", ""


def _crl_status(revoked: x509.RevokedCertificate) -> tuple[Status, str]:
    try:
        return _by_reason(revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason)
    except x509.ExtensionNotFound:
        return _by_reason(None)


def _by_reason(reason: x509.ReasonFlags | None) -> tuple[Status, str]:
    """A certificate on hold may come back (RFC 5280 §5.3.1); every other revocation is for ever."""
    if reason is x509.ReasonFlags.remove_from_crl:
        return "active", ""
    if reason is x509.ReasonFlags.certificate_hold:
        return "suspended", "certificateHold"
    return "revoked", "unspecified" if reason is None else str(reason.value)


def _check_crl_extension(extension: x509.Extension[x509.ExtensionType]) -> None:
    """A list that speaks for some certificates or reasons only does not say that the others are good."""
    value = extension.value
    if isinstance(value, x509.DeltaCRLIndicator):
        raise Refused("malformed", "a delta list does not say enough")
    if isinstance(value, x509.IssuingDistributionPoint) and (
        value.indirect_crl
        or value.only_some_reasons
        or value.only_contains_ca_certs
        or value.only_contains_attribute_certs
    ):
        raise Refused("malformed", "the list does not speak for this certificate")
    if extension.critical and not isinstance(value, _KNOWN_CRL_EXTENSIONS):
        raise Refused("malformed", "the list has a critical extension that is not known")


def _in_time(
    asked: Asked, said: tuple[Status, str], this_update: datetime, next_update: datetime | None, now: int
) -> Stated:
    status, reason = said
    begins = int(this_update.timestamp())
    ends = begins + (asked.every or LONGEST)
    if next_update is not None:
        ends = min(ends, int(next_update.timestamp()))
    # What is revoked stays revoked, however old the news.
    if status != "revoked" and not begins - SKEW <= now < ends:
        raise Refused("stale")
    return Stated(status, reason, begins, ends)
