"""Drift of live results: a thread that reads the new reports every hour and tells what has moved."""

from __future__ import annotations

import logging
import threading

from radiolucent.cohort.drift import Chart, Tally
from radiolucent.cohort.live import DAY_S, values_of
from radiolucent.errors import RadiolucentError
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.meters import Meters
from radiolucent.store.daily import Place, places_after, reports_at

log = logging.getLogger(__name__)
LOOK_S, AT_ONCE = 3600.0, 100


class Drift:
    """Charts over the whole store; each look reads only what is new."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._tally, self._last = journal, Tally(), Place()

    def look(self, ending: threading.Event | None = None) -> tuple[Chart, ...]:
        """Count the new reports, and give every chart up to yesterday (UTC)."""
        with self._journal.reading() as connection:
            new = places_after(connection, self._last)
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            if ending is not None and ending.is_set():
                break
            with self._journal.reading() as connection:
                found = reports_at(connection, some)
            for place, report in found.items():
                self._tally.add(values_of(report, place.produced_at))
            self._last = some[-1]
        return self._tally.charts(until=int(self._journal.clock().timestamp() // DAY_S))


class DriftWatch:
    """Looks every hour: metrics of every chart, and one event in the log for each new alarm.

    ``last`` is what the last look found; ``None`` before the first one is over.
    """

    def __init__(self, journal: Journal, meters: Meters) -> None:
        self._drift, self._meters = Drift(journal), meters
        self.last: tuple[Chart, ...] | None = None
        self._told: set[tuple[str, int]] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)

    def start(self) -> None:
        """Look now, and every hour from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.look()
            except RadiolucentError as error:
                event(log, "drift_waits", level=logging.WARNING, code=error.code)
            except Exception:  # noqa: BLE001  whatever one look found, the next is made
                event(log, "drift_failed", level=logging.ERROR, error=True)
            self._ending.wait(LOOK_S)

    def look(self) -> None:
        """One look; alarms of the last day that is over are told once."""
        self.last = charts = self._drift.look(self._ending)
        self._meters.drift = {c.name: abs(c.points[-1].ewma) / c.points[-1].limit for c in charts if c.points}
        for chart in charts:
            last = chart.points[-1] if chart.points else None
            if last is not None and last.is_alarm and (chart.name, last.day) not in self._told:
                self._told.add((chart.name, last.day))
                engine, _, what = chart.name.partition(": ")
                event(log, "drift", level=logging.WARNING, engine=engine, kind=what, count=last.studies)
