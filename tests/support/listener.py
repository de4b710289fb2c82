"""A small HTTP server that is called back: it keeps what comes, and answers as it is told."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Message(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """`answers`: the status codes of the next answers, after which all are 204."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answers: list[int] = []
        self._came = threading.Condition()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = listener.answers.pop(0) if listener.answers else 204
                headers = {name.lower(): value for name, value in self.headers.items()}
                with listener._came:
                    listener.messages.append(Message(self.path, headers, body))
                    listener._came.notify_all()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?of=mine"

    def wait(self, count: int, seconds: float = 30) -> list[Message]:
        """The messages, as soon as there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, seconds), f"{len(self.messages)} messages"
            return list(self.messages)


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()
