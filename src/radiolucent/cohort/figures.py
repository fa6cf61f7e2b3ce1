"""From readings to the figures of each finding: everything is chosen on validation and measured on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import (
    NAN,
    ConformalSets,
    Floats,
    Groups,
    Indices,
    Interval,
    auc,
    balanced_threshold,
    bootstrap,
    bootstrap_all,
    calibration_error,
    can_choose,
    conformal_sets,
    platt,
    ppv_at,
    rate,
    sensitive_threshold,
    sensitivity_at,
    sigmoid,
)
from radiolucent.cohort.needs import need
from radiolucent.cohort.places import choose_fraction
from radiolucent.cohort.reading import Reading, groups_of, labels_of, logits_of
from radiolucent.cohort.truth import Case, parts_of
from radiolucent.records.engine import EngineSpec, EvidenceLevel

CHANCE = 0.5
ADEQUATE_GROUPS, LIMITED_GROUPS = 30, 10
LEAST_SCALE = 1e-6
SPECIFICITIES = ("0.85", "0.90")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What validation chooses for one finding.

    Parameters
    ----------
    points
        ``(name, threshold)`` on the calibrated probability; the first is the one in use.
    sets
        Bounds of conformal sets, or ``None`` with too few groups.
    map_scale
        90th percentile of the evidence peaks of validation positives, in logits per cell.
    """

    calibration: tuple[float, float]
    points: tuple[tuple[str, float], ...]
    sets: ConformalSets | None
    map_scale: float
    region_fraction: float
    positives: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFigures:
    """An operating point, measured on test; ``ppv_stated`` is at the stated prevalence."""

    name: str
    threshold: float
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    ppv_stated: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Conformal sets on test: share of true answers in the set (by class too) and share with both answers."""

    positive_from: float
    negative_to: float
    coverage: Interval
    coverage_positive: Interval
    coverage_negative: Interval
    uncertain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well one finding reads on test.

    ``group_auc``: of the greatest probability among a group's images against whether any of them is positive.
    ``sensitivity_at``: by specificity, read off the ROC of test itself (no threshold of it is ever used).
    """

    images: int
    positives: int
    positive_groups: int
    evidence_level: EvidenceLevel
    prevalence: float
    stated_prevalence: float
    auc: Interval
    calibration_error: Interval
    points: tuple[PointFigures, ...]
    conformal: Conformal | None
    brightness_auc: float
    group_auc: Interval
    groups: int
    sensitivity_at: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One finding in one part of the test data, at the operating point in use."""

    by: str
    value: str
    positives: int
    negatives: int
    auc: Interval
    sensitivity: Interval
    specificity: Interval
    sensitivity_at: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """What a reader of brightness alone learns from: ``brightness [N, 2]``, ``labels [N]`` by key, of training."""

    brightness: Floats
    labels: dict[str, Floats]


def choose(readings: Sequence[Reading], index: int, spec: EngineSpec) -> Choice:
    """Choose calibration, thresholds, conformal sets, map scale and region fraction of a finding on validation."""
    key = spec.findings[index].key
    labels = labels_of(readings, key)
    known = ~np.isnan(labels)
    labels, groups, logits = labels[known], groups_of(readings)[known], logits_of(readings, index)[known]
    slope, intercept = platt(logits, labels)
    chance = sigmoid(slope * logits + intercept)
    points = [("balanced", round(balanced_threshold(chance, labels, groups), 6))]
    sensitive = sensitive_threshold(chance, labels, groups)
    if sensitive is not None:
        points.append(("high_sensitivity", sensitive))
    peaks = np.array([r.inference.evidence[index].max() for r in readings], dtype=np.float64)
    shown = peaks[known][labels == 1] if (labels == 1).any() else peaks
    return Choice(
        calibration=(slope, intercept),
        points=tuple(points),
        sets=conformal_sets(chance, labels, groups),
        map_scale=max(float(np.percentile(shown, 90)), LEAST_SCALE),
        region_fraction=choose_fraction(readings, index, key),
        positives=int((labels == 1).sum()),
        chosen=can_choose(labels, groups),
    )


def level(positive_groups: int, area: Interval | None = None) -> EvidenceLevel:
    """How much a figure is worth, by positive groups (patients) in the test part.

    A finding whose AUC ``area`` cannot be told from chance (interval down to 0.5 or below) is insufficient too.
    """
    if area is not None and area.low <= CHANCE:
        return "insufficient"
    if positive_groups >= ADEQUATE_GROUPS:
        return "adequate"
    return "limited" if positive_groups >= LIMITED_GROUPS else "insufficient"


def positives_of(cases: Sequence[Case], key: str) -> tuple[int, int]:
    """``(images, groups)`` in which a finding is there."""
    there = [c for c in cases if c.labels.get(key) == 1]
    return len(there), len({c.group for c in there})


def chosen_spec(spec: EngineSpec, choices: Sequence[Choice], test: Sequence[Case]) -> EngineSpec:
    """The engine as it will be after the evaluation, except for what must be measured first."""
    findings = []
    for finding, choice in zip(spec.findings, choices, strict=True):
        images, groups = positives_of(test, finding.key)
        findings.append(
            replace(
                finding,
                calibration=choice.calibration,
                threshold=choice.points[0][1],
                uncertain=None if choice.sets is None else choice.sets.band,
                map_scale=choice.map_scale,
                region_fraction=choice.region_fraction,
                evidence_level=level(groups),
                test_positives=images,
                map_status="unmeasured",
            )
        )
    derived = []
    for rule in spec.derived:
        images, groups = positives_of(test, rule.key)
        known = any(not np.isnan(c.labels.get(rule.key, NAN)) for c in test)
        derived.append(replace(rule, evidence_level=level(groups), test_positives=images) if known else rule)
    return replace(spec, findings=tuple(findings), derived=tuple(derived))


def scores(
    chance: Floats,
    labels: Floats,
    groups: Groups,
    *,
    points: Sequence[tuple[str, float]],
    sets: ConformalSets | None,
    prevalence: float | None,
    brightness_auc: float,
    resamples: int,
) -> Scores:
    """Figures of one finding on test.

    Parameters
    ----------
    chance, labels, groups
        ``[N]`` calibrated probability, 1 or 0 (``nan`` unknown), group.
    prevalence
        For `PointFigures.ppv_stated`; ``None``: that of the test part.
    """
    here = ~np.isnan(labels)
    chance, labels, groups = chance[here], labels[here], groups[here]
    positive = labels == 1
    own = rate(positive)
    stated = own if prevalence is None else prevalence

    def of(i: Indices) -> dict[str, float]:
        p, truth = chance[i], positive[i]
        out = {"auc": auc(p, labels[i]), "ece": calibration_error(p, labels[i])}
        out |= {f"sens at {at}": sensitivity_at(float(at), p, truth) for at in SPECIFICITIES}
        for name, threshold in points:
            called = p >= threshold
            sensitivity, specificity = rate(called[truth]), rate(~called[~truth])
            out |= {f"{name} sens": sensitivity, f"{name} spec": specificity, f"{name} ppv": rate(truth[called])}
            share = rate(truth) if prevalence is None else prevalence
            out[f"{name} stated"] = ppv_at(sensitivity, specificity, share)
        if sets is not None:
            covered = sets.covers(p, labels[i])
            out |= {"covered": rate(covered), "both": rate(sets.uncertain(p))}
            out |= {"covered positive": rate(covered[truth]), "covered negative": rate(covered[~truth])}
        return out

    got = bootstrap_all(groups, of, resamples=resamples)
    positive_groups = len(set(groups[positive]))
    return Scores(
        images=len(labels),
        positives=int(positive.sum()),
        positive_groups=positive_groups,
        evidence_level=level(positive_groups, got["auc"]),
        prevalence=own,
        stated_prevalence=stated,
        auc=got["auc"],
        calibration_error=got["ece"],
        points=tuple(_point(name, threshold, got) for name, threshold in points),
        conformal=None if sets is None else _conformal(sets, got),
        brightness_auc=brightness_auc,
        group_auc=group_auc(chance, labels, groups, resamples=resamples),
        groups=len(set(groups)),
        sensitivity_at={at: got[f"sens at {at}"] for at in SPECIFICITIES},
    )


def group_auc(chance: Floats, labels: Floats, groups: Groups, *, resamples: int) -> Interval:
    """AUC over groups (patients): greatest probability of a group against its greatest label, all known."""
    names, inverse = np.unique(groups, return_inverse=True)
    top, truth = np.zeros(len(names)), np.zeros(len(names))
    np.maximum.at(top, inverse, chance)
    np.maximum.at(truth, inverse, labels)
    return _auc(top, truth, names, resamples)


def _point(name: str, threshold: float, got: Mapping[str, Interval]) -> PointFigures:
    return PointFigures(
        name=name,
        threshold=threshold,
        sensitivity=got[f"{name} sens"],
        specificity=got[f"{name} spec"],
        ppv=got[f"{name} ppv"],
        ppv_stated=got[f"{name} stated"],
    )


def _conformal(sets: ConformalSets, got: Mapping[str, Interval]) -> Conformal:
    return Conformal(
        positive_from=sets.positive_from,
        negative_to=sets.negative_to,
        coverage=got["covered"],
        coverage_positive=got["covered positive"],
        coverage_negative=got["covered negative"],
        uncertain=got["both"],
    )


def brightness_auc(train: Brightness | None, readings: Sequence[Reading], key: str) -> float:
    """AUC of mean and deviation of the input alone, learned on training; ``nan`` where it cannot be had."""
    if train is None or key not in train.labels:
        return NAN
    labels, truth = train.labels[key], labels_of(readings, key)
    known, here = ~np.isnan(labels), ~np.isnan(truth)
    if len(np.unique(labels[known])) < 2 or not here.any():
        return NAN
    fitted = need("sklearn.linear_model").LogisticRegression().fit(train.brightness[known], labels[known])
    features = np.array([r.brightness for r in readings])[here]
    return auc(fitted.decision_function(features), truth[here])


def slices(
    readings: Sequence[Reading], chance: Floats, key: str, *, threshold: float, resamples: int
) -> tuple[Slice, ...]:
    """One finding within each source and each value of each subgroup, where both classes are there."""
    labels, groups = labels_of(readings, key), groups_of(readings)
    rows = []
    for by, value, chosen in parts_of([r.case for r in readings]):
        here = chosen & ~np.isnan(labels)
        truth = labels[here] == 1
        if not 0 < truth.sum() < len(truth):
            continue
        got = bootstrap_all(groups[here], _at(chance[here], truth, threshold), resamples=resamples)
        rows.append(
            Slice(
                by=by,
                value=value,
                positives=int(truth.sum()),
                negatives=int((~truth).sum()),
                auc=got["auc"],
                sensitivity=got["sensitivity"],
                specificity=got["specificity"],
                sensitivity_at={at: got[at] for at in SPECIFICITIES},
            )
        )
    return tuple(rows)


def _at(chance: Floats, truth: NDArray[np.bool_], threshold: float) -> Callable[[Indices], dict[str, float]]:
    def of(i: Indices) -> dict[str, float]:
        called, there = chance[i] >= threshold, truth[i]
        return {
            "auc": auc(chance[i], there.astype(np.float64)),
            "sensitivity": rate(called[there]),
            "specificity": rate(~called[~there]),
            **{at: sensitivity_at(float(at), chance[i], there) for at in SPECIFICITIES},
        }

    return of


def _auc(chance: Floats, labels: Floats, groups: Groups, resamples: int) -> Interval:
    return bootstrap(groups, lambda i: auc(chance[i], labels[i]), resamples=resamples)
