"""From scored parts to what a manifest and a card say of each finding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.config import Config
from training.evaluate import FRACTIONS, Baseline, Scored
from training.measure import (
    FEWEST,
    NOTHING,
    Interval,
    auc,
    balanced_threshold,
    bootstrap,
    calibration_error,
    platt,
    rate,
    sigmoid,
)

ADEQUATE_GROUPS, LIMITED_GROUPS = 30, 10


@dataclass(frozen=True, kw_only=True)
class FindingFigures:
    """All figures of one finding; thresholds and calibration from validation, the rest from test."""

    key: str
    calibration: tuple[float, float]
    threshold: float
    map_scale: float
    region_fraction: float
    evidence_level: str
    validation_positives: int
    test_count: int
    test_positives: int
    test_positive_groups: int
    auc: Interval
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    calibration_error: float
    brightness_auc: float
    hit_rate: Interval
    centre_hit_rate: float
    prior_hit_rate: float
    mean_iou: Interval
    places: int


def figures(config: Config, val: Scored, test: Scored, train: Baseline) -> list[FindingFigures]:
    """One row per finding; ``train`` serves only the brightness baseline."""
    return [_one(config, k, val, test, train) for k in range(len(config.findings))]


def _one(config: Config, k: int, val: Scored, test: Scored, train: Baseline) -> FindingFigures:
    key = config.findings[k].key
    known = ~np.isnan(val.labels[:, k])
    val_logits, val_labels = val.logits[known, k], val.labels[known, k]
    val_groups = val.groups[known]
    slope, intercept = platt(val_logits, val_labels)
    threshold = balanced_threshold(sigmoid(slope * val_logits + intercept), val_labels, val_groups)
    here = ~np.isnan(test.labels[:, k])
    labels, groups = test.labels[here, k], test.groups[here]
    probability = sigmoid(slope * test.logits[here, k] + intercept)
    called = probability >= threshold
    positive_groups = len(set(groups[labels == 1]))
    fraction = _fraction(key, val)
    places = [p for p in test.places if p.key == key]
    where = np.array([p.group for p in places])
    hits = np.array([p.hit for p in places])
    overlap = np.array([p.iou_by_fraction[FRACTIONS.index(fraction)] for p in places])
    shown = val.peaks[known, k][val_labels == 1] if (val_labels == 1).any() else val.peaks[:, k]
    return FindingFigures(
        key=key,
        calibration=(slope, intercept),
        threshold=threshold,
        map_scale=max(float(np.percentile(shown, 90)), 1e-6),
        region_fraction=fraction,
        evidence_level=_level(positive_groups),
        validation_positives=int((val_labels == 1).sum()),
        test_count=len(labels),
        test_positives=int((labels == 1).sum()),
        test_positive_groups=positive_groups,
        auc=bootstrap(groups, lambda i: auc(probability[i], labels[i])),
        sensitivity=bootstrap(groups, lambda i: rate(called[i][labels[i] == 1])),
        specificity=bootstrap(groups, lambda i: rate(~called[i][labels[i] == 0])),
        ppv=bootstrap(groups, lambda i: rate(labels[i][called[i]] == 1)),
        calibration_error=calibration_error(probability, labels),
        brightness_auc=_brightness(k, train, test),
        hit_rate=bootstrap(where, lambda i: rate(hits[i])) if places else NOTHING,
        centre_hit_rate=rate(np.array([p.centre_hit for p in places])),
        prior_hit_rate=rate(np.array([p.prior_hit for p in places])),
        mean_iou=bootstrap(where, lambda i: float(overlap[i].mean())) if places else NOTHING,
        places=len(places),
    )


def _fraction(key: str, val: Scored) -> float:
    rows = [p.iou_by_fraction for p in val.places if p.key == key]
    return FRACTIONS[int(np.argmax(np.mean(rows, axis=0)))] if len(rows) >= FEWEST else 0.5


def _level(positive_groups: int) -> str:
    if positive_groups >= ADEQUATE_GROUPS:
        return "adequate"
    return "limited" if positive_groups >= LIMITED_GROUPS else "insufficient"


def _brightness(k: int, train: Baseline, test: Scored) -> float:
    known, here = ~np.isnan(train.labels[:, k]), ~np.isnan(test.labels[:, k])
    if len(np.unique(train.labels[known, k])) < 2:
        return float("nan")
    fitted = LogisticRegression().fit(train.brightness[known], train.labels[known, k])
    return auc(fitted.decision_function(test.brightness[here]), test.labels[here, k])


def within(config: Config, test: Scored, key: str, *, by: str | None = None) -> list[tuple[str, int, int, Interval]]:
    """``(part, positives, negatives, AUC)`` of one finding within each source, or each value of a subgroup."""
    k = [f.key for f in config.findings].index(key)
    parts = test.sources if by is None else np.array([s.get(by, "") for s in test.subgroups])
    rows = []
    for part in sorted(set(parts)):
        chosen = (parts == part) & ~np.isnan(test.labels[:, k])
        labels, logits, groups = test.labels[chosen, k], test.logits[chosen, k], test.groups[chosen]
        positives = int((labels == 1).sum())
        if positives and positives < len(labels):
            score = bootstrap(groups, lambda i, s=logits, t=labels: auc(s[i], t[i]))
            rows.append((part or "not stated", positives, len(labels) - positives, score))
    return rows
