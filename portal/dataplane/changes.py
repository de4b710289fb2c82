"""Whether what this process remembers still holds: told by PostgreSQL (LISTEN/NOTIFY) of every change to it."""

import logging
import select
import threading
import time
from collections.abc import Callable

import msgspec
import psycopg

CHANNEL = "strongroom_dataplane"
HEARTBEAT_SECONDS = 0.25
SILENCE_SECONDS = 1.0
"""After so long without a heartbeat nothing that is remembered may be used."""

logger = logging.getLogger(__name__)
NewKey = tuple[int, str, str]
"""Tenant, key id, name: of a key or of its next version."""
_new_key = msgspec.json.Decoder(NewKey)


class Changes:
    """Listens in a thread of its own. A generation is over with each change, whichever: changes are rare.

    But for new keys, which are not: of these `added` is told one by one, and the generation goes on.
    """

    def __init__(self, database_url: str, added: Callable[[NewKey], None]) -> None:
        self._database_url = database_url
        self._added = added
        self._last_beat = float("-inf")
        self._lost = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.generation = 0

    def start(self) -> None:
        """Begin to listen, in the process that serves (never before a fork). Cheap when it has begun."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="dataplane-changes", daemon=True)
                self._thread.start()

    def heard(self) -> bool:
        """Whether the channel is alive, so that no change can have been missed for longer than a second."""
        return time.monotonic() - self._last_beat < SILENCE_SECONDS

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except psycopg.Error as error:
                if not self._lost:
                    what = type(error).__name__
                    logger.warning("The change channel is lost, asking the database meanwhile: %s", what)
                self._lost = True
            self._last_beat = float("-inf")
            time.sleep(HEARTBEAT_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(
            self._database_url, autocommit=True, connect_timeout=2, application_name=CHANNEL
        ) as connection:
            connection.add_notify_handler(lambda notice: self._heed(notice.payload))
            connection.execute(f"LISTEN {CHANNEL}")
            # Whatever was remembered before may have changed while nobody listened.
            self._over()
            if self._lost:
                logger.warning("The change channel is back")
                self._lost = False
            while True:
                # A query delivers the notices that wait, and its answer is the heartbeat.
                asked = time.monotonic()
                connection.execute("SELECT 1")
                self._last_beat = asked
                select.select([connection.fileno()], [], [], HEARTBEAT_SECONDS)

    def _heed(self, payload: str) -> None:
        try:
            self._added(_new_key.decode(payload))
        except msgspec.DecodeError:
            self._over()

    def _over(self) -> None:
        self.generation += 1
