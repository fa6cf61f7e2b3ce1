"""How well one finding reads in a cohort: discrimination, operating point, calibration, net benefit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import (
    NOTHING,
    Floats,
    Groups,
    Indices,
    Interval,
    auc,
    bootstrap_all,
    calibration_error,
    ppv_at,
    rate,
)
from radiolucent.cohort.validation.estimates import (
    LEAST_UNITS,
    auc_estimate,
    share_estimate,
    units_needed,
    wilson,
)

BINS = 10
HALF_WIDTH = 0.05
NET_THRESHOLDS = tuple(round(0.02 * i, 2) for i in range(1, 41))
"""Threshold probabilities of the decision curve: 2 to 80 %."""
WORDS = ("low", "moderate", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One part of the calibration curve: mean probability, share that is positive with its Wilson interval."""

    images: int
    predicted: float
    observed: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """Net benefit at a threshold probability (Vickers and Elkin 2006), and of calling every image."""

    threshold: float
    engine: float
    everyone: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Calls with one confidence word: how many, and the share of them that is right."""

    word: str
    calls: int
    right: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures of one finding over the images whose truth is known.

    Parameters
    ----------
    auc
        With DeLong's interval, patients as clusters; ``auc_bootstrap`` resamples patients.
    ppv_stated, npv_stated
        At ``stated_prevalence`` (Bayes).
    brier, calibration_error
        Mean squared error of the probability; expected calibration error in ten equally filled bins.
    patients_needed
        By figure: patients (of the rarer class, of positives, of negatives) for an interval of +-0.05.
    saying
        What stands in the way of figures, in words; blank where nothing does.
    """

    key: str
    display: str
    images: int
    positives: int
    patients: int
    positive_patients: int
    threshold: float
    called: int
    prevalence: float
    stated_prevalence: float
    auc: Interval
    auc_bootstrap: Interval
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval
    ppv_stated: Interval
    npv_stated: Interval
    brier: Interval
    calibration_error: Interval
    calibration: tuple[Bin, ...]
    benefit: tuple[Benefit, ...]
    words: tuple[Word, ...]
    patients_needed: dict[str, int | None]
    saying: str


def performance(
    key: str,
    display: str,
    chance: Floats,
    words: Floats,
    labels: Floats,
    groups: Groups,
    *,
    threshold: float,
    prevalence: float | None,
    resamples: int,
) -> Performance:
    """Figures of one finding.

    Parameters
    ----------
    chance, words, labels, groups
        ``[N]`` calibrated probability, index of the confidence word where it was called (-1: not), 1 or 0 (``nan``
        unknown), patient.
    threshold
        Of the engine, on the probability. Sensitivity and the like are at this threshold, whether or not the product
        calls the finding there.
    """
    here = ~np.isnan(labels)
    chance, words, labels, groups = chance[here], words[here], labels[here], groups[here]
    truth, called = labels == 1, chance >= threshold
    stated = rate(truth) if prevalence is None else prevalence

    def of(i: Indices) -> dict[str, float]:
        there, said, p = truth[i], called[i], chance[i]
        sensitivity, specificity = rate(said[there]), rate(~said[~there])
        share = rate(there) if prevalence is None else prevalence
        return {
            "auc": auc(p, labels[i]),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": rate(there[said]),
            "npv": rate(~there[~said]),
            "ppv stated": ppv_at(sensitivity, specificity, share),
            "npv stated": ppv_at(specificity, sensitivity, 1.0 - share),
            "brier": float(np.mean((p - there) ** 2)),
            "error": calibration_error(p, labels[i], BINS),
        }

    got = bootstrap_all(groups, of, resamples=resamples) if len(labels) else {}
    area = auc_estimate(chance, labels, groups)
    return Performance(
        key=key,
        display=display,
        images=len(labels),
        positives=int(truth.sum()),
        patients=len(set(groups)),
        positive_patients=len(set(groups[truth])),
        threshold=threshold,
        called=int(called.sum()),
        prevalence=rate(truth),
        stated_prevalence=stated,
        auc=area.interval,
        auc_bootstrap=got.get("auc", NOTHING),
        sensitivity=got.get("sensitivity", NOTHING),
        specificity=got.get("specificity", NOTHING),
        ppv=got.get("ppv", NOTHING),
        npv=got.get("npv", NOTHING),
        ppv_stated=got.get("ppv stated", NOTHING),
        npv_stated=got.get("npv stated", NOTHING),
        brier=got.get("brier", NOTHING),
        calibration_error=got.get("error", NOTHING),
        calibration=calibration_curve(chance, labels),
        benefit=net_benefit(chance, labels),
        words=_words(words, truth, groups),
        patients_needed={
            "auc": units_needed(area, HALF_WIDTH),
            "sensitivity": units_needed(share_estimate(called[truth], groups[truth]), HALF_WIDTH),
            "specificity": units_needed(share_estimate(~called[~truth], groups[~truth]), HALF_WIDTH),
        },
        saying=_saying(truth, groups),
    )


def _saying(truth: NDArray[np.bool_], groups: Groups) -> str:
    if len(truth) == 0:
        return "no truth is known"
    if truth.all() or not truth.any():
        only = "positive" if truth.all() else "negative"
        return f"one class: every image is {only}, so nothing can be told apart"
    fewest = min(len(set(groups[truth])), len(set(groups[~truth])))
    return f"too few to say: {fewest} patients of the rarer class" if fewest < LEAST_UNITS else ""


def calibration_curve(chance: Floats, labels: Floats, bins: int = BINS) -> tuple[Bin, ...]:
    """The calibration curve in bins between quantiles of the probability; empty ones are left out."""
    if len(labels) < bins:
        return ()
    edges = np.quantile(chance, np.linspace(0, 1, bins + 1))
    which = np.searchsorted(edges[1:-1], chance)
    out = []
    for number in range(bins):
        here = which == number
        if here.any():
            observed = float(labels[here].mean())
            out.append(
                Bin(
                    images=int(here.sum()),
                    predicted=float(chance[here].mean()),
                    observed=Interval(observed, *wilson(observed, int(here.sum()))),
                )
            )
    return tuple(out)


def net_benefit(chance: Floats, labels: Floats) -> tuple[Benefit, ...]:
    """The decision curve: true positives less false ones weighted by the odds of the threshold, per image."""
    n, positives = len(labels), int((labels == 1).sum())
    if not 0 < positives < n:
        return ()
    out = []
    for threshold in NET_THRESHOLDS:
        called, odds = chance >= threshold, threshold / (1 - threshold)
        true, false = int((labels[called] == 1).sum()), int((labels[called] != 1).sum())
        out.append(
            Benefit(
                threshold=threshold,
                engine=(true - odds * false) / n,
                everyone=(positives - odds * (n - positives)) / n,
            )
        )
    return tuple(out)


def _words(words: Floats, truth: NDArray[np.bool_], groups: Groups) -> tuple[Word, ...]:
    out = []
    for index, word in enumerate(WORDS):
        here = words == index
        right = share_estimate(truth[here], groups[here]).interval if here.any() else NOTHING
        out.append(Word(word=word, calls=int(here.sum()), right=right))
    return tuple(out)
