"""Two results of one patient and one engine: what is new, increased, unchanged, decreased or resolved. Pure.

The caller answers for it that both results are of the same patient and the same body part. The function compares
numbers of the network. It does not measure a lesion, and it says no more than the numbers say.

| Before | Now | Change |
|---|---|---|
| negative | negative | absent |
| negative | positive | new |
| positive | negative | resolved |
| positive | positive | increased, unchanged or decreased by the margins; not comparable where the figures contradict |
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radiolucent.judge.frames import overlap, peak_distance, picture_frame
from radiolucent.records.comparison import (
    Change,
    Comparison,
    Figures,
    FindingChange,
    FindingReading,
    Frame,
    Margins,
    Reading,
    Registration,
)
from radiolucent.records.image import ImageFacts

MEASURED = Margins(area=1.43, evidence=1.91, logit=0.31, measured_on="brain-mri-tumor 0.2.0")
"""95th percentile of the absolute change when a picture is shifted, turned, scaled or changed in gamma a little
(`python -m training change`, docs/compare.md). A real second picture differs by more."""

SCALE_LIMIT = 1.5
"""Greatest ratio of the frame's size in its picture. The network sees the picture fitted into a fixed square, so a body
that is half as large again there is read at another resolution."""

SHAPE_LIMIT = 1.35
"""Greatest ratio of the two axes' scales: a frame of another shape is another projection, level or position."""

FAR = 0.15
"""Peaks further apart than this share of the frame's diagonal, without overlap, are told as another place."""

WITHIN_NOISE = "unchanged means no change beyond the noise; most true growth in our test stayed within it"
"""Patients at two dates, docs/compare.md: the word must not be read as proof that nothing grew."""

FRONTAL = frozenset({"PA", "AP"})
RADIOGRAPHS = frozenset({"CR", "DX"})


@dataclass(frozen=True, slots=True)
class _Verdict:
    change: Change
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


def compare(prior: Reading, current: Reading, *, margins: Margins = MEASURED) -> Comparison:
    """Compare two readings of one patient, finding by finding.

    Parameters
    ----------
    prior, current
        The earlier and the later reading. Swapping them swaps new and resolved, increased and decreased.
    margins
        Changes up to these are noise.

    Returns
    -------
    Comparison
        With ``comparable`` false and the reasons where the two cannot be compared at all.
    """
    cautions = [*_facts_cautions(prior.facts, current.facts), *dict.fromkeys((*prior.notes, *current.notes))]
    reasons = [
        *_refusals(prior, current),
        *_engine_reasons(prior, current),
        *_facts_reasons(prior.facts, current.facts),
    ]
    frames = None if reasons else _frames(prior, current, reasons, cautions)
    engine = current.engine
    if reasons or frames is None or engine is None:
        return _outcome(prior, current, None, margins, (), reasons, cautions, comparable=False)
    if margins.measured_on != f"{engine.id} {engine.version}":
        cautions.append(f"the noise margins were measured on {margins.measured_on}, not on this engine")
    before = {f.key: f for f in prior.findings}
    changes = tuple(_finding(before[f.key], f, frames, margins=margins) for f in current.findings if f.key in before)
    said = [f"laid on one another by {_BY[frames[0].kind]}"]
    return _outcome(prior, current, _registration(*frames), margins, changes, said, cautions, comparable=True)


_BY = {
    "anatomy": "the regions that the engine drew",
    "foreground": "the bright foreground of the picture",
    "picture": "the picture's frame alone: how the body lies in it was not seen",
}


def _outcome(
    prior: Reading,
    current: Reading,
    registration: Registration | None,
    margins: Margins,
    changes: tuple[FindingChange, ...],
    reasons: list[str],
    cautions: list[str],
    *,
    comparable: bool,
) -> Comparison:
    return Comparison(
        comparable=comparable,
        prior=prior.facts,
        current=current.facts,
        engine=current.engine if comparable else None,
        registration=registration,
        margins=margins,
        changes=changes,
        reasons=tuple(reasons),
        cautions=tuple(cautions),
    )


def _refusals(prior: Reading, current: Reading) -> list[str]:
    named = (("prior", prior), ("current", current))
    return [f"the {which} image was refused ({r.refusal})" for which, r in named if r.refusal is not None]


def _engine_reasons(prior: Reading, current: Reading) -> list[str]:
    first, second = prior.engine, current.engine
    if first is None or second is None:
        return [] if prior.refusal or current.refusal else ["no engine is named in one of the results"]
    if (first.id, first.version) != (second.id, second.version):
        return [f"read by different engines: {first.id} {first.version}, then {second.id} {second.version}"]
    if first.sha256 != second.sha256:
        return [f"read by different graphs of {first.id} {first.version}: their hashes differ"]
    return []


def _facts_reasons(prior: ImageFacts, current: ImageFacts) -> list[str]:
    """What the headers say against any comparison."""
    said = []
    views = {prior.view, current.view} - {None}
    if len(views) == 2 and not views <= FRONTAL:
        said.append(f"different views: {prior.view}, then {current.view}")
    modalities = {prior.modality, current.modality} - {None}
    if len(modalities) == 2 and not modalities <= RADIOGRAPHS:
        said.append(f"different modalities: {prior.modality}, then {current.modality}")
    sides = {prior.laterality, current.laterality} - {None}
    if len(sides) == 2:
        said.append(f"different sides of the body: {prior.laterality}, then {current.laterality}")
    if len({prior.patient_left_at, current.patient_left_at} - {None}) == 2:
        said.append("one picture is the other's mirror image: the patient's left lies at different sides")
    return said


def _facts_cautions(prior: ImageFacts, current: ImageFacts) -> list[str]:
    said = []
    if {prior.view, current.view} == FRONTAL:
        said.append("one film is PA and one AP: AP magnifies the heart and the mediastinum and changes the lungs")
    elif prior.view != current.view and None in {prior.view, current.view}:
        said.append("the view is stated for one image only")
    if prior.body_part != current.body_part:
        said.append(f"the body part is given differently: {prior.body_part}, then {current.body_part}")
    if prior.source_sha256 == current.source_sha256 and prior.frame_number == current.frame_number:
        said.append("both results are of the very same file")
    return said


def _frames(prior: Reading, current: Reading, reasons: list[str], cautions: list[str]) -> tuple[Frame, Frame] | None:
    """The two frames to register by; adds to ``reasons`` where there are none that fit."""
    first, second = prior.frame, current.frame
    if first is None or second is None:
        which = "both images" if first is second else "the prior image" if first is None else "the current image"
        reasons.append(f"the body was not found in {which}")
        return None
    shapes = [(r.facts.rows, r.facts.columns) for r in (prior, current)]
    if first.kind != second.kind:
        cautions.append(
            f"the body was found in different ways ({first.kind}, {second.kind}): the picture's frame is used"
        )
        first, second = picture_frame(shapes[0]), picture_frame(shapes[1])
    sizes = [f.side / max(shape) for f, shape in zip((first, second), shapes, strict=True)]
    ratio = sizes[1] / sizes[0]
    if max(ratio, 1 / ratio) > SCALE_LIMIT:
        reasons.append(
            f"the body fills the picture differently: {sizes[0]:.2f}, then {sizes[1]:.2f} of its longer side "
            f"(limit: a factor of {SCALE_LIMIT:g})"
        )
        return None
    scale = _registration(first, second)
    bend = scale.row_scale / scale.column_scale
    if max(bend, 1 / bend) > SHAPE_LIMIT:
        reasons.append(
            f"the frames differ in shape: rows by {scale.row_scale:.2f}, columns by {scale.column_scale:.2f} "
            f"(limit: a factor of {SHAPE_LIMIT:g} between them)"
        )
        return None
    return first, second


def _registration(first: Frame, second: Frame) -> Registration:
    row, column = (b / a for a, b in zip(first.spread, second.spread, strict=True))
    return Registration(by=second.kind, row_scale=row, column_scale=column)


def _finding(
    before: FindingReading, now: FindingReading, frames: tuple[Frame, Frame], *, margins: Margins
) -> FindingChange:
    figures, cautions = _figures(before, now, frames)
    verdict = _verdict(before, now, figures, margins)
    return FindingChange(
        key=now.key,
        display=now.display,
        change=verdict.change,
        prior_probability=before.probability,
        current_probability=now.probability,
        prior_positive=before.positive,
        current_positive=now.positive,
        figures=figures,
        reasons=verdict.reasons,
        cautions=(*verdict.cautions, *cautions) if before.positive or now.positive else verdict.cautions,
    )


def _figures(
    before: FindingReading, now: FindingReading, frames: tuple[Frame, Frame]
) -> tuple[Figures, tuple[str, ...]]:
    """The numbers, and why some of them are missing or weak."""
    change = now.logit - before.logit
    if before.map is None or now.map is None:
        return Figures(logit_change=change), ("without a map at both dates: judged by the score alone",)
    evidence = [_evidence(f.map, frame) for f, frame in zip((before, now), frames, strict=True) if f.map is not None]
    figures = Figures(logit_change=change, prior_evidence=evidence[0], current_evidence=evidence[1])
    if not now.is_localisable:
        return figures, ("a diffuse finding: its map is not a location, so area and place are left out",)
    if now.map_status == "not_validated":
        return figures, ("its map pointed no better than a position prior on test: area and place are left out",)
    if before.region is None or now.region is None or min(before.map.max(), now.map.max()) <= 0:
        return figures, ("no place speaks for it at one of the dates: area and place are left out",)
    areas = [float(r.sum()) / frame.area for r, frame in zip((before.region, now.region), frames, strict=True)]
    peaks = [_peak(f.map) for f in (before, now) if f.map is not None]
    figures = Figures(
        logit_change=change,
        prior_evidence=evidence[0],
        current_evidence=evidence[1],
        prior_area=areas[0],
        current_area=areas[1],
        overlap=overlap(before.region, now.region, frames),
        peak_distance=peak_distance(peaks[0], peaks[1], frames),
    )
    return figures, _place(figures) if before.positive and now.positive else ()


def _place(figures: Figures) -> tuple[str, ...]:
    if figures.overlap or figures.peak_distance is None or figures.peak_distance <= FAR:
        return ()
    return (
        f"another place: the regions do not overlap and the peaks lie {figures.peak_distance:.0%} of the frame's "
        "diagonal apart. It may be another lesion",
    )


def _evidence(map_: np.ndarray, frame: Frame) -> float:
    return float(np.maximum(map_, 0.0).sum(dtype=np.float64)) / frame.area


def _peak(map_: np.ndarray) -> tuple[float, float]:
    row, column = np.unravel_index(int(map_.argmax()), map_.shape)
    return float(row) + 0.5, float(column) + 0.5


def _verdict(before: FindingReading, now: FindingReading, figures: Figures, margins: Margins) -> _Verdict:
    words = f"probability {before.probability:.2f}, then {now.probability:.2f}"
    score = f"score {figures.logit_change:+.2f} logits (margin {margins.logit:.2f})"
    if not before.positive and not now.positive:
        return _Verdict("absent", (f"below its threshold at both dates: {words}",))
    if before.positive != now.positive:
        change: Change = "new" if now.positive else "resolved"
        crossed = "negative before, positive now" if now.positive else "positive before, negative now"
        within = abs(figures.logit_change) <= margins.logit
        caution = ("it crossed its threshold by a change within the noise of the score",) if within else ()
        return _Verdict(change, (f"{crossed}: {words}", score), caution)
    votes = {"score": _sign(figures.logit_change, margins.logit)}
    reasons = [f"positive at both dates: {words}", score]
    for name, first, second, margin in (
        ("area of the region", figures.prior_area, figures.current_area, margins.area),
        ("positive evidence", figures.prior_evidence, figures.current_evidence, margins.evidence),
    ):
        if first is not None and second is not None and min(first, second) > 0:
            votes[name] = _sign(math.log(second / first), math.log(margin))
            reasons.append(f"{name} relative to the frame {_numbers(first, second)} (margin: a factor of {margin:.2f})")
    if figures.overlap is not None and figures.peak_distance is not None:
        reasons.append(
            f"the regions overlap by {figures.overlap:.2f} (Dice), "
            f"the peaks lie {figures.peak_distance:.0%} of the frame's diagonal apart"
        )
    return _weigh(votes, reasons)


def _weigh(votes: dict[str, int], reasons: list[str]) -> _Verdict:
    """One figure beyond its margin is enough, if no other contradicts it."""
    up, down = ([name for name, vote in votes.items() if vote == sign] for sign in (1, -1))
    if up and down:
        said = f"the figures contradict one another: {' and '.join(up)} up, {' and '.join(down)} down"
        return _Verdict("not_comparable", (*reasons, said))
    if up:
        return _Verdict("increased", (*reasons, f"beyond the margin: {' and '.join(up)}"))
    if down:
        return _Verdict("decreased", (*reasons, f"beyond the margin: {' and '.join(down)}"))
    return _Verdict("unchanged", (*reasons, "every change is within its margin"), (WITHIN_NOISE,))


def _sign(value: float, margin: float) -> int:
    return 0 if abs(value) <= margin else 1 if value > 0 else -1


def _numbers(first: float, second: float) -> str:
    return f"{first:.3g}, then {second:.3g}: times {second / first:.2f}"
