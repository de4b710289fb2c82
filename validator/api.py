"""The HTTP interface (docs/spec/validator.md): thin resources, and one error handler."""

import logging
import sqlite3
from typing import Any

import falcon
import msgspec

from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.errors import Refused
from validator.selectors import events_of, get_key
from validator.store import Store
from validator.validation import ValidationRequest, Validator

MAX_BODY = 32 * 1024

logger = logging.getLogger("validator")


class Validation:
    """Answers for keys that manufacturer and provider publish."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        if request.content_length is None:
            raise Refused("malformed", "a body with a Content-Length is needed")
        if request.content_length > MAX_BODY:
            raise Refused("too-large", f"at most {MAX_BODY} bytes")
        question = read_json(request.bounded_stream.read(), ValidationRequest)
        _write(response, {"statement": self._validator.answer(question)})


class History:
    """What was seen of one key, for anyone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, _request: falcon.Request, response: falcon.Response, key_id: str) -> None:
        with self._store.reading() as history:
            key = get_key(history, key_id)
            if key is None:
                raise Refused("not-found", "that key was never seen")
            events = events_of(history, key_id)
        shown = msgspec.structs.asdict(key) | {"single_use": bool(key.single_use)}
        _write(response, shown | {"events": [msgspec.structs.asdict(one) for one in events]})


class Health:
    """Up, and the history can be read. Whether the sources answer is said where it matters: in the answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        with self._store.reading() as history:
            history.execute("SELECT count(*) FROM looks")
        _write(response, {"status": "ok"})


class RequestLog:
    """One line a request: the route and not the path, which is the caller's; never a body."""

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: bool
    ) -> None:
        logger.info("%s %s %s", request.method, request.uri_template or "(no such path)", response.status_code)


def make_app(store: Store, validator: Validator) -> falcon.App[Any, Any]:
    """The WSGI application over an open store."""
    app = falcon.App(middleware=[RequestLog()])
    app.add_error_handler(Exception, _render)
    app.add_error_handler(falcon.HTTPError, _render)
    app.add_route("/healthz", Health(store))
    app.add_route("/v1/history/{key_id}", History(store))
    app.add_route("/v1/validation", Validation(validator))
    return app


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
    problem = {"type": f"urn:strongroom:error:{refused.code}", "title": sentence, "status": status}
    _write(response, problem | {"detail": refused.detail or sentence, "code": refused.code})
    response.content_type = "application/problem+json"
    if status == 503:
        response.set_header("Retry-After", "2")
