"""Figures with intervals: AUC, operating point, calibration, hit rate, IoU; bootstrap by group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

Floats = NDArray[np.float64]
RESAMPLES = 1000
FEWEST = 5


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval; ``nan`` where it cannot be had."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """For a card: ``0.81 (0.74 to 0.87)``."""
        if np.isnan(self.value):
            return "not enough data"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def auc(scores: Floats, labels: Floats) -> float:
    """Area under the ROC curve by ranks; ``nan`` for a single class."""
    positives = labels == 1
    n_pos, n_neg = int(positives.sum()), int((~positives).sum())
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    return float((rankdata(scores)[positives].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def bootstrap(groups: NDArray[np.str_], statistic: Callable[[NDArray[np.intp]], float], *, seed: int = 5) -> Interval:
    """``statistic(indices)`` over all samples, and its percentile interval when whole groups are resampled."""
    if len(groups) == 0:
        return NOTHING
    value = statistic(np.arange(len(groups)))
    if np.isnan(value):
        return NOTHING
    names, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = generator.integers(0, len(names), len(names))
        drawn.append(statistic(np.concatenate([members[i] for i in chosen])))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def can_choose(labels: Floats, groups: NDArray[np.str_] | None = None) -> bool:
    """Whether positives and negatives come from enough patients (or cases) to choose anything by them."""
    units = np.arange(len(labels)).astype(str) if groups is None else groups
    return min(len(set(units[labels == 1])), len(set(units[labels == 0]))) >= FEWEST


def platt(logits: Floats, labels: Floats) -> tuple[float, float]:
    """``(slope, intercept)`` of Platt scaling on validation; slope 1 and the base rate where data do not allow it."""
    if can_choose(labels):
        fitted = LogisticRegression(C=10.0).fit(logits[:, None], labels)
        if fitted.coef_[0, 0] > 0.05:
            return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    rate = (int((labels == 1).sum()) + 0.5) / (len(labels) + 1.0)
    return 1.0, float(np.log(rate / (1 - rate)) - np.median(logits)) if len(labels) else 0.0


def sigmoid(values: Floats) -> Floats:
    """Logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50, 50))))


def balanced_threshold(probabilities: Floats, labels: Floats, groups: NDArray[np.str_] | None = None) -> float:
    """Greatest sum of sensitivity and specificity (Youden, 1950) on validation; 0.5 where too few cases are there."""
    if not can_choose(labels, groups):
        return 0.5
    false, true, cut = roc_curve(labels, probabilities)
    best = int(np.argmax(true - false))
    below = probabilities[probabilities < cut[best]]
    lower = float(below.max()) if len(below) else float(cut[best])
    return float(np.clip((min(float(cut[best]), 1.0) + lower) / 2, 1e-4, 0.9999))


def rate(hits: NDArray[np.bool_]) -> float:
    """Share of true values; ``nan`` for none."""
    return float(hits.mean()) if len(hits) else float("nan")


def calibration_error(probabilities: Floats, labels: Floats, bins: int = 10) -> float:
    """Expected calibration error over equally filled bins."""
    if len(labels) < bins:
        return float("nan")
    order = np.argsort(probabilities)
    parts = np.array_split(order, bins)
    return float(sum(abs(probabilities[p].mean() - labels[p].mean()) * len(p) for p in parts) / len(labels))


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else float("nan")
