"""Do the product's own words keep their promise: how often a call with high, moderate or low confidence is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radiolucent.cohort.measure import NOTHING, Indices, Interval, bootstrap_all, rate
from radiolucent.cohort.reading import Reading
from radiolucent.records.result import Finding

WORDS = ("high", "moderate", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One positive finding on test whose truth is known."""

    key: str
    group: str
    word: str
    correct: bool
    warned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFigures:
    """Calls by confidence word: how many, and how many of them are right.

    ``warned_false`` and ``warned_true`` are the shares of false and of right calls that carry a flag or the word low.
    """

    calls: dict[str, int]
    ppv: dict[str, Interval]
    high_minus_moderate: Interval
    moderate_minus_low: Interval
    false_calls: int
    warned_false: Interval
    warned_true: Interval


def calls(readings: Sequence[Reading], findings: Sequence[Mapping[str, Finding]], key: str) -> Iterator[Call]:
    """Calls of one finding; ``findings`` are what `cohort.reading.judged` gave for each reading."""
    for reading, judged in zip(readings, findings, strict=True):
        label, found = reading.case.labels.get(key, np.nan), judged.get(key)
        if found is not None and found.positive and not np.isnan(label):
            yield Call(
                key=key,
                group=reading.case.group,
                word=found.confidence,
                correct=label == 1,
                warned=bool(found.flags) or found.confidence == "low",
            )


def summarise_calls(made: Sequence[Call], *, resamples: int) -> TrustFigures:
    """PPV by word, differences between neighbouring words, with intervals over groups."""
    groups = np.array([c.group for c in made], dtype=np.str_)
    words = np.array([c.word for c in made], dtype=np.str_)
    correct = np.array([c.correct for c in made], dtype=bool)
    warned = np.array([c.warned for c in made], dtype=bool)

    def of(i: Indices) -> dict[str, float]:
        right, said = correct[i], words[i]
        ppv = {word: rate(right[said == word]) for word in WORDS}
        gaps = {"first": ppv["high"] - ppv["moderate"], "second": ppv["moderate"] - ppv["low"]}
        return {**ppv, **gaps, "warned": rate(warned[i][~right]), "true": rate(warned[i][right])}

    got = bootstrap_all(groups, of, resamples=resamples) if made else {}
    return TrustFigures(
        calls={word: int((words == word).sum()) for word in WORDS},
        ppv={word: got.get(word, NOTHING) for word in WORDS},
        high_minus_moderate=got.get("first", NOTHING),
        moderate_minus_low=got.get("second", NOTHING),
        false_calls=int((~correct).sum()),
        warned_false=got.get("warned", NOTHING),
        warned_true=got.get("true", NOTHING),
    )
