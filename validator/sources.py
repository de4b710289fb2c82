"""The two services that are watched, as a validator sees them: TLS pinned, answers typed, nothing believed."""

import secrets
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import httpx
import msgspec
from cryptography import x509

from strongroom.protocol import jws
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import T, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import ValidationStatement
from validator.settings import Settings, Watched, tls_context
from validator.sightings import Claim, EngineKey, Sighting, Subject, confirmed, doubted, endorsed, kept_by_engine

TIMEOUT = 5.0
MAX_ANSWER = 16 * 1024 * 1024
WITNESS = "seen at the provider, which is only a witness"
"""The doubt about a vendor key that there is nothing to say against."""
FRESH, SKEW = 300, 60
"""Seconds that an answer may be old, and that an honest clock may be ahead."""


class _Listed(msgspec.Struct):
    endorsement: str


class _Device(msgspec.Struct):
    vendor_keys: list[str] = []
    provider_keys: list[str] = []


class _Trust(msgspec.Struct):
    devices: list[_Device]
    engine_keys: list[EngineKey] = []


class _Answer(msgspec.Struct):
    statement: str


class Service:
    """HTTP to a watched service. Raises `Refused("unavailable")` for whatever is no answer."""

    def __init__(self, watched: Watched, transport: httpx.BaseTransport | None = None) -> None:
        context = tls_context(watched)
        self._http = httpx.Client(
            base_url=watched.url, verify=context, timeout=TIMEOUT, transport=transport, trust_env=False
        )
        self._url = watched.url

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, kind: type[T]) -> T:
        return self._call("GET", path, None, kind)

    def find(self, path: str, kind: type[T]) -> T | None:
        """As `get`; None where there is no such thing."""
        try:
            return self._call("GET", path, None, kind)
        except Refused as refused:
            if refused.code == "not-found":
                return None
            raise

    def post(self, path: str, body: dict[str, Any], kind: type[T]) -> T:
        return self._call("POST", path, body, kind)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, kind: type[T]) -> T:
        content = b""
        try:
            with self._http.stream(method, path, json=body) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise Refused("unavailable", f"{self._url} answers without an end")
        except httpx.RequestError as error:
            raise Refused("unavailable", f"{self._url} does not answer: {type(error).__name__}") from None
        if response.status_code == 404:
            raise Refused("not-found", f"{self._url} has no {path}")
        if not response.is_success:
            raise Refused("unavailable", f"{self._url} answers {response.status_code} to {method} {path}")
        return read_json(content, kind, "unavailable")


class Sources:
    """Manufacturer and provider. `transports` take the network's place, for whoever tries the validator on liars."""

    def __init__(self, settings: Settings, transports: dict[str, httpx.BaseTransport] | None = None) -> None:
        self._settings = settings
        self._roots: list[x509.Certificate] = settings.roots()
        self._transports = transports or {}

    def vendor_keys(self, now: int) -> list[Sighting]:
        """Every standing vendor key that the manufacturer lists."""
        with self._open("manufacturer", self._settings.manufacturer) as manufacturer:
            listed = manufacturer.get("/v1/vendor-keys", list[_Listed])
            claims = self._endorsed([one.endorsement for one in listed], "vendor-key", now)
            return self._stated(claims, partial(self._ask_manufacturer, manufacturer), now)

    def vendor_key(self, key_id: str, now: int) -> list[Sighting]:
        """One vendor key, standing or single-use; nothing where the manufacturer does not list it."""
        with self._open("manufacturer", self._settings.manufacturer) as manufacturer:
            listed = manufacturer.find(f"/v1/vendor-keys/{key_id}", _Listed)
            claims = self._endorsed([listed.endorsement] if listed else [], "vendor-key", now)
            return self._stated(claims, partial(self._ask_manufacturer, manufacturer), now)

    def provider_keys(self, now: int) -> list[Sighting]:
        """Every provider key that the provider publishes, and the vendor keys as the provider shows them.

        Of vendor keys the provider is only a witness: it makes none known, but it may contradict what is known.
        """
        with self._open("provider", self._settings.provider) as provider:
            trust = provider.get("/api/v1/trust", _Trust)
            claims = self._endorsed([key for one in trust.devices for key in one.provider_keys], "provider-key", now)
            claims += _readable(trust.engine_keys, "provider-key", kept_by_engine)
            found = self._stated(claims, partial(self._ask_provider, provider), now)
        shown = self._endorsed([key for one in trust.devices for key in one.vendor_keys], "vendor-key", now)
        return found + [doubted(one.sighting, one.sighting.doubt or WITNESS) for one in shown]

    def _endorsed(self, tokens: list[str], subject: Subject, now: int) -> list[Claim]:
        return _readable(tokens, subject, lambda token: endorsed(token, subject, self._roots, now))

    def _stated(
        self, claims: list[Claim], ask: Callable[[Claim, int], ValidationStatement], now: int
    ) -> list[Sighting]:
        """Each claim with its source's signed word; without one it is doubted. Raises `Refused("unavailable")`."""
        found = []
        for claim in claims:
            if claim.sighting.doubt:
                found.append(claim.sighting)
                continue
            try:
                found += confirmed(claim, ask(claim, now))
            except Refused as refused:
                if refused.code == "unavailable":
                    raise
                found.append(doubted(claim.sighting, str(refused)))
        return found

    def _ask_manufacturer(self, manufacturer: Service, claim: Claim, now: int) -> ValidationStatement:
        nonce, key_id = secrets.token_urlsafe(32), claim.sighting.key_id
        question = {"nonce": nonce, "subject": "vendor-key", "key_id": key_id}
        token = manufacturer.post("/v1/validation", question, _Answer).statement
        says, certified = verify_statement(token, ValidationStatement, self._roots, "statement", now)
        _check_answer(says, claim, nonce, now)
        if certified.mode != claim.mode and says.status != "unknown":
            raise Refused("certificate-invalid", "the manufacturer answers for another hierarchy than the device's")
        return says

    def _ask_provider(self, provider: Service, claim: Claim, now: int) -> ValidationStatement:
        nonce, settings = secrets.token_urlsafe(32), self._settings.provider
        question = {"nonce": nonce, "key_id": claim.sighting.key_id}
        token = provider.post("/api/v1/validation", question, _Answer).statement
        says = jws.verify(token, ValidationStatement, settings.credential.public_key())
        _check_answer(says, claim, nonce, now)
        if says.provider != settings.name and says.status != "unknown":
            raise Refused("signature-invalid", f"the provider answers as {says.provider!r}")
        return says

    def _open(self, name: str, watched: Watched) -> Service:
        return Service(watched, self._transports.get(name))


def _readable(published: list[T], subject: Subject, read: Callable[[T], Claim]) -> list[Claim]:
    """All that is published. What cannot be read at all is of no key, and doubted."""
    claims = []
    for one in published:
        try:
            claims.append(read(one))
        except Refused as refused:
            unread = Sighting(subject=subject, key_id="", public_key_digest="", doubt=f"cannot be read: {refused}")
            claims.append(Claim(sighting=unread))
    return claims


def _check_answer(says: ValidationStatement, claim: Claim, nonce: str, now: int) -> None:
    if says.nonce != nonce or (says.subject, says.key_id) != (claim.sighting.subject, claim.sighting.key_id):
        raise Refused("nonce-mismatch", "the source answers another question")
    if not now - FRESH <= says.issued_at <= now + SKEW:
        raise Refused("stale", "the source's answer is not of now: compare the clocks")
