"""A customer's revocation endpoint at the tester's command: a real TLS server that does what a test tells it."""

import ipaddress
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from strongroom.protocol.encoding import b64u, canonical_json, digest
from strongroom.protocol.revocation import Answer, CheckAnswer, CheckRequest, Revocation, Status, read_request

TOKEN = "endpoint-token-of-the-test"
TEXT = {"Content-Type": "application/json"}


class Identity:
    """A key and a certificate, issued by another identity or by itself; `days` is its validity around now."""

    def __init__(
        self,
        name: str = "localhost",
        issuer: "Identity | None" = None,
        days: tuple[float, float] = (-1, 1),
        ca: bool = False,
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        moment = datetime.now(UTC)
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment + timedelta(days=days[0]))
            .not_valid_after(moment + timedelta(days=days[1]))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())

    @property
    def der(self) -> str:
        return b64u(self.certificate.public_bytes(Encoding.DER))

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pem"
            file.write_bytes(pem + self.certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(file)
        return context


class Handler(BaseHTTPRequestHandler):
    """Reads a request and leaves the answer to the endpoint."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True
        with suppress(OSError, ValueError):  # the device has hung up
            self.server.endpoint.answer(self, body)

    do_GET = do_POST

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    endpoint: "Endpoint"

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is the connection's thread's, so that one that hangs holds nobody else up.
        try:
            request = self.endpoint.identity.context().wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            request.close()
        except (OSError, ssl.SSLError):
            self.endpoint.refused_handshakes += 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Endpoint:
    """Says `statuses[key]` of each key, `active` of others, unless `behave` does something else."""

    def __init__(self, identity: Identity | None = None, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.identity = identity or Identity()
        self.statuses: dict[str, tuple[Status, str]] = {}
        self.behave: Callable[[Handler, CheckRequest], None] = self.answer_soundly
        self.requests: list[CheckRequest] = []
        self.tokens: list[str] = []
        self.refused_handshakes = 0
        self.asked = threading.Condition()
        self._server = Server(address, Handler)
        self._server.endpoint = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/strongroom"

    def terms(self, every: int = 1, **changes: Any) -> Revocation:
        """Terms that name this endpoint, pinned by its own certificate unless they say otherwise."""
        fields: dict[str, Any] = {"url": self.url, "token": TOKEN, "every": every}
        if "public_keys" not in changes:
            fields["certificates"] = [self.identity.der]
        return Revocation(**(fields | changes))

    def pinned_key(self) -> str:
        return digest(self.identity.spki)

    def answer(self, handler: Handler, body: bytes) -> None:
        request = read_request(body)
        self.tokens.append(handler.headers.get("Authorization", ""))
        with self.asked:
            self.requests.append(request)
            self.asked.notify_all()
        self.behave(handler, request)

    def answers(self, request: CheckRequest, **changes: Any) -> CheckAnswer:
        """What it would say."""
        said = [
            Answer(key=one.key, receipt=one.receipt, status=status, reason=reason)
            for one in request.checks
            for status, reason in [self.statuses.get(one.key, ("active", ""))]
        ]
        fields: dict[str, Any] = {"v": 1, "nonce": request.nonce, "answers": said}
        return CheckAnswer(**(fields | changes))

    def answer_soundly(self, handler: Handler, request: CheckRequest) -> None:
        handler.send(canonical_json(self.answers(request)), **{"Content_Type": "application/json"})

    def wait_asked(self, count: int, seconds: float = 10) -> None:
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.requests) >= count, seconds)
