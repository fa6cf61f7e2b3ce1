"""Figures with intervals: AUC, operating points, calibration, conformal sets, IoU; bootstrap by group."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.needs import need

Floats = NDArray[np.float64]
Groups = NDArray[np.str_]
Indices = NDArray[np.intp]
RESAMPLES = 1000
FEWEST = 5
FEWEST_CONFORMAL = 10
NAN = float("nan")


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval; ``nan`` where it cannot be had."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """For a card: ``0.81 (0.74 to 0.87)``."""
        if math.isnan(self.value):
            return "not enough data"
        if math.isnan(self.low):
            return f"{self.value:.2f} (no interval)"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


NOTHING = Interval(NAN, NAN, NAN)


def auc(scores: Floats, labels: Floats) -> float:
    """Area under the ROC curve by ranks; ``nan`` for a single class."""
    positives = labels == 1
    n_pos, n_neg = int(positives.sum()), int((~positives).sum())
    if n_pos == 0 or n_neg == 0:
        return NAN
    from scipy.stats import rankdata  # slow to import, and every command imports this module

    return float((rankdata(scores)[positives].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def bootstrap(
    groups: Groups, statistic: Callable[[Indices], float], *, seed: int = 5, resamples: int = RESAMPLES
) -> Interval:
    """``statistic(indices)`` over all samples, and its percentile interval when whole groups are resampled."""
    if len(groups) == 0:
        return NOTHING
    return bootstrap_all(groups, lambda i: {"": statistic(i)}, seed=seed, resamples=resamples)[""]


def bootstrap_all(
    groups: Groups,
    statistics: Callable[[Indices], Mapping[str, float]],
    *,
    seed: int = 5,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Several statistics over the same resamples of whole groups (Efron and Tibshirani 1993, percentile interval).

    Parameters
    ----------
    groups
        ``[N]`` name of each sample's group.
    statistics
        From sample indices to named values; ``nan`` where a resample does not allow one. Such resamples are left
        out of that interval.
    resamples
        Number of resamples.

    Returns
    -------
    dict
        Value over all samples with its 2.5 % and 97.5 % percentiles, by name.
    """
    values = statistics(np.arange(len(groups)))
    names, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    sizes = np.bincount(inverse)
    starts = np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(resamples if len(groups) else 0):
        chosen = generator.integers(0, len(names), len(names))
        ends = np.cumsum(sizes[chosen])
        members = np.repeat(starts[chosen] - (ends - sizes[chosen]), sizes[chosen]) + np.arange(ends[-1])
        for name, value in statistics(order[members]).items():
            if not math.isnan(value):
                drawn[name].append(value)
    return {name: _interval(value, drawn[name]) for name, value in values.items()}


def _interval(value: float, drawn: list[float]) -> Interval:
    if math.isnan(value):
        return NOTHING
    if not drawn:
        return Interval(value, NAN, NAN)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def can_choose(labels: Floats, groups: Groups | None = None) -> bool:
    """Whether positives and negatives come from enough patients (or cases) to choose anything by them."""
    return min(_units(labels, groups)) >= FEWEST


def _units(labels: Floats, groups: Groups | None) -> tuple[int, int]:
    units = np.arange(len(labels)).astype(str) if groups is None else groups
    return len(set(units[labels == 1])), len(set(units[labels == 0]))


def platt(logits: Floats, labels: Floats) -> tuple[float, float]:
    """``(slope, intercept)`` of Platt scaling on validation; slope 1 and the base rate where data do not allow it."""
    if can_choose(labels):
        fitted = need("sklearn.linear_model").LogisticRegression(C=10.0).fit(logits[:, None], labels)
        if fitted.coef_[0, 0] > 0.05:
            return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    share = (int((labels == 1).sum()) + 0.5) / (len(labels) + 1.0)
    return 1.0, float(np.log(share / (1 - share)) - np.median(logits)) if len(labels) else 0.0


def sigmoid(values: Floats) -> Floats:
    """Logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50, 50))))


def _between(cut: float, probabilities: Floats) -> float:
    """A threshold half-way between a cut and the next lower probability, inside (0, 1)."""
    below = probabilities[probabilities < cut]
    lower = float(below.max()) if len(below) else cut
    return float(np.clip((min(cut, 1.0) + lower) / 2, 1e-4, 0.9999))


def balanced_threshold(probabilities: Floats, labels: Floats, groups: Groups | None = None) -> float:
    """Greatest sum of sensitivity and specificity (Youden, 1950) on validation; 0.5 where too few cases are there."""
    if not can_choose(labels, groups):
        return 0.5
    false, true, cut = need("sklearn.metrics").roc_curve(labels, probabilities)
    return _between(float(cut[int(np.argmax(true - false))]), probabilities)


def sensitive_threshold(
    probabilities: Floats, labels: Floats, groups: Groups | None = None, *, wanted: float = 0.95
) -> float | None:
    """Greatest threshold that finds the ``wanted`` share of validation positives; ``None`` with too few cases."""
    if not can_choose(labels, groups):
        return None
    positives = np.sort(probabilities[labels == 1])
    return _between(float(positives[math.floor((1.0 - wanted) * len(positives) + 1e-9)]), probabilities)


def sensitivity_at(specificity: float, scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Sensitivity at the lowest threshold of these very scores that keeps ``specificity``; ``nan`` for one class."""
    positives, negatives = scores[truth], np.sort(scores[~truth])
    if len(positives) == 0 or len(negatives) == 0:
        return NAN
    edge = negatives[max(math.ceil(specificity * len(negatives) - 1e-9) - 1, 0)]
    return float((positives > edge).mean())


@dataclass(frozen=True)
class ConformalSets:
    """Bounds of class-conditional sets: 1 is in the set from ``positive_from`` on, 0 up to ``negative_to``."""

    positive_from: float
    negative_to: float

    @property
    def band(self) -> tuple[float, float] | None:
        """``(low, high)`` probability between which both answers stay in the set, or ``None`` if there is none."""
        both = self.positive_from < self.negative_to
        return (self.positive_from, self.negative_to) if both else None

    def covers(self, probabilities: Floats, labels: Floats) -> NDArray[np.bool_]:
        """``[N]`` whether the true answer is in the set."""
        return np.where(labels == 1, probabilities >= self.positive_from, probabilities <= self.negative_to)

    def uncertain(self, probabilities: Floats) -> NDArray[np.bool_]:
        """``[N]`` whether both answers are in the set."""
        return (probabilities >= self.positive_from) & (probabilities <= self.negative_to)


def conformal_sets(
    probabilities: Floats, labels: Floats, groups: Groups | None = None, *, alpha: float = 0.1
) -> ConformalSets | None:
    """Class-conditional split conformal prediction (Vovk 2012; Angelopoulos and Bates 2023, section 4) on validation.

    The bound of a class is its ``floor(alpha * (n + 1))``-th most unlikely validation probability, the quantile with
    the correction for a finite sample. Each class is then covered in at least ``1 - alpha`` of new cases, if cases
    are exchangeable; several images of one patient weaken this.

    Returns
    -------
    ConformalSets or None
        ``None`` with fewer than ten positive or negative groups.
    """
    if min(_units(labels, groups)) < FEWEST_CONFORMAL:
        return None
    positives, negatives = np.sort(probabilities[labels == 1]), np.sort(probabilities[labels == 0])[::-1]
    bounds = (float(v[math.floor(alpha * (len(v) + 1)) - 1]) for v in (positives, negatives))
    return ConformalSets(*bounds)


def rate(hits: NDArray[np.bool_]) -> float:
    """Share of true values; ``nan`` for none."""
    return float(hits.mean()) if len(hits) else NAN


def mean(values: Floats) -> float:
    """Mean of the values that are there; ``nan`` for none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN


def ppv_at(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Positive predictive value at a stated prevalence (Bayes); ``nan`` where nothing would be called."""
    true, false = sensitivity * prevalence, (1.0 - specificity) * (1.0 - prevalence)
    return true / (true + false) if true + false > 0 else NAN


def calibration_error(probabilities: Floats, labels: Floats, bins: int = 10) -> float:
    """Expected calibration error over equally filled bins."""
    if len(labels) < bins:
        return NAN
    order = np.argsort(probabilities)
    parts = np.array_split(order, bins)
    return float(sum(abs(probabilities[p].mean() - labels[p].mean()) * len(p) for p in parts) / len(labels))


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else NAN


def spearman(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of two maps; ``nan`` if one of them is the same everywhere."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return NAN
    from scipy.stats import spearmanr

    return float(spearmanr(first.ravel(), second.ravel()).statistic)
