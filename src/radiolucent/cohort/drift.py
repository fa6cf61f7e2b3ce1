"""Drift of live results: one control chart for each number that should stay as it is.

An exponentially weighted moving average (Roberts 1959) of daily means. Its limits follow from a stated rate of false
alarms over all charts together: the in-control run length by the Markov chain of Lucas and Saccucci (1990). What a
baseline of few days cannot know widens the limits: the day-to-day variation beyond chance (Laney 2002) is taken at its
upper confidence bound, and the variance of the baseline's own mean is added.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from radiolucent.cohort.measure import NAN, Floats

WEIGHT = 0.1
BASELINE_DAYS = 60
LEAST_PER_DAY = 3
FALSE_ALARM_DAYS = 365.0
STATES = 201
CERTAINTY = 0.9
"""With which the day-to-day variation is not more than what limits assume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One study's contribution to one chart on one day (days since 1970, UTC)."""

    chart: str
    day: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One day of a chart: mean of the day, average ``ewma`` in standard errors, and the limit on either side of 0."""

    day: int
    studies: int
    mean: float
    ewma: float
    limit: float
    is_alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart since its baseline; after an alarm the average begins at 0 again.

    Parameters
    ----------
    baseline
        Mean over the baseline, ``nan`` while there are not enough days yet.
    first_day, last_day
        Of the baseline.
    points
        Days after the baseline.
    """

    name: str
    baseline: float
    days: int
    first_day: int
    last_day: int
    points: tuple[Point, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the baseline is complete."""
        return not math.isnan(self.baseline)

    @property
    def alarms(self) -> tuple[Point, ...]:
        """Days on which the average left its limits."""
        return tuple(p for p in self.points if p.is_alarm)


class Tally:
    """Sums by chart and day; memory grows with days and charts, not with studies."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0, 0.0]))

    def add(self, values: Iterable[Value]) -> None:
        """Count some more studies."""
        for one in values:
            if math.isfinite(one.value):
                sums = self._sums[one.chart][one.day]
                sums[0] += 1
                sums[1] += one.value
                sums[2] += one.value**2

    def charts(
        self, *, until: int, false_alarm_days: float = FALSE_ALARM_DAYS, baseline_days: int = BASELINE_DAYS
    ) -> tuple[Chart, ...]:
        """Every chart up to and without day ``until``, which may not be over; limits hold for all of them together."""
        rows = {name: _days(days, until) for name, days in sorted(self._sums.items())}
        ready = sum(len(days) >= baseline_days for days in rows.values())
        width = limit_of(false_alarm_days * max(1, ready))
        return tuple(chart_of(name, days, width=width, baseline_days=baseline_days) for name, days in rows.items())


def _days(days: Mapping[int, Sequence[float]], until: int) -> Floats:
    """``[D, 4]`` day, studies, mean, sum of squares around it; days with few studies are left out."""
    kept = [
        (day, n, total / n, max(squares - total**2 / n, 0.0))
        for day, (n, total, squares) in sorted(days.items())
        if n >= LEAST_PER_DAY and day < until
    ]
    return np.array(kept, dtype=np.float64).reshape(-1, 4)


@lru_cache(maxsize=64)
def limit_of(run_length: float, weight: float = WEIGHT) -> float:
    """Width of limits, in standard errors of the average, for an in-control run of so many days on average.

    Examples
    --------
    >>> round(limit_of(500.0, 0.1), 2), round(limit_of(500.0, 0.2), 2)
    (2.81, 2.96)
    """
    from scipy.optimize import brentq

    return float(brentq(lambda width: math.log(run_length_of(width, weight) / run_length), 0.5, 8.0, xtol=1e-4))


def run_length_of(width: float, weight: float = WEIGHT, *, shift: float = 0.0) -> float:
    """Mean number of days until an alarm, when each day's mean is off by ``shift`` of its standard errors.

    The average between its limits is a Markov chain of `STATES` states (Brook and Evans 1972).
    """
    from scipy.stats import norm

    edge = width * math.sqrt(weight / (2 - weight))
    half = edge / STATES
    centres = -edge + half * (2 * np.arange(STATES) + 1)
    start, end = centres[:, None], centres[None, :]
    upper = norm.cdf((end + half - (1 - weight) * start) / weight - shift)
    lower = norm.cdf((end - half - (1 - weight) * start) / weight - shift)
    lengths = np.linalg.solve(np.eye(STATES) - (upper - lower), np.ones(STATES))
    return float(lengths[STATES // 2])


def chart_of(name: str, days: Floats, *, width: float, baseline_days: int = BASELINE_DAYS) -> Chart:
    """A chart of ``[D, 4]`` day, studies, mean, sum of squares."""
    first = int(days[0, 0]) if len(days) else 0
    if len(days) < baseline_days:
        return Chart(name=name, baseline=NAN, days=len(days), first_day=first, last_day=first, points=())
    base, later = days[:baseline_days], days[baseline_days:]
    counts = base[:, 1]
    middle = float((base[:, 2] * counts).sum() / counts.sum())
    within = float(base[:, 3].sum() / max(counts.sum() - len(base), 1.0))
    spread = math.sqrt(max(within, 0.5 / (counts.sum() + 1.0)))  # what never happened in so many studies may yet happen
    beyond = _beyond(base, middle, spread)
    wide = math.sqrt(WEIGHT / (2 - WEIGHT) + 1.0 / len(base))
    points, average = [], 0.0
    for day, n, mean, _ in later:
        average = WEIGHT * ((mean - middle) / (spread / math.sqrt(n)) / beyond) + (1 - WEIGHT) * average
        alarm = abs(average) > width * wide
        points.append(
            Point(
                day=int(day),
                studies=int(n),
                mean=float(mean),
                ewma=float(average),
                limit=width * wide,
                is_alarm=bool(alarm),
            )
        )
        if alarm:
            average = 0.0
    return Chart(
        name=name,
        baseline=middle,
        days=len(days),
        first_day=first,
        last_day=int(base[-1, 0]),
        points=tuple(points),
    )


def _beyond(base: Floats, middle: float, spread: float) -> float:
    """How much more days vary than studies alone would make them: Laney's sigma, at its upper bound, at least 1."""
    from scipy.stats import chi2

    standard = (base[:, 2] - middle) / (spread / np.sqrt(base[:, 1]))
    free = len(base) - 1
    upper = float(np.var(standard, ddof=1)) * free / float(chi2.ppf(1 - CERTAINTY, free))
    return max(1.0, math.sqrt(upper))
