"""A cohort against a reference, before anybody knows the truth: scores, embedding, and where the engine looks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from radiolucent.cohort.measure import NAN, Interval
from radiolucent.cohort.validation.atlas import Cell, Part, cell_of, draw, farthest, permuted, reaching, with_rates
from radiolucent.cohort.validation.estimates import corrected
from radiolucent.cohort.validation.probing import embedded, readable
from radiolucent.cohort.validation.records import ScoreShift, Shift
from radiolucent.cohort.validation.shards import Observed, read_columns
from radiolucent.cohort.validation.subgroups import Stratum
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec

HERE = "against the reference"


def read_reference(folder: Path, spec: EngineSpec) -> Observed:
    """The observations of an earlier validation by the same engine.

    Raises
    ------
    SettingsError
        ``reference`` for a folder that is none, or of another engine or version.
    """
    said = _reference(folder)
    if (said["engine"], said["sha256"]) != (spec.id, spec.sha256):
        raise _no_reference(f"a validation of {said['engine']} with another graph")
    where = folder / str(said["observations"])
    if not list(where.glob("*.npz")):
        raise _no_reference("a validation whose observations were taken away")
    return read_columns(where)


def read_reference_before(folder: Path, before: EngineSpec) -> Observed | None:
    """What another version observed of the reference cohort, where that was validated against it (``--against``)."""
    change = _reference(folder).get("change")
    if change is None or change["old_sha256"] != before.sha256:
        return None
    where = folder / str(change["observations_before"])
    return read_columns(where) if list(where.glob("*.npz")) else None


def _reference(folder: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
        missing = {"engine", "sha256", "observations"} - said.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise _no_reference(f"a folder without a validation ({type(error).__name__})") from error
    if missing:
        raise _no_reference("a folder without a validation (KeyError)")
    return said


def _no_reference(found: str) -> SettingsError:
    return SettingsError(
        "reference",
        found=found,
        expected="the folder of an earlier `radiolucent validate` by the same engine",
        action="Validate the reference cohort first, with the same engine.",
    )


def shift(here: Observed, reference: Observed, spec: EngineSpec, *, name: str, permutations: int) -> Shift:
    """Everything that can be compared without truth."""
    limit = spec.novelty_limit or NAN
    novelty = [float(np.median(o.arrays["novelty"])) / limit if len(o) else NAN for o in (here, reference)]
    bodiless = [float((o.arrays["has_frame"] == 0).mean()) if len(o) else NAN for o in (here, reference)]
    flagged = [
        float(np.mean(["refused_at_run_time" in f for f in o.flags])) if len(o) else NAN for o in (here, reference)
    ]
    return Shift(
        reference=name,
        images_reference=len(reference),
        told_apart=told_apart(here, reference),
        novelty_here=novelty[0],
        novelty_reference=novelty[1],
        flagged_here=flagged[0],
        flagged_reference=flagged[1],
        bodiless_here=bodiless[0],
        bodiless_reference=bodiless[1],
        scores=_scores(here, reference, spec),
        cells=_cells(here, reference, spec, permutations),
    )


def _scores(here: Observed, reference: Observed, spec: EngineSpec) -> tuple[ScoreShift, ...]:
    from scipy.stats import ks_2samp

    rows = []
    for k, finding in enumerate(spec.findings):
        ours, theirs = (o.arrays["chances"][:, k] for o in (here, reference))
        over = [float((o.arrays["chances"][:, k] >= spec.findings[k].threshold).mean()) for o in (here, reference)]
        found = ks_2samp(ours, theirs)
        rows.append(
            ScoreShift(
                key=finding.key,
                mean_here=float(ours.mean()),
                mean_reference=float(theirs.mean()),
                over_here=over[0],
                over_reference=over[1],
                ks=float(found.statistic),
                p=float(found.pvalue),
                q=NAN,
            )
        )
    return tuple(replace(row, q=q) for row, q in zip(rows, corrected([r.p for r in rows]), strict=True))


def _cells(here: Observed, reference: Observed, spec: EngineSpec, permutations: int) -> tuple[Cell, ...]:
    thresholds = [f.threshold for f in spec.findings]
    reach = [reaching(o, thresholds) for o in (here, reference)]
    ours, theirs = (draw(o, (), r) for o, r in zip((here, reference), reach, strict=True))
    maps = np.concatenate([ours.maps, theirs.maps])
    sizes = [len(ours.at), len(theirs.at)]
    groups = np.char.add(np.concatenate([ours.groups, theirs.groups]), np.repeat(["/a", "/b"], sizes))
    tested = permuted(maps, groups, np.repeat([True, False], sizes), permutations=permutations)
    far = farthest(ours, np.ones(len(ours.at), dtype=bool), theirs.maps)
    stratum = Stratum(by=HERE, value="all", members=np.ones(len(here), dtype=bool))
    rows = []
    for k, finding in enumerate(spec.findings):
        mine, other = (
            Part(o, np.ones(len(o), dtype=bool), r, k) for o, r in zip((here, reference), reach, strict=True)
        )
        found = (float(tested[0][k]), float(tested[1][k]), float(tested[2][k]))
        rows.append(cell_of(finding.key, stratum, mine, other, found, far[k]))
    return tuple(with_rates(rows))


def told_apart(here: Observed, reference: Observed, *, seed: int = 6) -> Interval:
    """AUC of telling the cohorts by embedding: logistic regression, five folds, patients kept together."""
    (ours, mine), (theirs, others) = embedded(here, seed), embedded(reference, seed)
    sizes = [len(mine), len(others)]
    groups = np.concatenate([here.groups[mine], reference.groups[others]])
    groups = np.char.add(groups, np.repeat(["/a", "/b"], sizes))
    return readable(np.concatenate([ours, theirs]), np.repeat([1.0, 0.0], sizes), groups)
