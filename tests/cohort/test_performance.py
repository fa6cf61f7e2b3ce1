"""Every figure of a finding against scikit-learn, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import calibration, metrics

from radiolucent.cohort.validation.performance import Performance, calibration_curve, net_benefit, performance


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    labels = (random.random(317) < 0.3).astype(float)
    chance = 1 / (1 + np.exp(-random.normal(1.6 * labels - 1.0, 1.0)))
    return {"labels": labels, "chance": chance, "groups": np.array([f"p{i // 2}" for i in range(317)])}


def figures(made: dict[str, np.ndarray], **more: object) -> Performance:
    words = np.where(made["chance"] >= 0.4, 1.0, -1.0)
    given = {"threshold": 0.4, "prevalence": None, "resamples": 30} | more
    return performance(
        "f",
        "Finding",
        made["chance"],
        words,
        made["labels"],
        made["groups"],
        **given,  # type: ignore[arg-type]
    )


def test_figures_are_scikit_learns(made: dict[str, np.ndarray]) -> None:
    found, labels, chance = figures(made), made["labels"], made["chance"]
    tn, fp, fn, tp = metrics.confusion_matrix(labels, chance >= 0.4).ravel()
    assert found.auc.value == pytest.approx(metrics.roc_auc_score(labels, chance), abs=1e-6)
    assert found.auc_bootstrap.value == pytest.approx(found.auc.value, abs=1e-12)
    assert found.sensitivity.value == pytest.approx(tp / (tp + fn), abs=1e-6)
    assert found.specificity.value == pytest.approx(tn / (tn + fp), abs=1e-6)
    assert found.ppv.value == pytest.approx(metrics.precision_score(labels, chance >= 0.4), abs=1e-6)
    assert found.npv.value == pytest.approx(tn / (tn + fn), abs=1e-6)
    assert found.brier.value == pytest.approx(metrics.brier_score_loss(labels, chance), abs=1e-6)
    assert found.ppv_stated.value == pytest.approx(found.ppv.value, abs=1e-6), "at its own prevalence it is the same"
    assert found.npv_stated.value == pytest.approx(found.npv.value, abs=1e-6)
    assert found.called == tp + fp
    assert (found.images, found.positives, found.patients) == (317, int(labels.sum()), 159)
    assert [w.calls for w in found.words] == [0, tp + fp, 0]


def test_predictive_values_at_a_stated_prevalence_by_hand(made: dict[str, np.ndarray]) -> None:
    found = figures(made, prevalence=0.01)
    sensitivity, specificity = found.sensitivity.value, found.specificity.value
    assert found.ppv_stated.value == pytest.approx(sensitivity * 0.01 / (sensitivity * 0.01 + (1 - specificity) * 0.99))
    assert found.npv_stated.value == pytest.approx(specificity * 0.99 / (specificity * 0.99 + (1 - sensitivity) * 0.01))


def test_the_calibration_curve_is_scikit_learns(made: dict[str, np.ndarray]) -> None:
    theirs = calibration.calibration_curve(made["labels"], made["chance"], n_bins=10, strategy="quantile")
    mine = calibration_curve(made["chance"], made["labels"])
    assert [b.observed.value for b in mine] == pytest.approx(list(theirs[0]), abs=1e-6)
    assert [b.predicted for b in mine] == pytest.approx(list(theirs[1]), abs=1e-6)
    assert sum(b.images for b in mine) == 317


def test_net_benefit_by_the_confusion_matrix(made: dict[str, np.ndarray]) -> None:
    for point in net_benefit(made["chance"], made["labels"]):
        _, fp, _, tp = metrics.confusion_matrix(made["labels"], made["chance"] >= point.threshold).ravel()
        odds = point.threshold / (1 - point.threshold)
        assert point.engine == pytest.approx((tp - odds * fp) / 317, abs=1e-6)
        _, fp, _, tp = metrics.confusion_matrix(made["labels"], np.ones(317)).ravel()
        assert point.everyone == pytest.approx((tp - odds * fp) / 317, abs=1e-6)


def test_one_class_and_few_patients_are_said(made: dict[str, np.ndarray]) -> None:
    one = figures(made | {"labels": np.zeros(317)})
    assert one.saying.startswith("one class: every image is negative")
    assert np.isnan(one.auc.value)
    assert np.isnan(one.sensitivity.value)
    assert one.benefit == ()
    few = np.zeros(317)
    few[:6] = 1
    assert figures(made | {"labels": few}).saying == "too few to say: 3 patients of the rarer class"
    assert figures(made | {"labels": np.full(317, np.nan)}).saying == "no truth is known"
