"""The revocator: a forked process that asks customers' endpoints and certificates' issuers, and writes what holds.

It alone writes the standings. What is for ever (a revocation) and what is on record (suspended, resumed) is done by
the parent, the one administrative writer, whom it tells. Calls run in threads; everything that they find is applied
here, in one thread.
"""

import os
import queue
import selectors
import signal
import socket
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hsm import records as r
from hsm import standings as st
from hsm import verdicts
from hsm.clock import NANO, age_ns
from hsm.faults import log_fault
from hsm.keytree import KeyTree
from hsm.records import Records
from hsm.revocation_pages import Page, Pages, Watch, Watched
from hsm.revocation_sources import Outcome, Source, Subject, Surroundings, sources_of
from hsm.revocator_messages import GiveStatus, Stands, StatusIs, decoder
from hsm.revocator_outbox import Outbox, Revoked, partition_of
from hsm.sandbox import follow_parent, lock_memory
from hsm.shared import Generations
from hsm.standings import Standings
from hsm.store import Store
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import receipt_digest
from strongroom.protocol.terms import read_terms

THREADS = 64
MOST_CALLS = 4
"""Calls under way at once for one partition: its slow endpoint holds no more threads than these."""
SCANNED = 500
_KEYS = "partitions/*/keys/*/*"


class Ended(NamedTuple):
    """A call that has ended: without outcomes it failed."""

    page: Page
    watches: list[Watch]
    outcomes: list[Outcome | None] | None
    failure: str


def run_revocator(
    *,
    parent: int,
    control: socket.socket,
    folder: Path,
    keys: KeyTree,
    generations: Generations,
    standings: Standings,
    around: Surroundings,
) -> None:
    """Serve until the control socket closes. Runs in a fork; the store is opened anew."""
    follow_parent(parent)
    lock_memory()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:2"  # a resolver that does not answer must not hold threads for long
    records = Records(Store(folder / "store.db"), keys, generations)
    Revocator(records, standings, around, control).run()


class Revocator:
    """The process's one main thread."""

    def __init__(self, records: Records, standings: Standings, around: Surroundings, control: socket.socket) -> None:
        self._records = records
        self._standings = standings
        self._around = around
        self._control = control
        self._pages = Pages()
        self._watched: dict[str, Watched] = {}
        self._outbox = Outbox(control)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[Page]] = defaultdict(deque)
        self._told = b""
        self._scan_after: str | None = ""

    def run(self) -> None:
        selector = selectors.EpollSelector()
        for source in (self._control, self._standings.pipe, self._wake):
            selector.register(source, selectors.EVENT_READ, source)
        while True:
            for key, _ in selector.select(self._patience()):
                if key.data is self._control:
                    self._answer_parent()
                elif key.data == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._hear()
            self._scan()
            self._apply_ended()
            self._outbox.flush()
            while (page := self._pages.take(age_ns())) is not None:
                self._start(page)

    def _patience(self) -> float:
        """Seconds until something is due; not more than one, as the age runs on while the machine sleeps."""
        if self._scan_after is not None:
            return 0
        if self._outbox:
            return 0.02
        due = self._pages.next_due()
        return 1.0 if due is None else max(0.0, min(1.0, (due - age_ns()) / NANO))

    # --- which versions there are ---

    def _scan(self) -> None:
        """Learn of versions from the store, some at a time: at the start, and when not everything could be told."""
        if self._standings.overflowed():
            self._scan_after = self._scan_after or ""
        if self._scan_after is None:
            return
        paths = self._records.store.paths_like(_KEYS, self._scan_after, SCANNED)
        for path in paths:
            self._learn(path)
        self._scan_after = paths[-1] if paths else None

    def _hear(self) -> None:
        try:
            data = os.read(self._standings.pipe, 65_536)
        except BlockingIOError:
            return
        *lines, self._told = (self._told + data).split(b"\n")
        for line in dict.fromkeys(lines):
            kind, path = line[:1], line[1:].decode()
            watched = self._watched.get(path)
            if kind == b"=" or watched is None:
                self._learn(path)
            else:
                for watch in watched.watches:
                    self._pages.hurry(watch.page, age_ns())

    def _learn(self, path: str) -> None:
        """Watch a version, or no longer where its record says that it is gone."""
        try:
            stored = self._records.get(path, r.StoredKey)
            sources: list[Source] = []
            if stored is not None and not stored.destroyed:
                sources = sources_of(read_terms(stored.terms), partition_of(path), self._around)
            if stored is not None and sources and path not in self._watched:
                self._watch(path, stored, sources)
            elif not sources:
                self._forget(path)
        except Refused:
            log_fault("a key to be watched")

    def _watch(self, path: str, stored: r.StoredKey, sources: list[Source]) -> None:
        place = self._standings.add(path)
        watched = Watched(path, place, Subject(path.split("/")[3], receipt_digest(stored.receipt)))
        for source in sources:
            self._pages.add(watched, source, age_ns())
        self._watched[path] = watched

    def _forget(self, path: str) -> None:
        self._outbox.written(path)
        watched = self._watched.pop(path, None)
        if watched is not None:
            self._standings.set(watched.place, 0, watched.calls, st.REVOKED)
            self._pages.remove(watched)

    # --- calls ---

    def _start(self, page: Page) -> None:
        partition = partition_of(page.watches[0].watched.path)
        if self._calls[partition] >= MOST_CALLS:
            self._waiting[partition].append(page)
            return
        self._calls[partition] += 1
        page.asked_at = age_ns()
        self._pool.submit(self._call, page, list(page.watches))

    def _call(self, page: Page, watches: list[Watch]) -> None:
        """In a thread: nothing but the call."""
        try:
            ended = Ended(page, watches, page.source.ask([one.watched.subject for one in watches]), "")
        except Refused as error:
            ended = Ended(page, watches, None, f"{error.code}: {error.detail}" if error.detail else error.code)
        except Exception:  # noqa: BLE001 (a defect is a call that failed, and is on the process's log)
            log_fault("a call")
            ended = Ended(page, watches, None, "internal")
        self._ended.put(ended)
        os.eventfd_write(self._wake, 1)

    def _apply_ended(self) -> None:
        while not self._ended.empty():
            ended = self._ended.get()
            partition = partition_of(ended.watches[0].watched.path)
            self._calls[partition] -= 1
            self._apply(ended)
            self._pages.back(ended.page, ended.outcomes, age_ns())
            waiting = self._waiting[partition]
            while waiting and self._calls[partition] < MOST_CALLS:
                page = waiting.popleft()
                if page.watches:
                    self._start(page)

    def _apply(self, ended: Ended) -> None:
        """Write what the call found, for every version of its page, and tell the parent what has changed by it."""
        page = ended.page
        now = age_ns()
        page.seconds, moment = (now - page.asked_at) / NANO, self._around.clock.now()
        revoked: dict[str, Revoked] = {}
        suspended: defaultdict[str, list[str]] = defaultdict(list)
        resumed: list[str] = []
        outcomes = ended.outcomes or [None] * len(ended.watches)
        for watch, outcome in zip(ended.watches, outcomes, strict=True):
            watch.calls += 1
            watched = watch.watched
            if self._outbox.is_revoked(watched.path) or watched.path not in self._watched:
                continue
            verdicts.note(watch, outcome, ended.failure, moment)
            good_until = watched.good_until
            self._standings.set(watched.place, good_until, watched.calls, verdicts.why(watched, now))
            if outcome is not None and outcome.status == "revoked":
                self._standings.set(watched.place, 0, watched.calls, st.REVOKED)
                revoked[watched.path] = Revoked(watch.source.name, outcome.answer, outcome.reason, now)
            elif good_until > now and watched.logged:
                watched.logged = False
                resumed.append(watched.path)
            elif good_until <= now and not watched.logged and all(one.calls for one in watched.watches):
                watched.logged = True
                suspended[verdicts.words(watched, now)].append(watched.path)
        self._outbox.revoked(revoked)
        for why, paths in suspended.items():
            self._outbox.changed("key:suspend", paths, why)
        self._outbox.changed("key:resume", resumed, "")

    # --- what the parent asks ---

    def _answer_parent(self) -> None:
        message = self._control.recv(1024 * 1024)
        if not message:
            os._exit(0)
        asked = decoder.decode(message)
        if isinstance(asked, GiveStatus):
            found = {path: self._stands(self._watched[path]) for path in asked.paths if path in self._watched}
            self._outbox.answer(StatusIs(asked.question, found))

    def _stands(self, watched: Watched) -> Stands:
        now = age_ns()
        worst = min(watched.watches, key=lambda one: one.good_until)
        due = min(one.page.due for one in watched.watches)
        return Stands(
            good=watched.good_until > now,
            answer=worst.answer,
            answered_at=worst.answered_at or None,
            last_check=worst.checked or None,
            failure=worst.failure,
            next_check=self._around.clock.now() + max(0, (due - now) // NANO),
            why="" if watched.good_until > now else verdicts.words(watched, now),
            checks=watched.calls,
            seconds=round(worst.page.seconds, 6),
        )
