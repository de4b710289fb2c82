"""The endpoint's server: one kind of request, over TLS, with the token, within bounds of size and time.

Each request is answered from the statuses as they are at that moment. Nothing that a caller sends is kept.
"""

import contextlib
import hmac
import logging
import signal
import socket
import sqlite3
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from strongroom.endpoint import identity
from strongroom.endpoint.store import Statuses
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import MAX_BODY, CheckAnswer, CheckRequest, read_request

MAX_CONNECTIONS = 128
SECONDS = 10
"""For a TLS handshake, for a request to come in whole, and between two requests on a connection."""

logger = logging.getLogger("strongroom.revocation")


def serve(folder: Path, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` where the address cannot be had."""
    endpoint = Endpoint(folder, host, port)

    def stop(*_: Any) -> None:
        threading.Thread(target=endpoint.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    logger.info("serving %s at https://%s:%s", folder, host, endpoint.server_port)
    endpoint.serve_forever()
    endpoint.finish()
    logger.info("stopped")


class Endpoint(ThreadingHTTPServer):
    """One thread for each connection; each connection has a deadline, which a whole answer puts off."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, folder: Path, host: str, port: int, *, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.statuses = Statuses(folder)
        self.token = (folder / identity.TOKEN).read_text().strip().encode()
        self.deadlines: dict[ssl.SSLSocket, float] = {}
        self.callers: set[str] = set()
        self._logged = self.statuses.last_change()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(folder / identity.CERTIFICATE, folder / identity.KEY)
        super().__init__((host, port), _Call)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return len(self.deadlines) < MAX_CONNECTIONS

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: TLS first, and what was asked over it."""
        with self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as connection:
            self.put_off(connection)
            try:
                connection.settimeout(self.seconds)
                connection.do_handshake()
                super().finish_request(connection, client_address)
                # Closed with something unread in it, the connection would take the answer back.
                _cut(connection, socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
            except OSError:
                pass  # The caller has gone, was too slow, or does not speak TLS.
            finally:
                del self.deadlines[connection]

    def put_off(self, connection: ssl.SSLSocket) -> None:
        self.deadlines[connection] = time.monotonic() + self.seconds

    def service_actions(self) -> None:
        """Between requests, twice a second: end connections that are overdue, and say what has changed."""
        for connection, deadline in list(self.deadlines.items()):
            if time.monotonic() > deadline:
                _cut(connection, socket.SHUT_RDWR)
        try:
            for one in self.statuses.changes(self._logged):
                logger.info("%s %s is %s%s", one.key, one.name, one.status, f": {one.reason}" if one.reason else "")
                self._logged = one.id
        except sqlite3.Error as error:
            logger.warning("the statuses cannot be read: %s", error)

    def finish(self) -> None:
        """Let answers that are on their way go out, and take no further request."""
        for connection in list(self.deadlines):
            _cut(connection, socket.SHUT_RD)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a call from %s failed", client_address[0])


class _Call(BaseHTTPRequestHandler):
    """A connection's requests."""

    server: Endpoint
    connection: ssl.SSLSocket
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "strongroom", ""
    wbufsize = -1
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"

    def do_POST(self) -> None:
        # 1. Who asks.
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self.server.token):
            return self.send_error(HTTPStatus.UNAUTHORIZED)
        # 2. What is asked.
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            return self.send_error(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BODY:
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            asked = read_request(self.rfile.read(int(length)))
        except (Refused, RecursionError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        # 3. What the customer says of it now.
        try:
            body = self._answer(asked)
        except sqlite3.Error as error:
            logger.warning("the statuses cannot be read: %s", error)
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.put_off(self.connection)
        return None

    def _answer(self, asked: CheckRequest) -> bytes:
        if asked.device not in self.server.callers and len(self.server.callers) < 100:
            self.server.callers.add(asked.device)
            logger.info("%s asks from %s", asked.device, self.client_address[0])
        return msgspec.json.encode(
            CheckAnswer(v=1, nonce=asked.nonce, answers=self.server.statuses.answers(asked.checks))
        )

    def log_message(self, *_: Any) -> None:
        """Calls come every few seconds for years: they are not logged."""


def _cut(connection: ssl.SSLSocket, how: int) -> None:
    """Shut down below TLS, whose own shutdown must not be called while another thread reads."""
    with contextlib.suppress(OSError):  # It may have ended meanwhile.
        socket.socket.shutdown(connection, how)
