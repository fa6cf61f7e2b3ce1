"""Control charts: published limits, the stated rate of false alarms over 1,000 clean days, and a planted drift."""

from __future__ import annotations

import numpy as np
import pytest

from radiolucent.cohort.drift import BASELINE_DAYS, Chart, Tally, Value, limit_of, run_length_of

CHARTS = 8


def stream(days: int, *, seed: int, shift: float = 0.0, since: int = 0, per_day: int = 20) -> tuple[Chart, ...]:
    """Scores (skewed), shares and a common change from day to day of ``CHARTS`` charts."""
    random, tally = np.random.default_rng(seed), Tally()
    for day in range(days):
        weather = random.normal(0, 0.1, CHARTS)
        for chart in range(CHARTS):
            n = random.poisson(per_day)
            off = shift if day >= since else 0.0
            if chart % 2:
                values = (random.random(n) < 0.3 + 0.05 * weather[chart] + 0.46 * off).astype(float)
            else:
                values = random.gamma(2.0, 1.0, n) + 1.41 * (weather[chart] + off)
            tally.add(Value(chart=f"c{chart}", day=day, value=float(v)) for v in values)
    return tally.charts(until=days)


@pytest.mark.parametrize(("weight", "width"), [(0.05, 2.615), (0.1, 2.814), (0.2, 2.962), (0.25, 2.998)])
def test_limits_are_those_of_lucas_and_saccucci(weight: float, width: float) -> None:
    assert run_length_of(width, weight) == pytest.approx(500, rel=0.01)
    assert limit_of(500.0, weight) == pytest.approx(width, abs=0.005)


def test_a_shift_of_one_standard_error_is_found_as_published() -> None:
    assert run_length_of(2.814, 0.1, shift=1.0) == pytest.approx(10.3, abs=0.1)


def test_a_clean_stream_keeps_the_stated_rate() -> None:
    """One false alarm in 365 days over all charts is stated; 12 streams of 1,000 days."""
    alarms, days = 0, 0
    for seed in range(12):
        charts = stream(1000, seed=seed)
        assert all(c.is_ready for c in charts)
        alarms += sum(len(c.alarms) for c in charts)
        days += 1000 - BASELINE_DAYS
    assert alarms <= days / 365


def test_a_planted_drift_is_told_within_the_stated_delay() -> None:
    """Half a standard deviation of the studies, 20 a day: told within three weeks, on average within eight days."""
    found = []
    for seed in range(5):
        charts = stream(200, seed=100 + seed, shift=0.5, since=120)
        found += [min((p.day for p in c.alarms if p.day >= 120), default=999) - 120 for c in charts]
    assert max(found) < 21
    assert np.mean(found) < 8


def test_no_baseline_no_alarm_and_the_day_that_is_not_over_does_not_count() -> None:
    tally = Tally()
    tally.add(Value(chart="a", day=day, value=float(i % 2)) for day in range(BASELINE_DAYS) for i in range(10))
    tally.add(Value(chart="a", day=BASELINE_DAYS, value=1.0) for _ in range(1000))
    young, ready = tally.charts(until=BASELINE_DAYS - 1)[0], tally.charts(until=BASELINE_DAYS)[0]
    assert (young.is_ready, young.days, young.points) == (False, BASELINE_DAYS - 1, ())
    assert (ready.is_ready, ready.baseline, ready.points) == (True, 0.5, ())
    assert tally.charts(until=BASELINE_DAYS + 1)[0].points[0].studies == 1000


def test_more_charts_have_wider_limits() -> None:
    one = Tally()
    one.add(Value(chart="a", day=d, value=float(i)) for d in range(62) for i in range(5))
    two = Tally()
    two.add(Value(chart=c, day=d, value=float(i)) for c in "abcdefgh" for d in range(62) for i in range(5))
    assert two.charts(until=99)[0].points[0].limit > one.charts(until=99)[0].points[0].limit


def test_values_that_are_none_and_days_with_few_studies_do_not_count() -> None:
    tally = Tally()
    tally.add([Value(chart="a", day=1, value=float("nan")), Value(chart="b", day=1, value=1.0)])
    (only,) = tally.charts(until=9)
    assert (only.name, only.days) == ("b", 0)
