"""Who is asked about a version of a key, and what is made of the answer. These calls run in threads of the revocator.

Each source is asked about a page of versions at once, and says of each until when it may be used. Whatever goes wrong
is a `Refused`, and no answer.
"""

import os
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from hsm.clock import NANO, Clock, age_ns
from hsm.outgoing import Call, Channel, fetch
from strongroom.protocol import certificate_status as cs
from strongroom.protocol import revocation as rv
from strongroom.protocol.addresses import Reach
from strongroom.protocol.encoding import b64u, digest, from_b64u
from strongroom.protocol.terms import Terms

MOST_CRL = 8 * 1024 * 1024
UNASKED_SECONDS = 3600


class Subject(NamedTuple):
    """A version as its sources know it."""

    key: str
    receipt: str


class Outcome(NamedTuple):
    """What a source said of one subject: `good_until` in ns of `age_ns`, 0 unless active; digest of the answer."""

    status: rv.Status
    reason: str
    good_until: int
    answer: str


class Source(Protocol):
    """`group`: subjects of equal groups are asked about together, up to `most`. `every`: seconds, as the terms say."""

    every: int

    @property
    def group(self) -> object: ...
    @property
    def most(self) -> int: ...
    @property
    def name(self) -> str: ...

    def ask(self, subjects: Sequence[Subject]) -> list[Outcome | None]:
        """In the order of `subjects`; None where it says nothing of one. Raises `Refused`."""


class Surroundings(NamedTuple):
    """What every source needs of its device."""

    device: str
    clock: Clock
    reach: Reach


def sources_of(terms: Terms, partition: str, around: Surroundings) -> list[Source]:
    """Everyone whom these terms have the device ask."""
    found: list[Source] = []
    if terms.revocation is not None:
        found.append(Endpoint(terms.revocation, partition, around))
    asked = cs.asked_of(terms.certificate_status, terms.certificates)
    if asked is not None:
        found.append(CertificateIssuer(asked, partition, around))
    return found


class Endpoint:
    """The customer's own endpoint (docs/spec/revocation.md)."""

    name = "endpoint"
    most = rv.MAX_CHECKS

    def __init__(self, terms: rv.Revocation, partition: str, around: Surroundings) -> None:
        self.every = terms.every
        pins = (*terms.certificates, "", *terms.public_keys)
        self.group = ("endpoint", partition, terms.url, terms.token, pins, terms.answer_key, terms.every)
        self._terms = terms
        self._around = around
        self._channel: Channel | None = None

    def ask(self, subjects: Sequence[Subject]) -> list[Outcome | None]:
        asked_at = age_ns()
        checks = [rv.Check(key=one.key, receipt=one.receipt) for one in subjects]
        request = rv.CheckRequest(nonce=b64u(os.urandom(32)), device=self._around.device, checks=checks)
        headers = [("Authorization", f"Bearer {self._terms.token}"), ("Content-Type", "application/json")]
        call = Call("POST", self._terms.url, headers, rv.encode_request(request), rv.MAX_BODY)
        body = fetch(call, self._pinned(), reach=self._around.reach)
        answers = rv.check_answer(body, request, rv.answer_key(self._terms))
        evidence = digest(body)
        said = {(one.key, one.receipt): one for one in answers}
        return [self._outcome(said.get(one), asked_at, evidence) for one in subjects]

    def _outcome(self, answer: rv.Answer | None, asked_at: int, evidence: str) -> Outcome | None:
        if answer is None:
            return None
        good_until = asked_at + self.every * NANO if answer.status == "active" else 0
        return Outcome(answer.status, answer.reason, good_until, evidence)

    def _pinned(self) -> Channel:
        if self._channel is None:
            context = _tls()
            if self._terms.certificates:
                der = b"".join(from_b64u(one) for one in self._terms.certificates)
                context.load_verify_locations(cadata=der)
                # A pinned certificate is an end of trust, also where it did not issue itself.
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            else:
                _verify_nothing(context)
            self._channel = Channel(context, self._check_server)
        return self._channel

    def _check_server(self, der: bytes) -> None:
        rv.check_server_certificate(der, self._terms, self._around.clock.now())


class CertificateIssuer:
    """The issuer of the key's own certificate, asked by OCSP or CRL."""

    def __init__(self, asked: cs.Asked, partition: str, around: Surroundings) -> None:
        self.every = asked.every or UNASKED_SECONDS
        self.most = 1
        self.name = asked.method
        self.group = ("certificate", partition, asked.url, asked.certificate.public_bytes(Encoding.DER), asked.every)
        self._asked = asked
        self._around = around

    def ask(self, subjects: Sequence[Subject]) -> list[Outcome | None]:
        nonce = os.urandom(32)
        asked = self._asked
        if asked.method == "ocsp":
            headers = [("Content-Type", "application/ocsp-request")]
            body = self._fetch(Call("POST", asked.url, headers, cs.ocsp_request(asked, nonce), rv.MAX_BODY))
            judge: Callable[[int], cs.Stated] = lambda now: cs.check_ocsp(body, asked, nonce, now)  # noqa: E731
        else:
            body = self._fetch(Call("GET", asked.url, [], b"", MOST_CRL))
            judge = lambda now: cs.check_crl(body, asked, now)  # noqa: E731
        now = self._around.clock.now()
        stated = judge(now)
        good_until = age_ns() + (stated.holds_until - now) * NANO if stated.status == "active" else 0
        return [Outcome(stated.status, stated.reason, good_until, digest(body)) for _ in subjects]

    def _fetch(self, call: Call) -> bytes:
        context = _tls()
        _verify_nothing(context)  # the content is signed
        return fetch(call, Channel(context, lambda _certificate: None), reach=self._around.reach)


def _tls() -> ssl.SSLContext:
    """TLS 1.2 and 1.3, trusting nothing yet: a fresh context holds no system roots."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _verify_nothing(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
