"""What is kept of one image of a cohort: scores, words, where the evidence lies in the body's own frame, its strata.

Pixels are not kept, and of the evidence only a small map laid onto a frame that all bodies share: the centre and
spread of the drawn anatomy, or of the bright foreground where an engine draws none (`judge.frames`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from radiolucent.cohort.reading import Reading, judged, population_flags
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.roster import patient_digest
from radiolucent.cohort.validation.strata import PLAIN, ROUNDED, WORDED, age_of, strata
from radiolucent.explain.anatomy import Drawn, crop_to_source, shares_inside
from radiolucent.explain.foreign import foreign_objects
from radiolucent.judge.frames import anatomy_frame, foreground_frame
from radiolucent.judge.guards import content_guards, population_guards
from radiolucent.prepare.element import text
from radiolucent.records.comparison import Frame
from radiolucent.records.engine import EngineSpec
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import DecodedFrame, Inference, ModelInput

GRID, REACH = 24, 2.4
"""The common map: so many cells on each side, so many spreads from the centre of the body in each direction."""
MARGIN = 0.08
"""The outermost share of the picture on each side."""
CORNER = 0.12
"""Side of a corner, as a share of the picture's."""
WORDS = ("low", "moderate", "high")
NOT_CALLED = -1
SLICES = frozenset({"CT", "MR"})
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One image that was read.

    Parameters
    ----------
    group
        Patient: as the table says, else a digest of the header's patient identifier; blank where neither is known.
    chances, words
        ``[K + D]`` calibrated probability, and index in ``WORDS`` where the product calls the finding
        (``NOT_CALLED`` otherwise), of trained and then derived findings.
    shares, margins
        ``[K]`` share of a finding's positive evidence in its expected region (``nan``: no such region drawn), and in
        the margin of the picture.
    on_markers
        ``[K]`` share of a finding's positive evidence in cells of its map that hold a letter, a marker or a piece of
        metal, less the share of the picture that these cells take: 0 is what chance gives. ``nan`` for slices, where
        bone itself is thin and bright.
    evidence
        ``[K]`` sum of positive evidence, in logits.
    corners
        ``[12]`` mean, deviation and 99th percentile of each corner of the picture: where markers and letters stand.
    peaks
        ``[K, 2]`` row and column of the map's peak, as shares of the picture.
    maps
        ``[K, GRID, GRID]`` positive evidence in the common frame, each summing to 1; all 0 where there was no frame
        or no positive evidence inside it.
    body
        ``[GRID, GRID]`` the drawn regions together, in the common frame; all 0 where none were drawn.
    has_frame
        Whether the body was found in the picture.
    flags
        Codes of guards on population and content; ``refused_at_run_time`` is among them where the product would not
        have read the image.
    """

    row: int
    group: str
    sha256: str
    strata: Mapping[str, str]
    age_years: float
    flags: tuple[str, ...]
    has_frame: bool
    novelty: float
    brightness: tuple[float, float]
    corners: Floats
    logits: Floats
    chances: Floats
    words: NDArray[np.int8]
    embedding: Floats
    shares: Floats
    margins: Floats
    on_markers: Floats
    evidence: Floats
    peaks: Floats
    maps: Floats
    body: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One image that was not read, and the code of the refusal."""

    row: int
    code: str


def observe(
    case: Case, frame: DecodedFrame, header: Dataset | None, made: ModelInput, inference: Inference, spec: EngineSpec
) -> Observation:
    """What is kept of one image that was read."""
    said = {} if header is None else {keyword: text(header, keyword) for keyword in _keywords()}
    body = _frame(frame, inference, made.geometry, spec)
    age = age_of(case, frame.facts)
    positive = np.maximum(inference.evidence, 0.0)
    drawn = Drawn(inference, spec)
    chances, words = _judged(case, frame, made, inference, spec, drawn)
    return Observation(
        row=case.row,
        group=case.group or ("" if header is None else _patient(header)),
        sha256=frame.facts.source_sha256,
        strata=strata(case, frame.facts, said),
        age_years=float("nan") if age is None else age,
        flags=_flags(frame, inference, spec),
        has_frame=body is not None,
        novelty=float("nan") if inference.novelty is None else inference.novelty,
        brightness=(float(made.array.mean()), float(made.array.std())),
        corners=_corners(frame.display),
        logits=inference.logits,
        chances=chances,
        words=words,
        embedding=inference.embedding,
        shares=_shares(inference, spec, drawn),
        margins=_in_margin(positive, made.geometry),
        on_markers=_on_markers(positive, frame.display, made.geometry, spec),
        evidence=positive.sum(axis=(1, 2)),
        peaks=_peaks(inference.evidence, made.geometry),
        maps=_each_to_one(in_common_frame(positive, made.geometry, body)),
        body=_body(inference, made.geometry, body),
    )


def _keywords() -> tuple[str, ...]:
    return (*PLAIN.values(), *(keyword for keyword, _ in ROUNDED.values()), *WORDED)


def _patient(header: Dataset) -> str:
    return patient_digest(text(header, "PatientID") or "", text(header, "IssuerOfPatientID") or "")


def _judged(
    case: Case, frame: DecodedFrame, made: ModelInput, inference: Inference, spec: EngineSpec, drawn: Drawn
) -> tuple[Floats, NDArray[np.int8]]:
    content = content_guards(inference, spec)
    reading = Reading(
        case=case,
        facts=frame.facts,
        geometry=made.geometry,
        inference=inference,
        brightness=(0.0, 0.0),
        flags=(*population_flags(frame.facts, spec), *content.flags),
        refused=bool(content.refusals),
    )
    found = judged(reading, spec, frame=frame, drawn=drawn)
    ordered = [found[key] for key in (*(f.key for f in spec.findings), *(d.key for d in spec.derived))]
    words = [WORDS.index(f.confidence) if f.positive else NOT_CALLED for f in ordered]
    return np.array([f.probability for f in ordered], dtype=np.float32), np.array(words, dtype=np.int8)


def _flags(frame: DecodedFrame, inference: Inference, spec: EngineSpec) -> tuple[str, ...]:
    content = content_guards(inference, spec)
    outside = () if frame.facts.sop_instance_uid is None else population_guards(frame.facts, spec)
    refused = ("refused_at_run_time",) if content.refusals or outside else ()
    return (*population_flags(frame.facts, spec), *content.flags, *refused)


def _frame(frame: DecodedFrame, inference: Inference, geometry: Geometry, spec: EngineSpec) -> Frame | None:
    if inference.anatomy is None or spec.anatomy is None:
        return foreground_frame(frame.display)
    return anatomy_frame(crop_to_source(inference.anatomy, geometry), geometry.source_shape)


def _corners(display: Floats) -> Floats:
    rows, columns = (max(1, round(CORNER * side)) for side in display.shape)
    parts = [
        display[row, column]
        for row in (slice(None, rows), slice(-rows, None))
        for column in (slice(None, columns), slice(-columns, None))
    ]
    bright = np.percentile([part.ravel() for part in parts], 99, axis=1)
    return np.array([[p.mean(), p.std(), top] for p, top in zip(parts, bright, strict=True)], dtype=np.float32).ravel()


def _shares(inference: Inference, spec: EngineSpec, drawn: Drawn) -> Floats:
    out = np.full(len(spec.findings), np.nan, dtype=np.float32)
    for words in {f.expected_regions for f in spec.findings}:
        cover = drawn.expected_cover(words)
        if cover is not None:
            of = np.array([f.expected_regions == words for f in spec.findings])
            out[of] = shares_inside(inference.evidence[of], cover)
    return out


def _peaks(evidence: Floats, geometry: Geometry) -> Floats:
    """Peak cells as shares of the source picture: a map between cells never rises over them; padding is no place."""
    rows, columns = _cells((evidence.shape[1], evidence.shape[2]), geometry)
    inside = (rows >= 0) & (rows <= 1) & (columns >= 0) & (columns <= 1)
    at = np.where(inside, evidence, -np.inf).reshape(len(evidence), -1).argmax(axis=1)
    return np.stack([rows.ravel()[at], columns.ravel()[at]], axis=1).astype(np.float32)


def _cells(shape: tuple[int, int], geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of the centres of a grid of ``shape`` over the model's square, as shares of the source picture."""
    sides = np.array(geometry.model_shape) / np.array(shape)
    at = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1) * sides
    shares = geometry.to_source(at) / np.array(geometry.source_shape)
    return shares[..., 0], shares[..., 1]


def _in_margin(positive: Floats, geometry: Geometry) -> Floats:
    """``[K]`` share of positive evidence in the margin of the picture; ``nan`` where none is positive."""
    rows, columns = _cells((positive.shape[1], positive.shape[2]), geometry)
    inner = (np.abs(rows - 0.5) < 0.5 - MARGIN) & (np.abs(columns - 0.5) < 0.5 - MARGIN)
    total = positive.sum(axis=(1, 2))
    outer = (positive * ~inner).sum(axis=(1, 2))
    return np.where(total > 0, outer / np.where(total > 0, total, 1.0), np.nan).astype(np.float32)


def _on_markers(positive: Floats, display: Floats, geometry: Geometry, spec: EngineSpec) -> Floats:
    """``[K]`` as `Observation` says; ``nan`` where no evidence is positive."""
    if not SLICES.isdisjoint(spec.population.modalities):
        return np.full(len(positive), np.nan, dtype=np.float32)
    things, step = foreign_objects(np.rint(display * np.float32(255.0)).astype(np.uint8))
    shape = np.array(positive.shape[1:])
    touched = np.zeros(shape, dtype=bool)
    middles = (np.argwhere(things).astype(np.float64) + 0.5) * step
    at = geometry.to_model(middles) * (shape / np.array(geometry.model_shape))
    touched[tuple(np.clip(at.astype(np.intp), 0, shape - 1).T)] = True
    rows, columns = _cells((positive.shape[1], positive.shape[2]), geometry)
    picture = (rows >= 0) & (rows <= 1) & (columns >= 0) & (columns <= 1)
    area = (touched & picture).sum() / max(1, picture.sum())
    total = positive.sum(axis=(1, 2))
    share = positive[:, touched].sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, share - area, np.nan).astype(np.float32)


def in_common_frame(values: Floats, geometry: Geometry, body: Frame | None) -> Floats:
    """``[K, GRID, GRID]``: maps ``[K, h, w]`` over the model's square in the body's frame; 0 off the picture."""
    if body is None:
        return np.zeros((len(values), GRID, GRID), dtype=np.float32)
    steps = ((np.arange(GRID) + 0.5) / GRID * 2 - 1) * REACH
    rows, columns = (centre + steps * spread for centre, spread in zip(body.centre, body.spread, strict=True))
    points = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    cells = np.array(values.shape[1:]) / np.array(geometry.model_shape)
    at = np.clip(geometry.to_model(points) * cells - 0.5, 0.0, np.array(values.shape[1:]) - 1.0)
    inside = ((points >= 0) & (points <= np.array(geometry.source_shape))).all(axis=-1)
    found = np.where(inside, _between(values, at[..., 0], at[..., 1]), np.float32(0.0))
    return np.ascontiguousarray(found)


def _between(values: Floats, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Floats:
    """Bilinear interpolation of maps ``[K, h, w]`` at cells' coordinates, all within the grid."""
    top, left = (np.floor(at).astype(np.intp) for at in (rows, columns))
    down, across = rows - top, columns - left
    below, right = (np.minimum(at + 1, side - 1) for at, side in zip((top, left), values.shape[1:], strict=True))
    return (
        values[:, top, left] * (1 - down) * (1 - across)
        + values[:, top, right] * (1 - down) * across
        + values[:, below, left] * down * (1 - across)
        + values[:, below, right] * down * across
    ).astype(np.float32)


def _each_to_one(maps: Floats) -> Floats:
    totals = maps.sum(axis=(1, 2), keepdims=True)
    return np.where(totals > 0, maps / np.where(totals > 0, totals, 1.0), 0.0).astype(np.float32)


def _body(inference: Inference, geometry: Geometry, body: Frame | None) -> Floats:
    if inference.anatomy is None:
        return np.zeros((GRID, GRID), dtype=np.float32)
    return np.asarray(in_common_frame(inference.anatomy.max(axis=0, keepdims=True), geometry, body)[0])
