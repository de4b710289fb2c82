"""The HTTP interface (docs/spec/manufacturer.md): thin resources over the services, and one error handler."""

import logging
import sqlite3
import time
from typing import Any

import falcon
import msgspec

from manufacturer.hierarchy import Hierarchies
from manufacturer.selectors import VendorKey, get_device, get_vendor_key, standing_vendor_keys
from manufacturer.services import list_vendor_key
from manufacturer.store import Store
from manufacturer.validation import ValidationRequest, answer, effective_status
from strongroom.protocol.encoding import T, canonical_json, read_json
from strongroom.protocol.errors import Refused

MAX_BODY = 32 * 1024

logger = logging.getLogger("manufacturer")


class VendorKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endorsement: str


class VendorKeys:
    """The list of standing vendor keys, which anyone may read; any certified device may add to it."""

    def __init__(self, store: Store, hierarchies: Hierarchies) -> None:
        self._store = store
        self._hierarchies = hierarchies

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        with self._store.reading() as register:
            _write(response, [_public(register, key) for key in standing_vendor_keys(register)])

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        body = _read(request, VendorKeyRequest)
        key, is_new = list_vendor_key(
            store=self._store, hierarchies=self._hierarchies, endorsement=body.endorsement, now=int(time.time())
        )
        with self._store.reading() as register:
            _write(response, _public(register, key))
        response.status = falcon.HTTP_201 if is_new else falcon.HTTP_200


class OneVendorKey:
    """A listed vendor key by its id: the only way to see a single-use key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, _request: falcon.Request, response: falcon.Response, key_id: str) -> None:
        with self._store.reading() as register:
            key = get_vendor_key(register, key_id)
            if key is None:
                raise Refused("not-found")
            _write(response, _public(register, key))


class Validation:
    """Answers for vendor keys."""

    def __init__(self, store: Store, hierarchies: Hierarchies) -> None:
        self._store = store
        self._hierarchies = hierarchies

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        question = _read(request, ValidationRequest)
        statement = answer(store=self._store, hierarchies=self._hierarchies, request=question, now=int(time.time()))
        _write(response, {"statement": statement})


class Health:
    """Up, and the register can be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        with self._store.reading() as register:
            register.execute("SELECT count(*) FROM devices")
        _write(response, {"status": "ok"})


class RequestLog:
    """One line a request: the route and not the path, which is the caller's; never a body."""

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: bool
    ) -> None:
        logger.info("%s %s %s", request.method, request.uri_template or "(no such path)", response.status_code)


def make_app(store: Store, hierarchies: Hierarchies) -> falcon.App[Any, Any]:
    """The WSGI application over an open store."""
    app = falcon.App(middleware=[RequestLog()])
    app.add_error_handler(Exception, _render)
    app.add_error_handler(falcon.HTTPError, _render)
    app.add_route("/healthz", Health(store))
    app.add_route("/v1/vendor-keys", VendorKeys(store, hierarchies))
    app.add_route("/v1/vendor-keys/{key_id}", OneVendorKey(store))
    app.add_route("/v1/validation", Validation(store, hierarchies))
    return app


def _public(register: sqlite3.Connection, key: VendorKey) -> dict[str, str]:
    device = get_device(register, key.device)
    if device is None:
        raise LookupError(f"{key.key_id} belongs to no device of the register")
    return {
        "key_id": key.key_id,
        "endorsement": key.endorsement,
        "status": effective_status(key, device, int(time.time())),
    }


def _read(request: falcon.Request, kind: type[T]) -> T:
    if request.content_length is None:
        raise Refused("malformed", "a body with a Content-Length is needed")
    if request.content_length > MAX_BODY:
        raise Refused("too-large", f"at most {MAX_BODY} bytes")
    return read_json(request.bounded_stream.read(), kind)


def _write(response: falcon.Response, value: Any) -> None:
    response.content_type = falcon.MEDIA_JSON
    response.data = canonical_json(value)


def _render(_request: falcon.Request, response: falcon.Response, error: Exception, _params: dict[str, Any]) -> None:
    """Every refusal and failure as problem details (RFC 9457) with a code of the catalogue."""
    match error:
        case sqlite3.DatabaseError() | Refused(code="configuration"):
            logger.error("the store cannot be used: %s", error)
            refused = Refused("unavailable")
        case Refused():
            refused = error
        case falcon.HTTPNotFound():
            refused = Refused("not-found")
        case falcon.HTTPMethodNotAllowed():
            refused = Refused("method-not-allowed")
            response.set_headers(error.headers or {})
        case falcon.HTTPError():
            refused = Refused("malformed", error.title)
        case _:
            logger.error("an unforeseen error", exc_info=error)
            refused = Refused("internal")
    status, sentence = refused.problem
    response.status = falcon.code_to_http_status(status)
    _write(
        response,
        {
            "type": f"urn:strongroom:error:{refused.code}",
            "title": sentence,
            "status": status,
            "detail": refused.detail or sentence,
            "code": refused.code,
        },
    )
    response.content_type = "application/problem+json"
    if status == 503:
        response.set_header("Retry-After", "2")
