"""A portal that does as the tester says: it speaks REST to the real client, and to a real device over its socket.

Left alone it passes everything on truly. `does[ROUTE]` takes a route's place: it gets the request and gives the answer,
and may ask `honest(ROUTE, request)` before, after or never; bytes go out as they are. All requests are kept, so that
tests see what has left.
"""

import base64
import re
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, digest, from_b64u
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.statements import Endorsement, Receipt, ValidationStatement
from tests.support.maker import PROVIDER
from tests.support.sealed import SealedDevice

Body = dict[str, Any]
Does = Callable[[Body], Any]

ROUTES = [
    ("GET", "trust", "trust"),
    ("POST", "validation", "validation"),
    ("POST", "partitions/(?P<partition>[^/]+)/attestation", "attestation"),
    ("GET", "partitions/(?P<partition>[^/]+)/access", "access"),
    ("PUT", "partitions/(?P<partition>[^/]+)/access", "access-update"),
    ("POST", "imports", "import"),
    ("GET", "imports/(?P<import_id>[^/]+)", "find-import"),
    ("GET", "keys/(?P<key>[^/]+)/receipt", "receipt"),
    ("GET", "session", "session"),
    ("POST", "keys/(?P<key>[^/]+)/(?P<operation>[^/]+)", "operation"),
    ("POST", "partitions/(?P<partition>[^/]+)/checkpoint", "checkpoint"),
    ("GET", "partitions/(?P<partition>[^/]+)/log", "log"),
]


class HostilePortal:
    """The provider's portal in the tester's hands, serving on a port of its own."""

    routes = ROUTES

    def __init__(self, device: SealedDevice, tls: ssl.SSLContext | None = None) -> None:
        self.device = device
        self.tenant = "acme"
        self.client = "client:cl_none"
        self.validation_key = Ed25519PrivateKey.generate()
        self.does: dict[str, Does] = {}
        self.requests: list[tuple[str, Body]] = []
        self.receipts: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        scheme = "http"
        if tls is not None:
            scheme, self._server.socket = "https", tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- what the tester says and sees ---

    def alters(self, route: str, change: Does) -> None:
        """From now on the answer of `route` is what `change` makes of the true one."""
        self.does[route] = lambda body: change(self.honest(route, body))

    def seen(self, route: str) -> list[Body]:
        """The requests of a route, in order."""
        return [body for name, body in self.requests if name == route]

    def answer(self, method: str, path: str, query: dict[str, str], body: Body) -> Body:
        for verb, pattern, route in self.routes:
            if verb == method and (found := re.fullmatch(pattern, path)):
                asked = body | query | {name: unquote(value) for name, value in found.groupdict().items()}
                self.requests.append((route, asked))
                return self.does[route](asked) if route in self.does else self.honest(route, asked)
        raise Refused("not-found", f"{method} {path}")

    # --- what an honest portal would do ---

    def honest(self, route: str, body: Body) -> Body:
        """The true answer to a request, got from the device where it has one."""
        answer: Does = getattr(self, f"_{route.replace('-', '_')}")
        return answer(body)

    def published(self) -> c.PublishKeysReply:
        return self.device.line().call(c.PublishKeys(), c.PublishKeysReply)

    def published_key(self, purpose: str) -> str:
        """The device's endorsement of its key of the default suite."""
        published = self.published()
        tokens = published.vendor_keys if purpose == "vendor-key" else published.provider_keys
        return next(one for one in tokens if jws.read_unverified(one, Endorsement).suite == "HPKE-XWING")

    def _trust(self, _: Body) -> Body:
        keys = self.published()
        device = {"device": keys.device, "vendor_keys": keys.vendor_keys, "provider_keys": keys.provider_keys}
        device["operations_keys"] = keys.operations_keys
        return {"provider": PROVIDER, "world": self.device.world, "devices": [device]}

    def vouch(self, body: Body, **changes: Any) -> ValidationStatement:
        """The provider's validator on its provider key, before it signs; `changes` are its lies."""
        published = [jws.read_unverified(one, Endorsement) for one in self.published().provider_keys]
        says = next((one for one in published if one.key_id == body.get("key_id")), published[0])
        statement = ValidationStatement(
            validator=PROVIDER,
            subject="provider-key",
            key_id=body["key_id"],
            public_key_digest=digest(from_b64u(says.public_key)),
            device=says.device,
            device_status="in-force",
            provider=PROVIDER,
            status="in-force",
            not_before=None,
            not_after=None,
            nonce=body["nonce"],
            issued_at=int(time.time()),
            expires_at=int(time.time()) + 300,
        )
        return msgspec.structs.replace(statement, **changes)

    def _validation(self, body: Body) -> Body:
        return {"statement": jws.sign(self.vouch(body), self.validation_key)}

    def _attestation(self, body: Body) -> Body:
        command = c.Attest(nonce=body["nonce"], partition=body["partition"])
        return {"attestation": self.device.line().call(command, c.AttestReply).attestation}

    def _access(self, body: Body) -> Body:
        shown = self.device.line().call(c.ShowAccess(partition=body["partition"]), c.ShowAccessReply)
        return {"version": shown.version, "document": shown.document, "owners": shown.owners}

    def _access_update(self, body: Body) -> Body:
        command = c.UpdateAccess(partition=body["partition"], document=body["document"])
        self.device.line().call(command, c.UpdateAccessReply)
        return self._access(body)

    def _import(self, body: Body) -> Body:
        material, terms = (base64.b64decode(body[part]) for part in ("material", "terms"))
        command = c.ImportKey(
            partition=body["partition"], tenant=self.tenant, header=body["header"], material=material, terms=terms
        )
        return self._complete(self.device.line().call(command, c.ImportKeyReply).receipt)

    def _find_import(self, body: Body) -> Body:
        for token in self.receipts.values():
            if jws.read_unverified(token, Receipt).import_id == body["import_id"]:
                return self._complete(token)
        raise Refused("not-found")

    def _complete(self, token: str) -> Body:
        receipt = jws.read_unverified(token, Receipt)
        self.receipts[receipt.key_id] = token
        return {"import_id": receipt.import_id, "status": "complete", "receipt": token}

    def _receipt(self, body: Body) -> Body:
        for token in self.receipts.values():
            receipt = jws.read_unverified(token, Receipt)
            if body["key"] in (receipt.key_id, receipt.name):
                return {"receipt": token}
        raise Refused("not-found")

    def _session(self, _: Body) -> Body:
        return {"session": self.device.line().call(c.SessionRequest(), c.SessionReply).session}

    def request(self, body: Body) -> OperationRequest:
        """What the device is asked for a REST request on a key."""
        given = dict(body.get("parameters", {}))
        for name in ("signature", "aad", "salt", "target_aad"):
            if name in given:
                given[name] = b64u(base64.b64decode(given[name]))
        return OperationRequest(
            principal=self.client,
            partition=jws.read_unverified(self.receipts[body["key"]], Receipt).partition,
            key=body["key"],
            version=body.get("version", 0),
            operation=body["operation"],
            mechanism=body.get("mechanism", ""),
            payload=base64.b64decode(body.get("payload", "")),
            parameters=msgspec.convert(given, Parameters),
            instruction=body.get("instruction", ""),
            items=[_item(one) for one in body["items"]] if "items" in body else None,
            sealed=base64.b64decode(body.get("sealed", "")),
            operations_key=body.get("operations_key", ""),
            count=body.get("count", 0),
        )

    def _operation(self, body: Body) -> Body:
        reply = self.device.line("operations").operate(self.request(body))
        if reply.code:
            raise Refused(reply.code, reply.detail)
        if "sealed" in body:
            return {
                "sealed": reply.sealed,
                "statement": reply.statement,
                "key_id": reply.key,
                "version": reply.version,
                "mechanism": reply.mechanism,
            }
        if "items" in body:
            results = [_answer(body["operation"], reply, n) for n in range(len(reply.results))]
            return {"key_id": reply.key, "version": reply.version, "mechanism": reply.mechanism, "results": results}
        result = {"valid": reply.result == b"\x01"} if body["operation"] == "verify" else {"result": reply.result}
        return {"key_id": reply.key, "version": reply.version, "mechanism": reply.mechanism} | result

    def _checkpoint(self, body: Body) -> Body:
        command = c.MakeCheckpoint(partition=body["partition"], nonce=body["nonce"])
        return {"checkpoint": self.device.line().call(command, c.MakeCheckpointReply).checkpoint}

    def _log(self, body: Body) -> Body:
        lanes, after = self.device.entries(body["partition"]), int(body["after"])
        lines = [{"lane": body["lane"], "n": n, "entry": entry} for n, entry in enumerate(lanes[body["lane"]], start=1)]
        return {"lanes": sorted(lanes), "entries": lines[after : after + int(body["limit"])]}


def _handler(portal: HostilePortal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def _serve(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, query = url.path.removeprefix("/api/v1/"), dict(parse_qsl(url.query))
            status = 200
            try:
                answer = portal.answer(self.command, path, query, msgspec.json.decode(raw or b"{}"))
            except Refused as error:
                status = CATALOGUE[error.code].status
                answer = {"code": error.code, "detail": error.detail}
                if error.code == "session-stale":
                    answer |= portal.honest("session", {})
            body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _item(given: Body) -> Item:
    return Item(*(base64.b64decode(given.get(name, "")) for name in ("payload", "signature", "aad")))


def _answer(operation: str, reply: OperationReply, index: int) -> Body:
    if index in reply.errors:
        return {"error": dict(zip(("code", "detail"), reply.errors[index], strict=True))}
    result = reply.results[index]
    return {"valid": result == b"\x01"} if operation == "verify" else {"result": result}
