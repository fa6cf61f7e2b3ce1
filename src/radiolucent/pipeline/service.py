"""The heart of a running installation: what is due is put on a queue, the dead are buried, the old is cleared away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from radiolucent.errors import PeerUnavailable
from radiolucent.logs import event
from radiolucent.pipeline.durable import Durable, attempt_of, identity_of
from radiolucent.pipeline.heart import Heart
from radiolucent.pipeline.journal import Journal
from radiolucent.records.study import Priority
from radiolucent.store import outbox, upkeep, work, workers
from radiolucent.store.blobs import Blobs
from radiolucent.store.outbox import Delivery
from radiolucent.store.work import Job

log = logging.getLogger(__name__)
TICK_S, STUCK_S, CLEAN_S = 0.1, 5.0, 3600.0
REST_S = 0.02
"""Between two looks, however often somebody wakes us: while images come in, every one does."""
ASKED_S = 30.0
DAY_S = 86_400.0
MESSAGES_DAYS, WORKFLOWS_DAYS = 30, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How long things are kept, in days (0 is for ever), and how long they wait at most."""

    images_days: int = 0
    results_days: int = 0
    checkpoint_s: float = 900.0
    max_attempts: int = 3
    quiet_s: float = 5.0
    longest_wait_s: float = 600.0


class Service:
    """Looks at the store ten times a second and does what is due. Every process of an installation has one."""

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        durable: Durable,
        *,
        heart: Heart,
        alarm: threading.Event,
        upkeep: Upkeep,
        checkpoint: Callable[[], None],
        priorities: Callable[[Connection, Sequence[str]], Mapping[str, Priority]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal, self._blobs, self._durable, self._heart = journal, blobs, durable, heart
        self._upkeep, self._checkpoint = upkeep, checkpoint
        self._priorities, self._monotonic = priorities, monotonic
        self._asked: dict[str, float] = {}
        self._wake, self._ending = alarm, threading.Event()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)
        self._last: dict[str, float] = {}
        self._started = monotonic()
        self._ahead_s = self._now() - self._started

    def start(self) -> None:
        """Open the queues and begin; the heart beats already."""
        self._durable.start()
        self._thread.start()

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Begin nothing new, let what runs end, say goodbye."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._durable.stop(timeout_s=timeout_s)
        self._heart.stop()

    def tick(self) -> None:
        """One look: studies and deliveries that are due, then, less often, the rest.

        What is due goes by the clock of the day, because it is kept; how often we look goes by one that nobody sets.
        """
        now, passed = self._now(), self._monotonic()
        for job in self._due(now):
            if self._is_new(what := identity_of(job), passed):
                self._durable.enqueue(job)
                self._asked[what] = passed
        for delivery in self._deliveries(now):
            if self._is_new(what := attempt_of(delivery), passed):
                self._durable.enqueue_delivery(delivery)
                self._asked[what] = passed
        for name, every_s, do in (
            ("stuck", STUCK_S, self._free_stuck),
            ("checkpoint", self._upkeep.checkpoint_s, self._anchor),
            ("clean", CLEAN_S, self._clean),
        ):
            if passed - self._last.get(name, self._started) >= every_s:
                self._last[name] = passed
                do(now)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.tick()
            except PeerUnavailable as error:
                event(log, "service_waits", level=logging.WARNING, code=error.code)
                self._ending.wait(1.0)
            except Exception:  # noqa: BLE001  whatever one look found, the next is made
                event(log, "service_failed", level=logging.ERROR, error=True)
                self._ending.wait(1.0)
            self._ending.wait(REST_S)
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _now(self) -> float:
        return self._journal.clock().timestamp()

    def _due(self, now: float) -> list[Job]:
        with self._journal.reading() as connection:
            waiting = work.is_any_due(connection, now=now)
            ready = work.ready(connection)
        if not waiting:
            return ready
        with self._journal.reading() as connection:  # the rules look at every image: nobody waits for that
            due = work.due(connection, now=now)
            wanted = self._priorities(connection, due)
        with self._journal.entry() as entry:
            for key in due:
                if key in wanted:
                    work.set_priority(entry.connection, key, wanted[key])
            return [*ready, *work.claim_due(entry.connection, now=now, among=due)]

    def _deliveries(self, now: float) -> list[Delivery]:
        with self._journal.reading() as connection:
            return outbox.due(connection, now=now)

    def _is_new(self, what: str, passed: float) -> bool:
        """Whether this was not put on a queue a moment ago; the queue itself takes a thing only once."""
        if passed - self._asked.get(what, -ASKED_S) < ASKED_S:
            return False
        if len(self._asked) > 10_000:
            self._asked = {name: at for name, at in self._asked.items() if passed - at < ASKED_S}
        return True

    def _free_stuck(self, now: float) -> None:
        """Whatever nobody is at any more: handed over, once more, or set aside."""
        self._free_waits(now)
        self._hand_over()
        self._free_studies()
        for delivery in self._deliveries(now):
            if self._durable.standing(attempt_of(delivery)) == "over":
                self._durable.delivery_failed(delivery)
                event(log, "workflow_failed", level=logging.ERROR, destination=delivery.destination)

    def _free_waits(self, now: float) -> None:
        """Nothing waits longer than it was ever told to: where it does, the clock was set back."""
        with self._journal.entry() as entry:
            count = upkeep.shorten_waits(
                entry.connection, now=now, quiet_s=self._upkeep.quiet_s, longest_wait_s=self._upkeep.longest_wait_s
            )
        if count:
            event(log, "clock_set_back", level=logging.WARNING, count=count)

    def _hand_over(self) -> None:
        """Put work of processes that are on the list no more back on the queues."""
        busy = self._durable.busy()
        with self._journal.reading() as connection:
            gone = busy - workers.beats(connection).keys()
        if gone:
            self._durable.hand_over(sorted(gone))

    def _free_studies(self) -> None:
        with self._journal.reading() as connection:
            pending = upkeep.pending(connection)
        for study in pending:
            job = Job(study_key=study.study_key, revision=study.revision, priority=study.priority)
            claimed = study.claimed_by if study.state == "processing" else None
            stands = self._durable.standing(claimed or identity_of(job))
            if stands == "over" or (stands == "missing" and claimed):
                self._free(study)

    def _free(self, study: upkeep.Pending) -> None:
        quarantine = study.attempts + 1 >= self._upkeep.max_attempts
        with self._journal.entry() as entry:
            if not upkeep.release(entry.connection, study, quarantine=quarantine):
                return
            if quarantine:
                uid = work.study(entry.connection, study.study_key).study_instance_uid
                entry.audit("quarantine", outcome="serious_failure", study_instance_uid=uid, code="workflow_failed")
        event(log, "workflow_failed", level=logging.ERROR, study=study.study_key, attempt=study.attempts + 1)

    def _anchor(self, _now: float) -> None:
        self._checkpoint()

    def _clean(self, now: float) -> None:
        if abs(now - self._monotonic() - self._ahead_s) > CLEAN_S:
            event(log, "clock_jumped", level=logging.ERROR)
            return  # a clock that is a year ahead would clear everything away
        for role, days in (("source", self._upkeep.images_days), ("result", self._upkeep.results_days)):
            if days:
                self._clear(role, before=now - days * DAY_S)
        with self._journal.entry() as entry:
            upkeep.forget_messages(entry.connection, before=now - MESSAGES_DAYS * DAY_S)
        self._durable.forget(before_ms=int((now - WORKFLOWS_DAYS * DAY_S) * 1000))

    def _clear(self, role: str, *, before: float) -> None:
        with self._journal.entry() as entry:
            old = upkeep.old_files(entry.connection, role=role, before=before)
            if not old:
                return
            upkeep.forget_files(entry.connection, old)
            entry.audit("delete", role=role, count=len(old))
            for row in old:  # before the commit: after it, the same image may come again, and to the same place
                self._blobs.path(row.path).unlink(missing_ok=True)
        event(log, "cleared", kind=role, count=len(old))
