"""Validate an engine on a cohort: read the images, join the truth, make the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radiolucent.cohort.measure import rate
from radiolucent.cohort.needs import need
from radiolucent.cohort.validation.atlas import Maps, cells, draw, mean_maps, reaching
from radiolucent.cohort.validation.change import VersionChange, version_change
from radiolucent.cohort.validation.concepts import concepts
from radiolucent.cohort.validation.failures import failures
from radiolucent.cohort.validation.gathering import gather
from radiolucent.cohort.validation.known_places import known_places
from radiolucent.cohort.validation.pairing import pairing
from radiolucent.cohort.validation.performance import Performance, performance
from radiolucent.cohort.validation.readout import read_out
from radiolucent.cohort.validation.records import Ask, Cohort, Validation
from radiolucent.cohort.validation.roster import Roster, nothing_to_measure, read_roster, split_of
from radiolucent.cohort.validation.shards import Observed, folder_of, read_columns
from radiolucent.cohort.validation.shift import read_reference, read_reference_before, shift
from radiolucent.cohort.validation.shortcuts import baselines, follows, leaks
from radiolucent.cohort.validation.strata import NOT_STATED
from radiolucent.cohort.validation.stress import Stress, stress
from radiolucent.cohort.validation.subgroups import (
    GroupFigures,
    Mask,
    Stratum,
    everything,
    strata_of,
    subgroups,
    with_rates,
    worst_groups,
)
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError
from radiolucent.ingest.reports import is_reports
from radiolucent.records.engine import EngineSpec

Progress = Callable[[str, int, int], None]
NAMED = 8
MANY_REFUSED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A validation with what its pictures are made of."""

    validation: Validation
    engine: Engine
    observed: Observed
    reference: Observed | None
    strata: tuple[Stratum, ...]
    maps: Maps
    bodies: Maps


def validate(
    files: PackageFiles,
    ask: Ask,
    *,
    out: Path,
    roster_of: Callable[[EngineSpec], Roster] | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> Found:
    """Measure an engine on a cohort; observations are kept under ``out`` and used again.

    Parameters
    ----------
    roster_of
        Gives the images where they are no folder and no table.

    Raises
    ------
    SettingsError
        ``truth_table``, ``cohort_leak``, ``cohort_empty``, ``reference``, ``validate_option``, ``validate_extra``.
    EngineError
        A package that fails its load checks.
    """
    need("sklearn")
    _check(ask)
    engine = load(files)
    spec = engine.spec
    roster = _read_roster(files, ask, spec) if roster_of is None else roster_of(spec)
    reference = None if ask.reference is None else read_reference(ask.reference, spec)
    observed = _observe(roster, engine, files, ask, out, progress)
    strata = [everything(len(observed)), *strata_of(observed.strata)]
    reach = reaching(observed, [f.threshold for f in spec.findings])
    maps, bodies = mean_maps(observed, strata, reach)
    found = _figures(observed, roster, engine, files, ask, strata, reach, progress)
    return Found(
        validation=replace(
            found,
            shift=None
            if reference is None
            else shift(observed, reference, spec, name=str(ask.reference), permutations=ask.permutations),
            stress=_stress(observed, engine, ask, progress),
            change=_change(observed, reference, roster, spec, strata, ask, out, progress),
            observations=observed.folder.relative_to(out).as_posix(),
        ),
        engine=engine,
        observed=observed,
        reference=reference,
        strata=tuple(strata),
        maps=maps,
        bodies=bodies,
    )


def _observe(roster: Roster, engine: Engine, files: PackageFiles, ask: Ask, out: Path, progress: Progress) -> Observed:
    """Read what is not read yet, and give all of it; a cohort of refusals alone is refused."""
    folder = folder_of(out, roster.cases, engine.spec)
    _gather(roster, files, engine.spec, folder, ask, progress)
    observed = read_columns(folder, roster.cases)
    if len(observed) == 0:
        codes = ", ".join(f"{count} {code}" for code, count in observed.refused.items())
        raise nothing_to_measure(f"no image that could be read ({codes})")
    return observed


def _figures(
    observed: Observed,
    roster: Roster,
    engine: Engine,
    files: PackageFiles,
    ask: Ask,
    strata: Sequence[Stratum],
    reach: Mask,
    progress: Progress,
) -> Validation:
    """Everything that needs neither a reference nor another look at an image."""
    spec = engine.spec
    findings = tuple(_findings(observed, spec, ask, progress))
    rows = _subgroups(observed, spec, strata[1:])
    every = _all_findings(spec)
    keys, thresholds = [key for key, _, _ in every], [threshold for _, _, threshold in every]
    trained, labels = keys[: len(spec.findings)], [observed.labels(key) for key in keys]
    progress("where it looks", 0, 1)
    sample = draw(observed, strata, reach)
    atlas = cells(observed, trained, strata, sample, reach, permutations=ask.permutations)
    progress("shortcuts", 0, 1)
    return Validation(
        engine=spec.id,
        version=spec.version,
        sha256=spec.sha256,
        cohort=cohort_of(roster, observed),
        resamples=ask.resamples,
        permutations=ask.permutations,
        findings=findings,
        places=known_places(observed, spec),
        subgroups=tuple(rows),
        worst=worst_groups(rows),
        atlas=tuple(atlas),
        shift=None,
        baselines=baselines(observed, keys, labels),
        leaks=leaks(observed, strata),
        follows=follows(observed, trained, labels[: len(trained)], strata),
        concepts=concepts(observed, trained, strata, read_out(files, engine)),
        stress=(),
        change=None,
        failures=failures(observed, keys, labels, thresholds, strata),
        observations="",
    )


def _read_roster(files: PackageFiles, ask: Ask, spec: EngineSpec) -> Roster:
    assert ask.source is not None
    return read_roster(ask.source, spec=spec, split=split_of(files), truth=ask.truth, codes=ask.codes, boxes=ask.boxes)


def _check(ask: Ask) -> None:
    wrong_share = ask.prevalence is not None and not 0 < ask.prevalence < 1
    least = min(ask.resamples, ask.permutations, ask.crew.workers)
    if least < 1 or ask.stress < 0 or wrong_share:
        raise SettingsError(
            "validate_option",
            found=f"resamples {ask.resamples}, permutations {ask.permutations}, prevalence {ask.prevalence}, "
            f"workers {ask.crew.workers}",
            expected="at least 1 resample, permutation and worker, and a prevalence between 0 and 1",
            action="See `radiolucent validate --help`.",
        )
    if ask.codes is not None and (ask.truth is None or not is_reports(ask.truth)):
        raise SettingsError(
            "validate_option",
            found="codes of findings without coded reports",
            expected="--codes beside reports (FHIR or HL7) under --truth",
            action="See `radiolucent validate --help`.",
        )
    if ask.truth is not None and (ask.source is None or not ask.source.is_dir()):
        raise SettingsError(
            "validate_option",
            found="a truth table without a folder of images",
            expected="the truth in the table of paths itself, or what people signed in the store",
            action="Put the finding columns into the table, or give the folder of the images.",
        )


def _change(
    observed: Observed,
    reference: Observed | None,
    roster: Roster,
    spec: EngineSpec,
    strata: Sequence[Stratum],
    ask: Ask,
    out: Path,
    progress: Progress,
) -> VersionChange | None:
    if ask.against is None:
        return None
    files = PackageFiles(ask.against)
    before = load(files).spec
    folder = folder_of(out, roster.cases, before)
    _gather(roster, files, before, folder, ask, progress)
    both = pairing(observed, read_columns(folder, roster.cases), spec, before)
    other = None if ask.reference is None else read_reference_before(ask.reference, before)
    where = folder.relative_to(out).as_posix()
    return version_change(both, strata, (reference, other), observations_before=where)


def _gather(roster: Roster, files: PackageFiles, spec: EngineSpec, folder: Path, ask: Ask, progress: Progress) -> None:
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress("reading", done, len(roster.cases))

    gather(roster.cases, files, spec, folder, crew=ask.crew, progress=step)


def _stress(observed: Observed, engine: Engine, ask: Ask, progress: Progress) -> tuple[Stress, ...]:
    if not ask.stress:
        return ()
    at = np.sort(np.random.default_rng(7).permutation(len(observed))[: ask.stress])
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress("small changes", done, len(at))

    cases, groups = [observed.cases[i] for i in at], observed.groups[at].tolist()
    return stress(cases, groups, engine, resamples=ask.resamples, progress=step)


def _all_findings(spec: EngineSpec) -> list[tuple[str, str, float]]:
    """Key, display and threshold of trained and derived findings, in the order of the columns."""
    trained = [(f.key, f.display, f.threshold) for f in spec.findings]
    return trained + [(d.key, d.display, d.threshold) for d in spec.derived]


def _findings(observed: Observed, spec: EngineSpec, ask: Ask, progress: Progress) -> Iterator[Performance]:
    every = _all_findings(spec)
    for k, (key, display, threshold) in enumerate(every):
        progress("figures", k + 1, len(every))
        labels = observed.labels(key)
        if np.isnan(labels).all():
            continue
        yield performance(
            key,
            display,
            observed.arrays["chances"][:, k],
            observed.arrays["words"][:, k],
            labels,
            observed.groups,
            threshold=threshold,
            prevalence=ask.prevalence,
            resamples=ask.resamples,
        )


def _subgroups(observed: Observed, spec: EngineSpec, strata: Sequence[Stratum]) -> list[GroupFigures]:
    rows: list[GroupFigures] = []
    for k, (key, _, threshold) in enumerate(_all_findings(spec)):
        labels = observed.labels(key)
        if not np.isnan(labels).all():
            rows += subgroups(
                key, observed.arrays["chances"][:, k], labels, observed.groups, strata, threshold=threshold
            )
    return with_rates(rows)


def cohort_of(roster: Roster, observed: Observed) -> Cohort:
    """What was measured and what was not, with remarks in words."""
    flags = Counter(flag for said in observed.flags for flag in said)
    names = dict.fromkeys(name for one in observed.strata for name in one)
    missing = {
        name: rate(np.array([one.get(name, NOT_STATED) == NOT_STATED for one in observed.strata])) for name in names
    }
    return Cohort(
        offered=len(roster.cases),
        read=len(observed),
        patients=len(set(observed.groups)),
        patients_known=observed.patients_known,
        refused=observed.refused,
        left_out=roster.left_out,
        studies_left_out=roster.studies_left_out,
        refused_at_run_time=flags.pop("refused_at_run_time", 0),
        flags=dict(flags.most_common()),
        twice=observed.twice[:NAMED],
        twice_count=len(observed.twice),
        unmatched=roster.unmatched,
        unmatched_count=roster.unmatched_count,
        without_truth=roster.without_truth,
        bodiless=int((observed.arrays["has_frame"] == 0).sum()),
        missing=missing,
        remarks=tuple(_remarks(roster, observed)),
    )


def _remarks(roster: Roster, observed: Observed) -> Iterator[str]:
    refused, offered = sum(observed.refused.values()), len(roster.cases)
    if refused > MANY_REFUSED * offered:
        yield f"{refused} of {offered} images were refused: every figure is of the others only"
    unknown = len(observed) - observed.patients_known
    if unknown:
        yield f"the patient of {unknown} images is not known: each counts as one, intervals may be too narrow"
    if roster.unmatched_count:
        yield f"{roster.unmatched_count} rows of truth name no image that is here"
    if observed.twice:
        yield f"{len(observed.twice)} images have the content of another one and are counted once"
    if observed.two_patients:
        named = ", ".join(f"{a} and {b}" for a, b in observed.two_patients[:NAMED])
        yield f"{len(observed.two_patients)} images stand under two patients, so groups may be wrong: {named}"
    yield from roster.notes
    if roster.without_truth:
        yield f"{roster.without_truth} images carry no truth: they count in the atlas, not in performance"
