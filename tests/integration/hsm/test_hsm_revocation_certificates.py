"""A key with a certificate stands by what its issuer says of it, also where the terms say nothing."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.scripted_endpoint import Endpoint, Identity
from tests.support.sealed import Customer
from tests.support.watching import entries_of, status, until

EC = KeyType.EC_P256
Import = Callable[..., Imported]


class Authority:
    """Issues a key's certificate and answers for it by plain http: OCSP by POST, a CRL by GET."""

    def __init__(self) -> None:
        self.issuer = Identity("issuer", ca=True)
        self.reason: x509.ReasonFlags | None = None
        self.lasts = timedelta(hours=1)
        self.asked: list[str] = []
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(authority.ocsp())

            def do_GET(self) -> None:
                self.answer(authority.crl())

            def answer(self, body: bytes) -> None:
                authority.asked.append(self.command)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        url = x509.UniformResourceIdentifier(f"http://localhost:{self.server.server_address[1]}/")
        access = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url)]
        self.own = Identity("key", issuer=self.issuer, extensions=[x509.AuthorityInformationAccess(access)])
        self.chain = [self.own.der, self.issuer.der]
        self.url = url.value

    @property
    def material(self) -> bytes:
        return self.own.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def ocsp(self) -> bytes:
        moment = datetime.now(UTC)
        revoked = self.reason is not None
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.own.certificate,
            self.issuer.certificate,
            hashes.SHA1(),  # noqa: S303
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            moment,
            moment + self.lasts,
            moment if revoked else None,
            self.reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.issuer.certificate)
        return builder.sign(self.issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def crl(self) -> bytes:
        moment = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.issuer.certificate.subject)
        builder = builder.last_update(moment).next_update(moment + self.lasts)
        if self.reason is not None:
            revoked = x509.RevokedCertificateBuilder().serial_number(self.own.certificate.serial_number)
            revoked = revoked.revocation_date(moment).add_extension(x509.CRLReason(self.reason), critical=False)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self.issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.server.shutdown()
    made.server.server_close()


def signs(customer: Customer, key: Imported) -> str:
    return customer.operate(key.id, "sign", b"m").code


@pytest.mark.parametrize(("method", "verb"), [("ocsp", "POST"), ("crl", "GET")])
def test_a_revoked_certificate_revokes_its_key_and_one_on_hold_suspends_it(
    alice: Customer, import_key: Import, authority: Authority, method: Any, verb: str
) -> None:
    stated = CertificateStatus(method=method, url=authority.url, every=1)
    key = import_key(alice, EC, material=authority.material, certificates=authority.chain, certificate_status=stated)
    until(lambda: signs(alice, key) == "")
    authority.reason = x509.ReasonFlags.certificate_hold
    until(lambda: signs(alice, key) == "key-suspended")
    authority.reason = None
    until(lambda: signs(alice, key) == "")
    authority.reason = x509.ReasonFlags.key_compromise
    until(lambda: states_of(alice, key.id) == {1: "revoked"})
    assert set(authority.asked) == {verb}
    [entry] = entries_of(alice, key, "key:revoke")
    assert (entry.details["source"], entry.details["reason"]) == (method, "keyCompromise")


def test_the_certificates_own_address_is_asked_where_the_terms_say_nothing(
    alice: Customer, import_key: Import, authority: Authority
) -> None:
    authority.reason = x509.ReasonFlags.certificate_hold
    key = import_key(alice, EC, material=authority.material, certificates=authority.chain)
    until(lambda: status(alice, key).why == "suspended: certificateHold")
    assert signs(alice, key) == "key-suspended"
    unasked = import_key(
        alice,
        EC,
        material=authority.material,
        certificates=authority.chain,
        certificate_status=CertificateStatus(method="none"),
    )
    assert (signs(alice, unasked), status(alice, unasked).state) == ("", "none")


def test_an_answer_does_not_outlive_its_next_update(alice: Customer, import_key: Import, authority: Authority) -> None:
    authority.lasts = timedelta(seconds=2)
    key = import_key(alice, EC, material=authority.material, certificates=authority.chain)
    until(lambda: signs(alice, key) == "")
    authority.server.shutdown()
    authority.server.server_close()
    until(lambda: signs(alice, key) == "key-suspended")


def test_with_an_endpoint_too_both_must_say_so(
    alice: Customer, import_key: Import, authority: Authority, endpoint: Endpoint
) -> None:
    key = import_key(alice, EC, material=authority.material, certificates=authority.chain, revocation=endpoint.terms())
    until(lambda: signs(alice, key) == "")
    endpoint.statuses[key.id] = ("suspended", "")
    until(lambda: signs(alice, key) == "key-suspended")
    endpoint.statuses.clear()
    until(lambda: signs(alice, key) == "")
    alice.order(key.id)
