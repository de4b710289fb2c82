"""What a certificate's issuer says by OCSP or CRL counts if the issuer signed it, and for as long as it says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from strongroom.protocol.certificate_status import (
    Asked,
    CertificateStatus,
    asked_of,
    check_crl,
    check_ocsp,
    is_looser,
    ocsp_request,
)
from tests.support.refusals import refused
from tests.support.scripted_endpoint import Identity

NOW = datetime.now(UTC).replace(microsecond=0)
SECONDS = int(NOW.timestamp())
NONCE = bytes(32)
OCSP, CRL = "http://ca.example/ocsp", "http://ca.example/crl"
ISSUER = Identity("issuer", ca=True)
OWN = Identity(
    "key",
    issuer=ISSUER,
    extensions=[
        x509.AuthorityInformationAccess(
            [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(OCSP))]
        ),
        x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(CRL)], None, None, None)]),
    ],
)
PLAIN = Identity("key", issuer=ISSUER)
CHAIN = [OWN.der, ISSUER.der]
UNSUCCESSFUL = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
REASONS = [
    (None, "active", ""),
    (x509.ReasonFlags.unspecified, "revoked", "unspecified"),
    (x509.ReasonFlags.key_compromise, "revoked", "keyCompromise"),
    (x509.ReasonFlags.certificate_hold, "suspended", "certificateHold"),
]


def asked(method: Any = "ocsp", every: int = 0) -> Asked:
    found = asked_of(CertificateStatus(method=method, every=every), CHAIN)
    assert found is not None
    return found


def response(
    reason: x509.ReasonFlags | None = None, signer: Identity = ISSUER, about: Identity = OWN, **changes: Any
) -> bytes:
    revoked = reason is not None
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate,
        ISSUER.certificate,
        hashes.SHA1(),  # noqa: S303
        changes.get("status") or (ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD),
        changes.get("this_update", NOW),
        changes.get("next_update", NOW + timedelta(hours=1)),
        NOW - timedelta(hours=1) if revoked else None,
        reason,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if signer is not ISSUER:
        builder = builder.certificates([signer.certificate])
    if "nonce" in changes:
        builder = builder.add_extension(x509.OCSPNonce(changes["nonce"]), critical=False)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl(reason: x509.ReasonFlags | None = None, signer: Identity = ISSUER, **changes: Any) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ISSUER.certificate.subject)
        .last_update(changes.get("this_update", NOW))
        .next_update(changes.get("next_update", NOW + timedelta(hours=1)))
    )
    if reason is not None:
        revoked = x509.RevokedCertificateBuilder().serial_number(OWN.certificate.serial_number).revocation_date(NOW)
        if reason is not x509.ReasonFlags.unspecified:
            revoked = revoked.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    for extension, critical in changes.get("extensions", []):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(changes.get("encoding", Encoding.DER))


# --- whom terms have the device ask ---


def test_the_certificates_own_address_counts_also_where_the_terms_say_nothing() -> None:
    found = asked_of(None, CHAIN)
    assert found is not None
    assert (found.method, found.url, found.every) == ("ocsp", OCSP, 0)


@pytest.mark.parametrize(
    ("stated", "chain", "method", "url"),
    [
        (CertificateStatus(method="crl"), CHAIN, "crl", CRL),
        (CertificateStatus(method="ocsp", url="http://other.example/"), CHAIN, "ocsp", "http://other.example/"),
        (
            CertificateStatus(method="crl", url="https://x.example/"),
            [PLAIN.der, ISSUER.der],
            "crl",
            "https://x.example/",
        ),
    ],
)
def test_the_terms_choose_method_and_address(stated: Any, chain: list[str], method: str, url: str) -> None:
    found = asked_of(stated, chain)
    assert found is not None
    assert (found.method, found.url) == (method, url)


def test_nobody_is_asked_without_a_certificate_or_an_address_or_where_the_terms_say_none() -> None:
    assert asked_of(None, []) is None
    assert asked_of(None, [PLAIN.der]) is None
    assert asked_of(CertificateStatus(method="none"), CHAIN) is None


@pytest.mark.parametrize(
    ("stated", "chain"),
    [
        (None, [OWN.der]),
        (CertificateStatus(method="ocsp"), []),
        (CertificateStatus(method="ocsp"), [PLAIN.der, ISSUER.der]),
        (CertificateStatus(method="crl", url="ftp://ca.example/"), CHAIN),
        (CertificateStatus(method="crl", url="http://ca.example/a b"), CHAIN),
        (CertificateStatus(method="crl", every=-1), CHAIN),
    ],
)
def test_who_cannot_be_asked_is_refused_at_import(stated: Any, chain: list[str]) -> None:
    with refused("terms-refused"):
        asked_of(stated, chain)


def test_a_new_version_asks_as_strictly() -> None:
    every = [CertificateStatus(method="ocsp", every=n) for n in (0, 60, 3600)]
    none, other = CertificateStatus(method="none"), CertificateStatus(method="crl")
    assert [is_looser(new, every[1]) for new in (*every, none, other, None)] == [True, False, True, True, True, True]
    assert [is_looser(new, none) for new in (*every, none, None)] == [False] * 5
    assert (is_looser(none, None), is_looser(every[1], None), is_looser(None, None)) == (True, False, False)


# --- OCSP ---


def test_a_request_is_for_the_one_certificate_with_a_nonce() -> None:
    request = ocsp.load_der_ocsp_request(ocsp_request(asked(), NONCE))
    assert request.serial_number == OWN.certificate.serial_number
    assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE


@pytest.mark.parametrize(("reason", "status", "words"), REASONS)
def test_what_ocsp_says(reason: x509.ReasonFlags | None, status: str, words: str) -> None:
    found = check_ocsp(response(reason), asked(), NONCE, SECONDS)
    assert (found.status, found.reason) == (status, words)
    unknown = response(status=ocsp.OCSPCertStatus.UNKNOWN)
    assert check_ocsp(unknown, asked(), NONCE, SECONDS).status == "unknown"


def test_a_responder_that_the_issuer_certified_may_answer() -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    assert check_ocsp(
        response(signer=Identity("r", issuer=ISSUER, extensions=[usage])), asked(), NONCE, SECONDS
    ).status == ("active")
    expired = Identity("r", issuer=ISSUER, extensions=[usage], days=(-2, -1))
    foreign = Identity("r", extensions=[usage])
    for signer in (expired, foreign, PLAIN):
        with refused("signature-invalid"):
            check_ocsp(response(signer=signer), asked(), NONCE, SECONDS)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (response(about=PLAIN), "malformed"),
        (response(nonce=b"n" * 32), "nonce-mismatch"),
        (response()[:-1] + b"\x00", "signature-invalid"),
        (response()[:-1], "malformed"),
        (b"", "malformed"),
        (
            ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER),
            "malformed",
        ),
    ],
)
def test_what_is_no_ocsp_answer(body: bytes, code: str) -> None:
    with refused(code, "malformed" if code == "signature-invalid" else code):
        check_ocsp(body, asked(), NONCE, SECONDS)


# --- CRL ---


@pytest.mark.parametrize(("reason", "status", "words"), REASONS)
@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_what_a_list_says(reason: x509.ReasonFlags | None, status: str, words: str, encoding: Encoding) -> None:
    found = check_crl(crl(reason, encoding=encoding), asked("crl"), SECONDS)
    assert (found.status, found.reason) == (status, words)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (crl(signer=PLAIN), "signature-invalid"),
        (crl(extensions=[(x509.DeltaCRLIndicator(1), True)]), "malformed"),
        (
            crl(extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True)]),
            "malformed",
        ),
        (
            crl(
                extensions=[
                    (x509.IssuingDistributionPoint(None, None, False, True, None, False, False), True),
                ]
            ),
            "malformed",
        ),
        (b"-----BEGIN X509 CRL-----", "malformed"),
        (crl()[:40], "malformed"),
    ],
)
def test_what_is_no_list_for_this_certificate(body: bytes, code: str) -> None:
    with refused(code):
        check_crl(body, asked("crl"), SECONDS)


# --- age ---


@pytest.mark.parametrize("of", ["ocsp", "crl"])
def test_age_counts_from_this_update_and_ends_with_next_update(of: str) -> None:
    def check(every: int, now: int, reason: x509.ReasonFlags | None = None) -> Any:
        if of == "ocsp":
            return check_ocsp(response(reason), asked("ocsp", every), NONCE, now)
        return check_crl(crl(reason), asked("crl", every), now)

    assert check(0, SECONDS).holds_until == SECONDS + 3600
    assert check(60, SECONDS).holds_until == SECONDS + 60
    assert check(60, SECONDS + 59).status == "active"
    for every, now in ((60, SECONDS + 60), (0, SECONDS + 3600), (60, SECONDS - 301)):
        with refused("stale"):
            check(every, now)
    # What is revoked stays so, however old the news.
    assert check(60, SECONDS + 10**6, x509.ReasonFlags.key_compromise).status == "revoked"
