"""Looking at the sources: every few seconds, and again when somebody asks about a key that was not seen yet."""

import logging
import threading
import time

from strongroom.protocol.errors import Refused
from validator.selectors import Source
from validator.services import record, record_absence, record_look
from validator.sightings import Sighting, Subject
from validator.sources import WITNESS, Sources
from validator.store import Store

logger = logging.getLogger("validator")


class Watcher:
    """One for a process. Looks may be asked for from several threads."""

    def __init__(self, store: Store, sources: Sources) -> None:
        self._store = store
        self._sources = sources
        self._locks: dict[Source, threading.Lock] = {"manufacturer": threading.Lock(), "provider": threading.Lock()}
        self._began: dict[Source, float] = {"manufacturer": -1.0, "provider": -1.0}
        self._silent: set[Source] = set()
        self._doubts: dict[Source, set[tuple[str, str]]] = {"manufacturer": set(), "provider": set()}

    def run(self, source: Source, interval: float) -> None:
        """Look for ever."""
        while True:
            self.look(source)
            time.sleep(interval)

    def look(self, source: Source) -> bool:
        """Look at everything that a source shows now; whether it answered. Askers of one moment share one look."""
        asked = time.monotonic()
        with self._locks[source]:
            if self._began[source] >= asked:
                return source not in self._silent
            self._began[source] = time.monotonic()
            return self._try(source)

    def look_for(self, subject: Subject, key_id: str) -> None:
        """Look for one key. Raises `Refused("unavailable")` where its source does not answer."""
        if subject == "vendor-key":
            now = int(time.time())
            sightings = self._sources.vendor_key(key_id, now)
            record(store=self._store, sightings=sightings, now=now)
            if not sightings:
                record_absence(store=self._store, key_id=key_id, now=now)
        elif not self.look("provider"):
            raise Refused("unavailable", "the provider does not answer")

    def _report_doubts(self, source: Source, sightings: list[Sighting]) -> None:
        """Say what is not believed: once, and not again at every look."""
        doubts = {(one.key_id, one.doubt) for one in sightings if one.doubt not in ("", WITNESS)}
        for key_id, doubt in doubts - self._doubts[source]:
            logger.warning("what the %s shows of %s is not believed: %s", source, key_id or "some key", doubt)
        self._doubts[source] = doubts

    def _try(self, source: Source) -> bool:
        began = int(time.time())
        see = self._sources.vendor_keys if source == "manufacturer" else self._sources.provider_keys
        try:
            sightings = see(began)
        except Refused as refused:
            if source not in self._silent:
                logger.warning("the %s gives no usable answer: %s", source, refused)
            self._silent.add(source)
            return False
        if source in self._silent:
            logger.info("the %s answers again", source)
        self._silent.discard(source)
        self._report_doubts(source, sightings)
        record_look(store=self._store, source=source, sightings=sightings, began=began, now=int(time.time()))
        return True
