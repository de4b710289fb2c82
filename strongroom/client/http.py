"""HTTP to the portal and to the manufacturer: typed answers, and problem details (RFC 9457) as `Refused`."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from strongroom.client.files import read_file
from strongroom.protocol.errors import CATALOGUE, Refused

T = TypeVar("T")
TIMEOUT = 30.0
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SessionStale(Refused):
    """`session-stale`, with the session that is in force now."""

    def __init__(self, detail: str, session: str) -> None:
        super().__init__("session-stale", detail)
        self.session = session


class _ProblemDetails(msgspec.Struct):
    code: str = ""
    detail: str = ""
    title: str = ""
    session: str = ""


class Service:
    """One HTTP service that answers JSON. Every refusal and every failure to get an answer is a `Refused`."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        trusted: Path | bytes | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`trusted`: the only TLS certificate (PEM) that is accepted, instead of the system's authorities."""
        check_url(url)
        parts = urlsplit(url)
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            verify=_tls(trusted),
            timeout=TIMEOUT,
            transport=transport,
        )

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, type_: type[T], **params: str | int) -> T:
        return self._call("GET", path, None, type_, params=params)

    def post(self, path: str, body: Any, type_: type[T], *, patience: float = 0, once: str = "") -> T:
        """`patience`: seconds that the answer may take longer than others. `once`: the Idempotency-Key."""
        return self._call("POST", path, body, type_, patience=patience, once=once)

    def put(self, path: str, body: Any, type_: type[T]) -> T:
        return self._call("PUT", path, body, type_)

    def delete(self, path: str) -> None:
        self._call("DELETE", path, None, None)

    def _call(
        self,
        method: str,
        path: str,
        body: Any,
        type_: type[T] | None,
        *,
        params: dict[str, str | int] | None = None,
        patience: float = 0,
        once: str = "",
    ) -> T:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if content is not None else {}
        headers |= {"Idempotency-Key": once} if once else {}
        try:
            response = self._http.request(
                method, path, content=content, headers=headers, params=params or None, timeout=TIMEOUT + patience
            )
        except httpx.RequestError as error:
            raise Refused("unavailable", f"{self._where} {_why(error)}") from None
        if not response.is_success:
            raise _refusal(response)
        try:
            return msgspec.json.decode(response.content or b"null", type=type_)
        except _UNREADABLE:
            raise Refused("internal", f"{self._where} answered something unreadable to {method} {path}") from None


def _why(error: httpx.RequestError) -> str:
    """What failed, as far as the cause tells: a certificate that is not the trusted one, or no answer at all."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "shows another TLS certificate than the one that is trusted here"
        cause = cause.__cause__ or cause.__context__
    return f"does not answer: {type(error).__name__}"


def check_url(url: str) -> None:
    """Raise `Refused("configuration")` for an address to which a token must not be sent."""
    try:
        parts = urlsplit(url)
        sound = parts.port != 0
    except ValueError:
        raise Refused("configuration", f"{url!r} is no address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Refused("configuration", f"{url!r} is neither https nor on this machine")
    if not parts.hostname or not sound:
        raise Refused("configuration", f"{url!r} is no address")


def check_manufacturer_url(url: str) -> None:
    """Raise `Refused("configuration")` where the manufacturer cannot be asked at this address over TLS."""
    if not url:
        raise Refused("configuration", "no manufacturer_url: run `strongroom configure` with --manufacturer-url")
    check_url(url)
    if not url.startswith("https://"):
        raise Refused("configuration", f"the manufacturer's address must be https, and {url!r} is not")


def segment(text: str) -> str:
    """One path segment, so that a name can never reach another resource."""
    return quote(text, safe="")


def _refusal(response: httpx.Response) -> Refused:
    try:
        problem = msgspec.json.decode(response.content, type=_ProblemDetails)
    except _UNREADABLE:
        problem = _ProblemDetails()
    if problem.code == "session-stale":
        return SessionStale(problem.detail, problem.session)
    if problem.code in CATALOGUE:
        return Refused(problem.code, problem.detail)
    return Refused("internal", f"HTTP status {response.status_code} {problem.detail or problem.title}".strip())


def _tls(trusted: Path | bytes | None) -> ssl.SSLContext | bool:
    if trusted is None:
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The pin may be a leaf that some authority issued: it is then trusted as it stands.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    pem = trusted if isinstance(trusted, bytes) else read_file(trusted, "run `strongroom configure`")
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError, ValueError):
        where = "the validator's TLS anchor" if isinstance(trusted, bytes) else trusted
        raise Refused("configuration", f"{where} is not a PEM certificate") from None
    return context
