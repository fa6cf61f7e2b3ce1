"""Drift of live results and reports of validations, for whoever answers for quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from radiolucent.cohort.drift import BASELINE_DAYS, FALSE_ALARM_DAYS, Chart, Point
from radiolucent.cohort.live import DAY_S
from radiolucent.cohort.validation.page_probes import CASES
from radiolucent.cohort.validation.writing import PRINTED, REPORT
from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Journal
from radiolucent.web.api.caller import Caller
from radiolucent.wiring.validations import Shelf

Json = dict[str, Any]
DIGITS = 4


class QualityDesk:
    """What quality officers see besides the meters, over all sites: `InputRefused` ``other_site`` for others.

    Parameters
    ----------
    charts
        Gives what the last look at live results found; ``None`` before the first one is over.
    """

    def __init__(self, journal: Journal, shelf: Shelf, charts: Callable[[], Sequence[Chart] | None]) -> None:
        self._journal, self._shelf, self._charts = journal, shelf, charts

    def drift(self, caller: Caller, days: int) -> Json:
        """Every chart with so many last days; what has moved comes first."""
        self._record(caller, "drift")
        charts = self._charts()
        return {
            "charts": None if charts is None else [_chart(each, days) for each in sorted(charts, key=_rank)],
            "baseline_days": BASELINE_DAYS,
            "false_alarm_days": FALSE_ALARM_DAYS,
        }

    def validations(self, caller: Caller) -> Json:
        """Every validation that is kept, the newest first."""
        self._record(caller, "validations")
        return {"items": self._shelf.all()}

    def report(self, caller: Caller, name: str) -> bytes:
        """The report of one as a page."""
        return self._read(caller, name, REPORT, resource="validation")

    def printed(self, caller: Caller, name: str) -> bytes:
        """The report of one as PDF."""
        return self._read(caller, name, PRINTED, resource="validation_pdf")

    def cases(self, caller: Caller, name: str) -> bytes:
        """The page of its cases, which are images of patients."""
        return self._read(caller, name, CASES, resource="validation_cases")

    def _read(self, caller: Caller, name: str, file: str, *, resource: str) -> bytes:
        _check_sight(caller)
        content = self._shelf.read(name, file)
        self._record(caller, resource, report=name)
        return content

    def _record(self, caller: Caller, resource: str, *, report: str = "") -> None:
        _check_sight(caller)
        with self._journal.entry() as entry:
            entry.audit("access", actor=caller.name, peer=caller.peer, resource=resource, report=report)


def _check_sight(caller: Caller) -> None:
    if not caller.sight.is_everything:
        raise InputRefused(
            "other_site",
            found="figures over the studies of every site",
            expected="an account that may see every site",
            action="Ask somebody who may, or the administrator.",
        )


def _rank(chart: Chart) -> tuple[bool, int, float, str]:
    """Charts without a baseline last; of the others first the latest alarm, then what is nearest to its limit."""
    last = chart.alarms[-1].day if chart.alarms else 0
    near = abs(chart.points[-1].ewma) / chart.points[-1].limit if chart.points else 0.0
    return not chart.is_ready, -last, -near, chart.name


def _chart(chart: Chart, days: int) -> Json:
    engine, _, what = chart.name.partition(": ")
    name, _, version = engine.rpartition(" ")
    return {
        "engine": name,
        "version": version,
        "what": what,
        "unit": "log_odds" if what.endswith(" score") else "share",
        "baseline": round(chart.baseline, DIGITS) if chart.is_ready else None,
        "baseline_from": _date(chart.first_day) if chart.is_ready else None,
        "baseline_to": _date(chart.last_day) if chart.is_ready else None,
        "days": chart.days,
        "alarms": [_date(point.day) for point in chart.alarms],
        "points": [_point(point) for point in chart.points[-days:]],
    }


def _point(point: Point) -> Json:
    return {
        "day": _date(point.day),
        "studies": point.studies,
        "mean": round(point.mean, DIGITS),
        "of_limit": round(point.ewma / point.limit, DIGITS),
        "is_alarm": point.is_alarm,
    }


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
