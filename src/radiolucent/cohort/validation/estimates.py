"""Estimates with their standard errors where several images come from one patient. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, NOTHING, Floats, Groups, Interval

Z95 = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""
LEAST_UNITS = 10
"""With fewer patients of a kind nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its standard error and 95 % interval; ``units`` patients stand behind it."""

    interval: Interval
    error: float
    units: int

    @property
    def value(self) -> float:
        """The figure itself."""
        return self.interval.value


NO_ESTIMATE = Estimate(interval=NOTHING, error=NAN, units=0)


def _sums(values: NDArray[np.floating], inverse: NDArray[np.intp], count: int) -> Floats:
    return np.asarray(np.bincount(inverse, weights=values, minlength=count), dtype=np.float64)


def auc_estimate(scores: Floats, labels: Floats, groups: Groups) -> Estimate:
    """Area under the ROC curve with the interval of DeLong, DeLong and Clarke-Pearson 1988.

    Structural components by midranks (Sun and Xu 2014), summed by patient (Obuchowski 1997): with one image of each
    patient it is DeLong's own variance. ``units`` is the smaller number of positive and negative patients.
    """
    positive = labels == 1
    if positive.all() or not positive.any():
        return NO_ESTIMATE
    above, below = _components(scores, positive)
    area = float(above.mean())
    units = min(len(np.unique(groups[positive])), len(np.unique(groups[~positive])))
    error = _error(above, below, positive, groups) if units > 1 else NAN
    low, high = max(0.0, area - Z95 * error), min(1.0, area + Z95 * error)
    return Estimate(
        interval=Interval(area, low, high) if units > 1 else Interval(area, NAN, NAN), error=error, units=units
    )


def _components(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Structural components of an AUC: for a positive, the negatives below it; for a negative, the positives above."""
    from scipy.stats import rankdata  # slow to import, and every command imports this module

    ranks, m, n = rankdata(scores), int(positive.sum()), int((~positive).sum())
    above = (ranks[positive] - rankdata(scores[positive])) / n
    below = 1.0 - (ranks[~positive] - rankdata(scores[~positive])) / m
    return np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)


def _error(above: Floats, below: Floats, positive: NDArray[np.bool_], groups: Groups) -> float:
    """Standard error of the mean of components, patients as clusters; of one AUC or of a difference of two."""
    m, n = len(above), len(below)
    _, inverse = np.unique(groups, return_inverse=True)
    count = int(inverse.max()) + 1
    first = _sums(above - above.mean(), inverse[positive], count)
    second = _sums(below - below.mean(), inverse[~positive], count)
    variance = (
        _share(len(np.unique(inverse[positive]))) * float(first @ first) / m**2
        + _share(len(np.unique(inverse[~positive]))) * float(second @ second) / n**2
        + 2.0 * _share(count) * float(first @ second) / (m * n)
    )
    return math.sqrt(max(variance, 0.0))


def _share(units: int) -> float:
    return units / (units - 1)


def share_estimate(hits: NDArray[np.bool_], groups: Groups) -> Estimate:
    """A proportion with Wilson's interval, its sample size divided by the design effect of patients.

    The variance is that of a ratio over patients (Rao and Scott 1992); with one image of each patient the interval
    is Wilson's own.
    """
    n = len(hits)
    if n == 0:
        return NO_ESTIMATE
    _, inverse = np.unique(groups, return_inverse=True)
    count = int(inverse.max()) + 1
    share = float(hits.mean())
    off = _sums(hits - share, inverse, count)
    variance = _share(count) * float(off @ off) / n**2 if count > 1 else NAN
    plain = share * (1 - share) / n
    clustered = count < n and plain > 0 and not math.isnan(variance)
    effective = n * min(1.0, plain / variance) if clustered and variance > 0 else float(min(n, count))
    low, high = wilson(share, effective)
    error = math.sqrt(max(variance if clustered else plain, 0.0))
    return Estimate(interval=Interval(share, low, high), error=error, units=count)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion; ``n`` need not be whole."""
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(first: Estimate, second: Estimate) -> tuple[float, float]:
    """``(difference, two-sided p)`` of two figures of different patients, by the normal approximation.

    ``nan`` where either has too few patients or no standard error.
    """
    from scipy.stats import norm

    error = math.hypot(first.error, second.error)
    if min(first.units, second.units) < LEAST_UNITS or not error > 0:
        return first.value - second.value, NAN
    gap = first.value - second.value
    return gap, float(2 * norm.sf(abs(gap) / error))


def corrected(values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's false discovery rate for all tests of a report; ``nan`` stays ``nan``."""
    from scipy.stats import false_discovery_control

    known = [i for i, p in enumerate(values) if not math.isnan(p)]
    out = [NAN] * len(values)
    if known:
        for i, q in zip(known, false_discovery_control([values[i] for i in known]), strict=True):
            out[i] = float(q)
    return out


def units_needed(estimate: Estimate, half_width: float) -> int | None:
    """Patients with this mix for an interval of that half width: the variance shrinks as one over their number."""
    if not estimate.error > 0:
        return None
    return math.ceil(estimate.units * (Z95 * estimate.error / half_width) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two AUCs of the same images and the difference of the second from the first."""

    first: Interval
    second: Interval
    gap: Interval
    p: float
    units: int


def auc_gap(first: Floats, second: Floats, labels: Floats, groups: Groups) -> Paired:
    """Paired difference of two AUCs (DeLong, DeLong and Clarke-Pearson 1988), patients as clusters."""
    from scipy.stats import norm

    one, two = auc_estimate(first, labels, groups), auc_estimate(second, labels, groups)
    if one.units < 2:
        return Paired(first=one.interval, second=two.interval, gap=NOTHING, p=NAN, units=one.units)
    positive = labels == 1
    before, after = _components(first, positive), _components(second, positive)
    error = _error(after[0] - before[0], after[1] - before[1], positive, groups)
    gap = two.value - one.value
    p = float(2 * norm.sf(abs(gap) / error)) if error > 0 else NAN
    interval = Interval(gap, gap - Z95 * error, gap + Z95 * error)
    return Paired(first=one.interval, second=two.interval, gap=interval, p=p, units=one.units)
