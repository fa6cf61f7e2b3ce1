"""What is asked of a validation and what it gives: records only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radiolucent.cohort.measure import RESAMPLES, Interval
from radiolucent.cohort.validation.atlas import PERMUTATIONS, Cell
from radiolucent.cohort.validation.change import VersionChange
from radiolucent.cohort.validation.concepts import Concepts
from radiolucent.cohort.validation.crew import ALONE, Crew
from radiolucent.cohort.validation.failures import Failures
from radiolucent.cohort.validation.known_places import Places
from radiolucent.cohort.validation.performance import Performance
from radiolucent.cohort.validation.shortcuts import Baseline, Follow, Leak
from radiolucent.cohort.validation.stress import Stress
from radiolucent.cohort.validation.subgroups import GroupFigures, Worst

SCHEMA = "radiolucent.validation/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to validate on.

    Parameters
    ----------
    source
        A folder, or a CSV of paths (`roster.read_roster`); ``None`` where the images come from elsewhere.
    truth, boxes
        Labels for a folder (a table, or coded reports), and boxes.
    codes
        A site's own codes of findings, for reports.
    reference
        Folder of an earlier validation, whose maps and scores this cohort is compared with.
    against
        Package of the version that runs now, to compare this one with (`change`).
    stress
        So many images are changed a little and read again (`stress`); 0: none.
    prevalence
        Share of positives at which predictive values are stated; ``None``: the cohort's own.
    crew
        Who reads the images; it changes nothing but the time.
    """

    source: Path | None
    truth: Path | None = None
    codes: Path | None = None
    boxes: Path | None = None
    reference: Path | None = None
    prevalence: float | None = None
    resamples: int = RESAMPLES
    permutations: int = PERMUTATIONS
    stress: int = 0
    against: Path | None = None
    crew: Crew = ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Which images were measured, and what was not.

    Parameters
    ----------
    offered
        Images to read; ``read`` were read and are counted once, ``refused`` by code.
    refused_at_run_time
        Images that were read here although guards would have refused them.
    twice
        Pairs of images of one content (the first few), and ``twice_count`` in all.
    studies_left_out
        Studies of an archive that are none of the cohort, or did not come whole, by why.
    bodiless
        Images in which the engine drew no anatomy, so that their maps have no place in the atlas.
    missing
        Share of images in which a stratum is not stated, by stratum.
    """

    offered: int
    read: int
    patients: int
    patients_known: int
    refused: Mapping[str, int]
    left_out: Mapping[str, int]
    studies_left_out: Mapping[str, int]
    refused_at_run_time: int
    flags: Mapping[str, int]
    twice: tuple[tuple[str, str], ...]
    twice_count: int
    unmatched: tuple[str, ...]
    unmatched_count: int
    without_truth: int
    bodiless: int
    missing: Mapping[str, float]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShift:
    """Scores of one finding, here and in the reference (two-sample Kolmogorov-Smirnov test).

    ``over_here`` and ``over_reference`` are the shares of images that reach the threshold.
    """

    key: str
    mean_here: float
    mean_reference: float
    over_here: float
    over_reference: float
    ks: float
    p: float
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """This cohort against a reference, without any label.

    Parameters
    ----------
    told_apart
        AUC with which a logistic regression on the embedding tells the two, patients kept apart; 0.5: it cannot.
    novelty_here, novelty_reference
        Median distance of the embedding from the training set, as a share of the engine's limit.
    bodiless_here, bodiless_reference
        Share of images in which no anatomy was drawn.
    cells
        Where it looks, against the reference, by finding.
    """

    reference: str
    images_reference: int
    told_apart: Interval
    novelty_here: float
    novelty_reference: float
    flagged_here: float
    flagged_reference: float
    bodiless_here: float
    bodiless_reference: float
    scores: tuple[ScoreShift, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Everything a validation found."""

    engine: str
    version: str
    sha256: str
    cohort: Cohort
    resamples: int
    permutations: int
    findings: tuple[Performance, ...]
    places: tuple[Places, ...]
    subgroups: tuple[GroupFigures, ...]
    worst: tuple[Worst, ...]
    atlas: tuple[Cell, ...]
    shift: Shift | None
    baselines: tuple[Baseline, ...]
    leaks: tuple[Leak, ...]
    follows: tuple[Follow, ...]
    concepts: Concepts
    stress: tuple[Stress, ...]
    change: VersionChange | None
    failures: tuple[Failures, ...]
    observations: str
