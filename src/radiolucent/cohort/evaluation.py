"""What is asked of an evaluation and what it gives: records only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radiolucent.cohort.faithfulness import Faithfulness
from radiolucent.cohort.figures import Choice, Scores, Slice
from radiolucent.cohort.kinds import KindFigures
from radiolucent.cohort.measure import RESAMPLES, Interval
from radiolucent.cohort.places import AnatomyFigures, PlaceFigures
from radiolucent.cohort.randomise import Randomisation
from radiolucent.cohort.speed import Speed
from radiolucent.cohort.trust import TrustFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to evaluate on.

    Parameters
    ----------
    truth, boxes
        Truth table and, where there is one, table of boxes. ``priors.npz`` and ``brightness.npz`` beside the truth
        table are the baselines that training left.
    resamples
        Bootstrap resamples.
    faithfulness
        At most this many true positives are used for deletion, insertion, randomisation and stability; 0: none.
    prevalence
        Share of positives for which PPV is stated besides; ``None``: that of the test part.
    """

    truth: Path
    boxes: Path | None = None
    resamples: int = RESAMPLES
    faithfulness: int = 40
    prevalence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFigures:
    """All figures of one trained finding."""

    key: str
    choice: Choice
    scores: Scores
    places: PlaceFigures
    anatomy: AnatomyFigures
    trust: TrustFigures
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFigures:
    """Figures of a finding by rule, at the calibration and threshold of its manifest."""

    key: str
    scores: Scores
    trust: TrustFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything measured.

    Parameters
    ----------
    parts
        ``(images, groups)`` of ``val`` and ``test``.
    macro_auc
        Mean AUC of the trained findings with 20 or more test positives; ``macro_findings`` is their number.
    anatomy
        Agreement with anatomy, all findings that share their expected regions together, by those regions' names.
    kinds
        Accuracy of the likeliest of the findings that exclude each other.
    speed
        ``None`` where faithfulness was not asked for either.
    """

    engine: str
    version: str
    sha256: str
    truth_sha256: str
    parts: dict[str, tuple[int, int]]
    resamples: int
    completeness_error: float
    refused_by_guards: int
    findings: tuple[FindingFigures, ...]
    derived: tuple[DerivedFigures, ...]
    trust: TrustFigures
    faithfulness: Faithfulness | None
    randomisation: tuple[Randomisation, ...]
    macro_auc: Interval
    macro_findings: int
    anatomy: dict[str, AnatomyFigures]
    kinds: tuple[KindFigures, ...]
    speed: Speed | None
