"""Evaluate an engine package on a truth table: choose on validation, measure on test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.evaluation import DerivedFigures, Evaluation, FindingFigures, Request
from radiolucent.cohort.faithfulness import Faithfulness, choose_probes, faithfulness
from radiolucent.cohort.figures import (
    Brightness,
    Choice,
    Scores,
    brightness_auc,
    choose,
    chosen_spec,
    scores,
    slices,
)
from radiolucent.cohort.kinds import KindFigures, kinds
from radiolucent.cohort.measure import NAN, Floats, Indices, Interval, auc, bootstrap, mean, sigmoid
from radiolucent.cohort.needs import need
from radiolucent.cohort.places import (
    NO_PLACES,
    AnatomyFigures,
    AnatomyRow,
    PlaceFigures,
    anatomy_rows,
    mean_place,
    measure_anatomy,
    measure_places,
    summarise_anatomy,
    summarise_places,
)
from radiolucent.cohort.randomise import Randomisation, randomisation
from radiolucent.cohort.reading import Reading, groups_of, judged, labels_of, logits_of, read
from radiolucent.cohort.speed import speed
from radiolucent.cohort.trust import TrustFigures, calls, summarise_calls
from radiolucent.cohort.truth import Case, read_truth, wrong
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError
from radiolucent.explain.explain import completeness_error
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import Finding

PRIORS, BRIGHTNESS = "priors.npz", "brightness.npz"
MACRO_POSITIVES = 20
Progress = Callable[[str, int, int], None]


def evaluate(
    files: PackageFiles, request: Request, *, progress: Progress = lambda _what, _done, _all: None
) -> Evaluation:
    """Measure a package on a truth table; nothing is written.

    Parameters
    ----------
    progress
        Told what is being done, how much is done, and of how much.

    Raises
    ------
    SettingsError
        ``truth_table``, ``truth_image``, ``evaluate_option`` or ``validate_extra``.
    EngineError
        A package that fails its load checks.
    """
    need("sklearn")
    if request.faithfulness:
        need("onnx")
    _check(request)
    engine = load(files)
    cases = read_truth(request.truth, spec=engine.spec, boxes=request.boxes)
    parts = {part: [c for c in cases if c.part == part] for part in ("val", "test")}
    readings = {part: _read(some, engine, part, progress) for part, some in parts.items()}
    choices = [choose(readings["val"], k, engine.spec) for k in range(len(engine.spec.findings))]
    work = _Work(
        engine=replace(engine, spec=chosen_spec(engine.spec, choices, parts["test"])),
        graph=files.read("model.onnx"),
        choices=choices,
        val=readings["val"],
        test=readings["test"],
        request=request,
        progress=progress,
    )
    got = work.results()
    return Evaluation(
        engine=engine.spec.id,
        version=engine.spec.version,
        sha256=engine.spec.sha256,
        truth_sha256=hashlib.sha256(request.truth.read_bytes()).hexdigest(),
        parts={part: (len(some), len({c.group for c in some})) for part, some in parts.items()},
        resamples=request.resamples,
        completeness_error=_completeness(readings["test"], engine.spec),
        refused_by_guards=sum(r.refused for r in readings["test"]),
        findings=got.findings,
        derived=got.derived,
        trust=got.trust,
        faithfulness=got.faithfulness,
        randomisation=got.randomisation,
        macro_auc=got.macro_auc,
        macro_findings=len(work.common),
        anatomy=got.anatomy,
        kinds=got.kinds,
        speed=speed(work.graph, engine.spec) if request.faithfulness else None,
    )


def _check(request: Request) -> None:
    chance = request.prevalence
    if request.resamples < 1 or request.faithfulness < 0 or (chance is not None and not 0 < chance < 1):
        raise SettingsError(
            "evaluate_option",
            found=f"resamples {request.resamples}, faithfulness {request.faithfulness}, prevalence {chance}",
            expected="at least 1 resample, no negative number, and a prevalence between 0 and 1",
            action="See `radiolucent engines evaluate --help`.",
        )


def _read(cases: Sequence[Case], engine: Engine, part: str, progress: Progress) -> list[Reading]:
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress(f"reading {part}", done, len(cases))

    return read(cases, engine, progress=step)


def _completeness(readings: Sequence[Reading], spec: EngineSpec) -> float:
    pairs = ((r, k) for r in readings for k in range(len(spec.findings)))
    return max(completeness_error(r.inference, k, spec.findings[k].bias) for r, k in pairs)


def _arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays by name; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name], dtype=np.float32) for name in archive.files}
    except (OSError, ValueError) as error:
        wrong(path.name, f"a file that cannot be read ({type(error).__name__})", "numbers by name (numpy .npz)")


def read_brightness(path: Path) -> Brightness | None:
    """The brightness of the training part: arrays ``brightness [N, 2]`` and ``label:<key> [N]``."""
    arrays = _arrays(path)
    if "brightness" not in arrays:
        return None
    labels = {name.removeprefix("label:"): a.astype(np.float64) for name, a in arrays.items() if name != "brightness"}
    return Brightness(brightness=arrays["brightness"].astype(np.float64), labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Results:
    findings: tuple[FindingFigures, ...]
    derived: tuple[DerivedFigures, ...]
    trust: TrustFigures
    faithfulness: Faithfulness | None
    randomisation: tuple[Randomisation, ...]
    macro_auc: Interval
    anatomy: dict[str, AnatomyFigures]
    kinds: tuple[KindFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Both parts, read by the engine as validation chose it."""

    engine: Engine
    graph: bytes
    choices: Sequence[Choice]
    val: Sequence[Reading]
    test: Sequence[Reading]
    request: Request
    progress: Progress

    def results(self) -> _Results:
        """Every figure, in the order in which one needs the other: places, the gate, scores, words."""
        places = self._places()
        train = read_brightness(self.request.truth.parent / BRIGHTNESS)
        scored = []
        for k in range(len(places)):
            scored.append(self._scores(k, train))
            self.progress("figures", k + 1, len(places))
        gated = tuple(
            replace(f, map_status=p.map_status, evidence_level=s.evidence_level)
            for f, p, s in zip(self.engine.spec.findings, places, scored, strict=True)
        )
        spec = replace(self.engine.spec, findings=gated)
        found = []
        for reading in self.test:
            found.append(judged(reading, spec))
            self.progress("judging test", len(found), len(self.test))
        findings = [self._finding(k, spec, places[k], scored[k], found) for k in range(len(spec.findings))]
        every = [c for f in spec.findings for c in calls(self.test, found, f.key)]
        found_faithful, found_random = self._faithful()
        return _Results(
            findings=tuple(findings),
            derived=tuple(self._derived(spec, found)),
            trust=summarise_calls(every, resamples=self.request.resamples),
            faithfulness=found_faithful,
            randomisation=found_random,
            macro_auc=self._macro(),
            anatomy=self._anatomy(spec),
            kinds=kinds(
                self.test,
                {f.key: self._chance(k) for k, f in enumerate(spec.findings)},
                spec,
                resamples=self.request.resamples,
            ),
        )

    @property
    def common(self) -> list[int]:
        """Trained findings with enough test positives to count in the mean AUC."""
        keys = [f.key for f in self.engine.spec.findings]
        return [k for k, key in enumerate(keys) if (labels_of(self.test, key) == 1).sum() >= MACRO_POSITIVES]

    def _macro(self) -> Interval:
        chances = [self._chance(k) for k in self.common]
        labels = [labels_of(self.test, self.engine.spec.findings[k].key) for k in self.common]

        def of(i: Indices) -> float:
            known = [(c[i], y[i]) for c, y in zip(chances, labels, strict=True)]
            return mean(np.array([auc(c[~np.isnan(y)], y[~np.isnan(y)]) for c, y in known]))

        return bootstrap(groups_of(self.test), of, resamples=self.request.resamples)

    def _anatomy(self, spec: EngineSpec) -> dict[str, AnatomyFigures]:
        by_words: dict[str, list[AnatomyRow]] = {}
        for k, finding in enumerate(spec.findings):
            if finding.expected_regions:
                rows = by_words.setdefault(" or ".join(finding.expected_regions), [])
                rows.extend(anatomy_rows(self.test, k, spec))
        return {words: summarise_anatomy(rows, resamples=self.request.resamples) for words, rows in by_words.items()}

    def _places(self) -> list[PlaceFigures]:
        priors, spec = _arrays(self.request.truth.parent / PRIORS), self.engine.spec
        out = []
        for k, finding in enumerate(spec.findings):
            known = finding.is_localisable and finding.display_class != "notify-only"
            if not known or not any(r.case.has_place(finding.key) for r in self.test):
                out.append(NO_PLACES)
                continue
            prior, source = priors.get(finding.key), "training"
            if prior is None:
                prior, source = mean_place(self.val, finding.key), "validation"
            places = list(measure_places(self.test, k, spec=spec, prior=prior))
            origin = None if prior is None else source
            out.append(summarise_places(places, prior_from=origin, resamples=self.request.resamples))
            self.progress("places", k + 1, len(spec.findings))
        return out

    def _chance(self, k: int) -> Floats:
        slope, intercept = self.choices[k].calibration
        return sigmoid(slope * logits_of(self.test, k) + intercept)

    def _scores(self, k: int, train: Brightness | None) -> Scores:
        key, choice = self.engine.spec.findings[k].key, self.choices[k]
        return scores(
            self._chance(k),
            labels_of(self.test, key),
            groups_of(self.test),
            points=choice.points,
            sets=choice.sets,
            prevalence=self.request.prevalence,
            brightness_auc=brightness_auc(train, self.test, key),
            resamples=self.request.resamples,
        )

    def _finding(
        self,
        k: int,
        spec: EngineSpec,
        places: PlaceFigures,
        scored: Scores,
        found: Sequence[Mapping[str, Finding]],
    ) -> FindingFigures:
        key, choice, resamples = spec.findings[k].key, self.choices[k], self.request.resamples
        return FindingFigures(
            key=key,
            choice=choice,
            scores=scored,
            places=places,
            anatomy=measure_anatomy(self.test, k, spec=spec, resamples=resamples),
            trust=summarise_calls(list(calls(self.test, found, key)), resamples=resamples),
            slices=slices(self.test, self._chance(k), key, threshold=choice.points[0][1], resamples=resamples),
        )

    def _derived(self, spec: EngineSpec, found: Sequence[Mapping[str, Finding]]) -> list[DerivedFigures]:
        out = []
        for rule in spec.derived:
            labels = labels_of(self.test, rule.key)
            if np.isnan(labels).all() or any(rule.key not in judged for judged in found):
                continue
            out.append(
                DerivedFigures(
                    key=rule.key,
                    scores=scores(
                        np.array([judged[rule.key].probability for judged in found]),
                        labels,
                        groups_of(self.test),
                        points=(("balanced", rule.threshold),),
                        sets=None,
                        prevalence=self.request.prevalence,
                        brightness_auc=NAN,
                        resamples=self.request.resamples,
                    ),
                    trust=summarise_calls(list(calls(self.test, found, rule.key)), resamples=self.request.resamples),
                )
            )
        return out

    def _faithful(self) -> tuple[Faithfulness | None, tuple[Randomisation, ...]]:
        most, resamples = self.request.faithfulness, self.request.resamples
        probes = choose_probes(self.test, self.engine, most=most) if most else []
        if not probes:
            return None, ()
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            self.progress("faithfulness", done, len(probes))

        found = faithfulness(probes, self.engine, resamples=resamples, progress=step)
        return found, randomisation(probes, self.engine, self.graph, resamples=resamples)
