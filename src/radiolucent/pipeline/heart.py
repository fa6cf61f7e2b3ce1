"""A process says that it lives, sees which others do, and has its name for itself.

Whether another lives is told by its row changing, on our own clock that nobody sets: the clocks of machines differ and
jump, and what is a moment ago on one is an hour ago on another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection

from radiolucent.errors import PeerUnavailable, SettingsError
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.store import workers
from radiolucent.store.workers import Beat

log = logging.getLogger(__name__)
BEAT_S, SILENT_S = 1.0, 12.0
WATCH_S = 3.0
"""How long a name must have been silent before a new process takes it: its own former life was killed."""
LATE_S = 4.0
"""Between two looks: after a longer pause (a database away, a machine asleep) silence says nothing."""


class Heart:
    """The heartbeat of one process, in a thread of its own."""

    def __init__(self, journal: Journal, *, worker_id: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._journal, self._name, self._monotonic = journal, worker_id, monotonic
        self._started_at = journal.clock().timestamp()
        self._heard: dict[str, tuple[Beat, float]] = {}
        self._looked = 0.0
        self._before: tuple[Beat, float] | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def claim(self) -> None:
        """Take our name if it is free; else begin to watch who has it. Ends at once."""
        with self._journal.entry() as entry:
            if workers.enter(entry.connection, self._name, self._now()):
                self._thread.start()
                return
            self._before = (workers.beats(entry.connection)[self._name], self._monotonic())

    def confirm(self) -> None:
        """Have our name, or not: waits until it is sure that nobody lives under it.

        Raises
        ------
        SettingsError
            ``worker_id_taken``.
        """
        if self._before is None:
            return
        last, since = self._before
        while self._monotonic() - since < WATCH_S:
            with self._journal.reading() as connection:
                found = workers.beats(connection).get(self._name)
            if found != last:
                break
            self._ending.wait(0.1)
        with self._journal.entry() as entry:
            now = self._now()
            is_ours = workers.take_over(entry.connection, self._name, now, last=last) or workers.enter(
                entry.connection, self._name, now
            )
        if not is_ours:
            raise SettingsError(
                "worker_id_taken",
                found="another process that works under the same name over the same database",
                expected="a name of its own for every process",
                action="Stop the other one, or give this one another worker_id (--worker NAME).",
            )
        self._before = None
        self._thread.start()

    def look(self) -> list[str]:
        """Beat once, see who else does, and strike the dead off the list: their names."""
        with self._journal.entry() as entry:
            self._beat(entry.connection)
            dead = {name: last for name, last in self._others(entry.connection).items() if self._is_dead(name, last)}
            for name, last in dead.items():
                workers.bury(entry.connection, name, started_at=last.started_at)
        if dead:
            event(log, "workers_buried", level=logging.WARNING, count=len(dead))
        return sorted(dead)

    def stop(self) -> None:
        """Say goodbye."""
        self._ending.set()
        if not self._thread.is_alive():
            return
        self._thread.join()
        try:
            with self._journal.entry() as entry:
                workers.bury(entry.connection, self._name, started_at=self._started_at)
        except PeerUnavailable:
            event(log, "goodbye_not_kept", level=logging.WARNING)

    def _run(self) -> None:
        while not self._ending.wait(BEAT_S):
            try:
                self.look()
            except PeerUnavailable:
                continue  # whoever does something with the database says so
            except Exception:  # noqa: BLE001  a heart that stops would be buried
                event(log, "service_failed", level=logging.ERROR, error=True)

    def _now(self) -> Beat:
        return Beat(seen_at=self._journal.clock().timestamp(), started_at=self._started_at)

    def _beat(self, connection: Connection) -> None:
        now = self._now()
        if not workers.beat(connection, self._name, now) and not workers.enter(connection, self._name, now):
            event(log, "worker_id_lost", level=logging.ERROR, worker=self._name)

    def _others(self, connection: Connection) -> dict[str, Beat]:
        found = workers.beats(connection)
        found.pop(self._name, None)
        now = self._monotonic()
        if now - self._looked > LATE_S:
            self._heard.clear()
        self._looked = now
        return found

    def _is_dead(self, name: str, last: Beat) -> bool:
        heard, since = self._heard.get(name, (None, 0.0))
        if heard != last:
            self._heard[name] = (last, self._looked)
            return False
        return self._looked - since >= SILENT_S
