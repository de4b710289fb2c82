"""The running service: one granian worker behind TLS on 127.0.0.1."""

import ctypes
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from manufacturer.api import make_app
from manufacturer.hierarchy import load, tls_file
from manufacturer.store import Store

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger("manufacturer")


def serve(*, store: Store, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Refused("configuration")` where the store is not complete."""
    hierarchies = load(store)
    server = Granian(
        "manufacturer",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        ssl_cert=tls_file(store),
        ssl_key=tls_file(store),
        blocking_threads=4,
        backpressure=64,
        workers_kill_timeout=5,
        log_dictconfig={"root": {"handlers": ["console"], "level": "INFO"}},
    )
    if "development" in hierarchies:
        logger.warning("DEVELOPMENT devices are trusted here. Set STRONGROOM_ENV=production to refuse them.")
    server.serve(target_loader=_loader(store, parent=os.getpid()), wrap_loader=False)


def _loader(store: Store, *, parent: int) -> Callable[[], Any]:
    """Makes the application inside the worker, which dies with its parent: an orphan would keep the port."""

    def load_in_worker() -> Any:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)
        return make_app(store, load(store))

    return load_in_worker
