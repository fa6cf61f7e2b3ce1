"""Figures of a card against scikit-learn, known answers and small cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radiolucent.cohort.measure import (
    ConformalSets,
    auc,
    balanced_threshold,
    bootstrap,
    calibration_error,
    conformal_sets,
    iou,
    platt,
    ppv_at,
    rate,
    sensitive_threshold,
    sensitivity_at,
    sigmoid,
    spearman,
)


@pytest.mark.parametrize("seed", range(8))
def test_auc_is_that_of_scikit_learn_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 120).astype(float)
    scores = np.round(rng.normal(labels, 1.5), 0)  # whole numbers: many ties
    assert len(np.unique(scores)) < 20
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_sensitivity_where_specificity_is_held() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.35, 0.5, 0.95])
    truth = np.array([False] * 5 + [True] * 3)
    assert sensitivity_at(0.8, scores, truth) == pytest.approx(2 / 3), "over 0.4, one negative of five lies higher"
    assert sensitivity_at(1.0, scores, truth) == pytest.approx(1 / 3)
    assert sensitivity_at(0.81, scores, truth) == pytest.approx(1 / 3), "never less specific than asked"
    assert math.isnan(sensitivity_at(0.9, scores, np.zeros(8, dtype=bool)))


def test_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(auc(np.arange(4.0), np.ones(4)))
    assert math.isnan(auc(np.arange(4.0), np.zeros(4)))


def test_bootstrap_covers_the_truth_when_groups_are_resampled() -> None:
    """95 % intervals of a mean whose groups share an offset: near-nominal coverage by group, far less by sample."""
    covered_by_group = covered_by_sample = 0
    repeats, n_groups, size = 40, 25, 6
    for repeat in range(repeats):
        rng = np.random.default_rng(100 + repeat)
        groups = np.repeat(np.arange(n_groups), size).astype(str)
        values = np.repeat(rng.normal(0, 1, n_groups), size) + rng.normal(0, 0.2, n_groups * size)
        by_group = bootstrap(groups, lambda i, v=values: float(v[i].mean()))
        by_sample = bootstrap(np.arange(len(values)).astype(str), lambda i, v=values: float(v[i].mean()))
        covered_by_group += by_group.low <= 0 <= by_group.high
        covered_by_sample += by_sample.low <= 0 <= by_sample.high
        assert by_group.low <= by_group.value <= by_group.high
    assert covered_by_group >= 0.82 * repeats
    assert covered_by_sample < covered_by_group


def test_bootstrap_keeps_groups_whole() -> None:
    groups = np.array(["a", "b", "b", "b", "c"])
    members = {frozenset({0}), frozenset({1, 2, 3}), frozenset({4})}

    def statistic(index: np.ndarray) -> float:
        counts = np.bincount(index, minlength=5)
        for member in members:
            assert len({int(counts[m]) for m in member}) == 1, "a group was torn apart"
        return float(len(index))

    interval = bootstrap(groups, statistic)
    assert interval.value == 5.0
    assert interval.low < interval.high


def test_bootstrap_of_nothing_and_of_the_same_seed() -> None:
    assert math.isnan(bootstrap(np.array([], dtype=str), lambda i: float(len(i))).value)
    groups, values = np.arange(30).astype(str), np.random.default_rng(0).random(30)
    assert bootstrap(groups, lambda i: float(values[i].mean())) == bootstrap(groups, lambda i: float(values[i].mean()))


def test_platt_finds_the_slope_and_calibrates() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    labels = (rng.random(4000) < sigmoid(0.7 * logits - 1.0)).astype(float)
    slope, intercept = platt(logits, labels)
    assert slope == pytest.approx(0.7, abs=0.1)
    assert intercept == pytest.approx(-1.0, abs=0.15)
    assert calibration_error(sigmoid(slope * logits + intercept), labels) < 0.03


def test_platt_never_turns_the_order_round() -> None:
    logits = np.linspace(-3, 3, 200)
    against = (logits < 0).astype(float)
    slope, intercept = platt(logits, against)
    assert slope == 1.0
    assert sigmoid(np.array([np.median(logits) + intercept]))[0] == pytest.approx(100.5 / 201, abs=1e-6)


def test_platt_falls_back_with_few_cases_and_with_none() -> None:
    logits, labels = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0, 1.0])
    slope, intercept = platt(logits, labels)
    assert slope == 1.0
    assert intercept == pytest.approx(math.log(0.3 / 0.7) - 1.5, abs=1e-9)
    assert platt(np.array([]), np.array([])) == (1.0, 0.0)


def test_balanced_threshold_parts_what_can_be_parted() -> None:
    probabilities = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.7, 0.75, 0.8, 0.85, 0.9])
    labels = np.repeat([0.0, 1.0], 5)
    threshold = balanced_threshold(probabilities, labels)
    assert 0.3 < threshold < 0.7
    assert np.array_equal(probabilities >= threshold, labels == 1)


def test_balanced_threshold_reaches_the_greatest_youden_index() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 300).astype(float)
    probabilities = sigmoid(rng.normal(labels * 1.2, 1.0))

    def youden(cut: float) -> float:
        called = probabilities >= cut
        return float(called[labels == 1].mean() + (~called[labels == 0]).mean())

    best = max(youden(cut) for cut in probabilities)
    assert youden(balanced_threshold(probabilities, labels)) == pytest.approx(best, abs=1e-9)


def test_balanced_threshold_is_a_half_with_too_few_cases() -> None:
    assert balanced_threshold(np.array([0.1, 0.9, 0.8]), np.array([0.0, 1.0, 1.0])) == 0.5


def test_iou_by_hand() -> None:
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    first[:2], second[1:3] = True, True
    assert iou(first, second) == pytest.approx(4 / 12)
    assert iou(first, first) == 1.0
    assert math.isnan(iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)))


def test_calibration_error_by_hand() -> None:
    probabilities = np.repeat([0.2, 0.8], 10)
    perfect = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 8 + [0.0] * 2)
    assert calibration_error(probabilities, perfect, bins=2) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(probabilities, np.zeros(20), bins=2) == pytest.approx(0.5)
    assert math.isnan(calibration_error(probabilities[:5], perfect[:5], bins=10))


def test_rate_of_none_is_not_a_number() -> None:
    assert math.isnan(rate(np.array([], dtype=bool)))
    assert rate(np.array([True, False, True, True])) == 0.75


def test_bootstrap_leaves_out_resamples_without_a_value() -> None:
    """One of two groups has no positive: half the resamples are whole, the rest are left out or one-sided."""
    groups, values = np.array(["a", "b"]), np.array([1.0, np.nan])
    interval = bootstrap(groups, lambda i: float(np.nansum(values[i])) if not np.isnan(values[i]).all() else math.nan)
    assert interval.value == 1.0
    assert 1.0 <= interval.low <= interval.high <= 2.0


def test_sensitive_threshold_finds_the_wanted_share_and_no_lower_one_would_do() -> None:
    probabilities = np.concatenate([np.linspace(0.5, 0.99, 40), np.linspace(0.01, 0.6, 40)])
    labels = np.repeat([1.0, 0.0], 40)
    threshold = sensitive_threshold(probabilities, labels)
    assert threshold is not None
    assert (probabilities[:40] >= threshold).mean() == 38 / 40
    assert sensitive_threshold(np.array([0.1, 0.9]), np.array([0.0, 1.0])) is None


def test_conformal_sets_by_hand() -> None:
    """19 of each: the bound is the 2nd most unlikely one (0.1 * 20)."""
    positives, negatives = np.linspace(0.1, 1.0, 19), np.linspace(0.0, 0.9, 19)
    sets = conformal_sets(np.concatenate([positives, negatives]), np.repeat([1.0, 0.0], 19))
    assert sets is not None
    assert sets.positive_from == pytest.approx(positives[1])
    assert sets.negative_to == pytest.approx(negatives[-2])
    assert sets.band == (sets.positive_from, sets.negative_to)
    inside = np.array([sets.positive_from, 0.5, 0.0, 1.0])
    assert sets.uncertain(inside).tolist() == [True, True, False, False]
    assert sets.covers(inside, np.array([1.0, 0.0, 1.0, 1.0])).tolist() == [True, True, False, True]


def test_conformal_sets_without_overlap_have_no_band_and_few_groups_give_none() -> None:
    assert ConformalSets(0.7, 0.2).band is None
    few = np.concatenate([np.linspace(0.5, 1, 9), np.linspace(0, 0.5, 30)])
    assert conformal_sets(few, np.repeat([1.0, 0.0], [9, 30])) is None
    one_patient = np.array(["a"] * 30 + [str(i) for i in range(30)])
    assert conformal_sets(np.linspace(0, 1, 60), np.repeat([1.0, 0.0], 30), one_patient) is None


def test_conformal_sets_cover_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(60):
        labels = rng.integers(0, 2, 400).astype(float)
        chance = sigmoid(rng.normal(2 * labels - 1, 1.5))
        sets = conformal_sets(chance[:200], labels[:200])
        assert sets is not None
        covered.append(sets.covers(chance[200:], labels[200:]).mean())
    assert 0.89 < np.mean(covered) < 0.93


def test_ppv_at_a_prevalence_by_hand() -> None:
    assert ppv_at(0.9, 0.9, 0.5) == pytest.approx(0.9)
    assert ppv_at(0.9, 0.9, 0.1) == pytest.approx(0.09 / 0.18)
    assert math.isnan(ppv_at(0.0, 1.0, 0.1))


def test_spearman_of_a_constant_map_is_not_a_number() -> None:
    ramp = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert spearman(ramp, -ramp) == pytest.approx(-1.0)
    assert math.isnan(spearman(ramp, np.ones((3, 3), np.float32)))
