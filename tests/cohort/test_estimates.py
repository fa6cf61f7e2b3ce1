"""Standard errors with patients as clusters, against brute force and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from radiolucent.cohort.validation.estimates import (
    auc_estimate,
    auc_gap,
    corrected,
    difference,
    share_estimate,
    units_needed,
    wilson,
)


def sample(seed: int, n: int = 83) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(n) < 0.35).astype(float)
    return np.round(random.normal(labels, 1.0), 1), labels


def delong_by_hand(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """All pairs, as in the paper of 1988."""
    x, y = scores[labels == 1], scores[labels == 0]
    wins = (x[:, None] > y).astype(float) + 0.5 * (x[:, None] == y)
    variance = wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / len(y)
    return float(wins.mean()), float(np.sqrt(variance))


@pytest.mark.parametrize("seed", range(5))
def test_delong_is_that_of_all_pairs(seed: int) -> None:
    scores, labels = sample(seed)
    found = auc_estimate(scores, labels, np.arange(len(labels)).astype(str))
    area, error = delong_by_hand(scores, labels)
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.value == pytest.approx(area, abs=1e-12)
    # With clusters, Obuchowski's own correction for the covariance of both parts is all that may differ.
    assert found.error == pytest.approx(error, rel=1e-9)
    assert found.interval.low == pytest.approx(max(0.0, area - stats.norm.ppf(0.975) * error), abs=1e-9)


def test_the_same_image_twice_gives_no_more_certainty() -> None:
    scores, labels = sample(9)
    names = np.arange(len(labels)).astype(str)
    once = auc_estimate(scores, labels, names)
    twice = auc_estimate(np.tile(scores, 2), np.tile(labels, 2), np.tile(names, 2))
    assert twice.value == pytest.approx(once.value)
    assert twice.error == pytest.approx(once.error, rel=1e-9)
    share, again = (share_estimate(np.tile(scores > 0.5, n), np.tile(names, n)) for n in (1, 2))
    assert again.interval.low == pytest.approx(share.interval.low, abs=0.01)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 10), (50, 50), (41, 97)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    mine = share_estimate(np.arange(n) < hits, np.arange(n).astype(str)).interval
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_intervals_hold_what_they_promise() -> None:
    random, inside = np.random.default_rng(1), 0
    for _ in range(400):
        labels = np.repeat([0.0, 1.0], [60, 40])
        scores = random.normal(labels * 0.9, 1.0)
        found = auc_estimate(scores, labels, np.arange(100).astype(str)).interval
        inside += found.low <= stats.norm.cdf(0.9 / np.sqrt(2)) <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_a_difference_of_equals_is_found_as_often_as_promised() -> None:
    random, found = np.random.default_rng(2), 0
    for _ in range(400):
        labels = np.repeat([0.0, 1.0], [50, 50])
        pair = [auc_estimate(random.normal(labels, 1.0), labels, np.arange(100).astype(str)) for _ in range(2)]
        found += difference(*pair)[1] < 0.05
    assert found / 400 < 0.08


def test_too_few_patients_are_not_compared() -> None:
    scores, labels = sample(3, n=14)
    one = auc_estimate(scores, labels, np.arange(14).astype(str))
    assert np.isnan(difference(one, one)[1])


def test_rates_are_benjamini_and_hochbergs() -> None:
    assert corrected([0.01, float("nan"), 0.04, 0.03])[0] == pytest.approx(0.03)
    assert np.isnan(corrected([0.01, float("nan")])[1])
    assert corrected([0.04, 0.03]) == pytest.approx([0.04, 0.04])


def test_patients_needed_shrink_the_interval_as_told() -> None:
    hits = np.arange(200) < 60
    found = share_estimate(hits, np.arange(200).astype(str))
    needed = units_needed(found, 0.05)
    assert needed == int(np.ceil(stats.norm.ppf(0.975) ** 2 * 0.3 * 0.7 / 0.05**2))


def test_a_paired_difference_is_delongs() -> None:
    random = np.random.default_rng(11)
    labels = np.repeat([0.0, 1.0], [50, 35])
    shared = random.normal(labels, 1.0)
    first, second = shared + random.normal(0, 0.5, 85), shared + random.normal(0, 0.5, 85)
    found = auc_gap(first, second, labels, np.arange(85).astype(str))
    parts = []
    for scores in (first, second):
        x, y = scores[labels == 1], scores[labels == 0]
        wins = (x[:, None] > y).astype(float)
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    by_positive, by_negative = (np.cov([parts[0][side], parts[1][side]]) for side in (0, 1))
    turn = np.array([-1.0, 1.0])
    variance = turn @ (by_positive / 35 + by_negative / 50) @ turn
    gap = roc_auc_score(labels, second) - roc_auc_score(labels, first)
    assert found.gap.value == pytest.approx(gap, abs=1e-12)
    assert found.gap.high - found.gap.value == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance), abs=1e-9)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(gap) / np.sqrt(variance)), abs=1e-9)
