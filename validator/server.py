"""The running validator: one granian worker behind TLS on 127.0.0.1, in which a thread watches each source."""

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from validator import settings
from validator.api import make_app
from validator.identity import signing_key
from validator.selectors import Source
from validator.services import SUBJECT
from validator.sources import Sources
from validator.store import Store
from validator.validation import Validator
from validator.watcher import Watcher

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger("validator")


def serve(*, store: Store, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Refused("configuration")` where the store is not complete."""
    settings.load(store)
    signing_key(store)
    server = Granian(
        "validator",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        ssl_cert=store.tls,
        ssl_key=store.tls,
        blocking_threads=8,
        backpressure=64,
        workers_kill_timeout=5,
        log_dictconfig={"root": {"handlers": ["console"], "level": "INFO"}},
    )
    server.serve(target_loader=_loader(store, parent=os.getpid()), wrap_loader=False)


def _loader(store: Store, *, parent: int) -> Callable[[], Any]:
    """Makes the application inside the worker, which dies with its parent: an orphan would keep the port."""

    def load_in_worker() -> Any:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)
        # httpx says each of its requests, which are many and always the same.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        known = settings.load(store)
        watcher = Watcher(store, Sources(known))
        for source in SUBJECT:
            threading.Thread(target=_watch, args=(watcher, source, known.interval), daemon=True).start()
        return make_app(store, Validator(name=known.name, key=signing_key(store), store=store, watcher=watcher))

    return load_in_worker


def _watch(watcher: Watcher, source: Source, interval: float) -> None:
    """Watch until the process ends; or end it, because a validator that has stopped watching must not answer."""
    try:
        watcher.run(source, interval)
    except Exception:
        logger.exception("watching the %s has failed", source)
        os._exit(1)
