"""Where maps point, against what is known: hit rate, overlap, and the gate for a map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import FEWEST, NAN, NOTHING, Floats, Groups, Interval, bootstrap_all, iou, mean
from radiolucent.cohort.reading import Reading, explained, peak_in_expected
from radiolucent.cohort.truth import Case, parts_of, place
from radiolucent.explain.anatomy import coverage, expected_region, share_inside
from radiolucent.explain.native import native_map
from radiolucent.explain.region import peak, region_at_peak
from radiolucent.prepare.resample import resample
from radiolucent.records.engine import EngineSpec, MapStatus
from radiolucent.records.geometry import Geometry

FRACTIONS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
DEFAULT_FRACTION = 0.5
GATE_GROUPS = 10
Grid = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One finding on one image whose place is known. ``nan`` where there is no baseline or no drawn anatomy."""

    case: Case
    hit: float
    prior_hit: float
    centre_hit: float
    overlap: float
    inside_truth: float
    inside_expected: float
    peak_expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSlice:
    """Places of one finding in one part of the test data."""

    by: str
    value: str
    places: int
    groups: int
    hit_rate: Interval
    mean_iou: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigures:
    """Figures of all places of one finding on test; ``gain`` is the paired difference to the better baseline."""

    places: int
    groups: int
    hit_rate: Interval
    prior_hit_rate: Interval
    centre_hit_rate: Interval
    gain: Interval
    mean_iou: Interval
    evidence_inside: Interval
    evidence_expected: Interval
    peaks_expected: Interval
    prior_from: str | None
    map_status: MapStatus
    slices: tuple[PlaceSlice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyFigures:
    """Agreement with the expected region over all positive test images in which the engine drew it."""

    images: int
    groups: int
    evidence_expected: Interval
    peaks_expected: Interval


NO_PLACES = PlaceFigures(
    places=0,
    groups=0,
    hit_rate=NOTHING,
    prior_hit_rate=NOTHING,
    centre_hit_rate=NOTHING,
    gain=NOTHING,
    mean_iou=NOTHING,
    evidence_inside=NOTHING,
    evidence_expected=NOTHING,
    peaks_expected=NOTHING,
    prior_from=None,
    map_status="unmeasured",
)


def placed(readings: Iterable[Reading], key: str) -> Iterator[tuple[Reading, NDArray[np.bool_]]]:
    """Positive cases whose place is known, with the place on source pixels."""
    for reading in readings:
        if reading.case.has_place(key):
            truth = place(reading.case, key, reading.geometry.source_shape)
            if truth is not None:
                yield reading, truth


def choose_fraction(readings: Sequence[Reading], index: int, key: str) -> float:
    """The share of the peak that gives the best mean IoU on validation; 0.5 with fewer than five places."""
    rows = []
    for reading, truth in placed(readings, key):
        native = native_map(reading.inference.evidence[index], reading.geometry)
        at = peak(native)
        rows.append([iou(region_at_peak(native, at=at, fraction=f), truth) for f in FRACTIONS])
    return FRACTIONS[int(np.argmax(np.mean(rows, axis=0)))] if len(rows) >= FEWEST else DEFAULT_FRACTION


def mean_place(readings: Iterable[Reading], key: str) -> Grid | None:
    """Mean place on the model's square, a quarter of its side: the position prior where training gave none.

    ``None`` with places from fewer than five groups.
    """
    grids, groups = [], set()
    for reading, truth in placed(readings, key):
        fitted = resample(truth.astype(np.float32), reading.geometry)
        rows, columns = (side // 4 for side in fitted.shape)
        grids.append(fitted[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).max((1, 3)))
        groups.add(reading.case.group)
    return np.asarray(np.mean(grids, axis=0), dtype=np.float32) if len(groups) >= FEWEST else None


def measure_places(readings: Sequence[Reading], index: int, *, spec: EngineSpec, prior: Grid | None) -> Iterator[Place]:
    """Compare every known place of a finding with its map, as the product explains it.

    Parameters
    ----------
    spec
        The engine with the region fraction chosen on validation.
    prior
        ``[G, G]`` mean place on the model's square: what a reader who never looks would point at.
    """
    for reading, truth in placed(readings, spec.findings[index].key):
        made = explained(reading, [index], spec)[index]
        positive = np.maximum(made.map, 0.0)
        total = float(positive.sum(dtype=np.float64))
        rows, columns = truth.shape
        expected = peak_in_expected(reading, index, made.peak_row_col, spec)
        yield Place(
            case=reading.case,
            hit=float(truth[made.peak_row_col]),
            prior_hit=NAN if prior is None else float(truth[_prior_peak(prior, reading.geometry)]),
            centre_hit=float(truth[rows // 2, columns // 2]),
            overlap=iou(made.region, truth),
            inside_truth=float(positive[truth].sum(dtype=np.float64)) / total if total > 0 else 0.0,
            inside_expected=NAN if made.in_expected_region is None else made.in_expected_region,
            peak_expected=NAN if expected is None else float(expected),
        )


def measure_anatomy(readings: Sequence[Reading], index: int, *, spec: EngineSpec, resamples: int) -> AnatomyFigures:
    """Share of positive evidence and of peaks inside the expected region, on positives whose region was drawn."""
    return summarise_anatomy(list(anatomy_rows(readings, index, spec)), resamples=resamples)


AnatomyRow = tuple[str, float, float]
"""``(group, share of positive evidence inside the expected region, 1 where the peak is inside)``."""


def anatomy_rows(readings: Sequence[Reading], index: int, spec: EngineSpec) -> Iterator[AnatomyRow]:
    """One row for each positive image in which the expected region of a finding was drawn."""
    finding = spec.findings[index]
    for reading in readings:
        if reading.case.labels.get(finding.key) != 1:
            continue
        region = expected_region(reading.inference, spec, finding.expected_regions)
        evidence = reading.inference.evidence[index]
        share = None if region is None else share_inside(evidence, coverage(region, evidence.shape))
        if share is not None:
            at = peak(native_map(evidence, reading.geometry))
            yield reading.case.group, share, float(peak_in_expected(reading, index, at, spec) or 0)


def summarise_anatomy(rows: Sequence[AnatomyRow], *, resamples: int) -> AnatomyFigures:
    """Means over rows with intervals over groups."""
    if not rows:
        return AnatomyFigures(images=0, groups=0, evidence_expected=NOTHING, peaks_expected=NOTHING)
    names = np.array([row[0] for row in rows], dtype=np.str_)
    shares, peaks = np.array([row[1:] for row in rows], dtype=np.float64).T
    got = bootstrap_all(
        names,
        lambda i: {"shares": float(shares[i].mean()), "peaks": float(peaks[i].mean())},
        resamples=resamples,
    )
    return AnatomyFigures(
        images=len(rows), groups=len(set(names)), evidence_expected=got["shares"], peaks_expected=got["peaks"]
    )


def _prior_peak(prior: Grid, geometry: Geometry) -> tuple[int, int]:
    return peak(native_map(prior, geometry))


def summarise_places(places: Sequence[Place], *, prior_from: str | None, resamples: int) -> PlaceFigures:
    """Figures of a finding's places with intervals over groups, and the gate (`gate`)."""
    if not places:
        return NO_PLACES
    groups = np.array([p.case.group for p in places], dtype=np.str_)
    columns: Mapping[str, NDArray[np.float64]] = {
        name: np.array([getattr(p, name) for p in places], dtype=np.float64)
        for name in Place.__slots__
        if name != "case"
    }
    against = [columns[name] for name in ("prior_hit", "centre_hit") if not np.isnan(columns[name]).any()]
    best = max(against, key=lambda hits: float(hits.mean()))
    gains = columns["hit"] - best
    got = bootstrap_all(
        groups,
        lambda i: {"gain": float(gains[i].mean()), **{name: mean(values[i]) for name, values in columns.items()}},
        resamples=resamples,
    )
    distinct = len(set(groups))
    return PlaceFigures(
        places=len(places),
        groups=distinct,
        hit_rate=got["hit"],
        prior_hit_rate=got["prior_hit"],
        centre_hit_rate=got["centre_hit"],
        gain=got["gain"],
        mean_iou=got["overlap"],
        evidence_inside=got["inside_truth"],
        evidence_expected=got["inside_expected"],
        peaks_expected=got["peak_expected"],
        prior_from=prior_from,
        map_status=gate(distinct, got["gain"], has_prior=prior_from is not None),
        slices=tuple(_slices(places, groups, columns["hit"], columns["overlap"], resamples=resamples)),
    )


def _slices(
    places: Sequence[Place], groups: Groups, hits: Floats, overlaps: Floats, *, resamples: int
) -> Iterator[PlaceSlice]:
    """Hit rate and overlap by source and subgroup, where there is more than one value."""
    for by, value, chosen in parts_of([p.case for p in places]):
        hit, overlap = hits[chosen], overlaps[chosen]
        got = bootstrap_all(
            groups[chosen],
            lambda i, hit=hit, overlap=overlap: {"hit": mean(hit[i]), "overlap": mean(overlap[i])},  # type: ignore[misc]
            resamples=resamples,
        )
        yield PlaceSlice(
            by=by,
            value=value,
            places=len(hit),
            groups=len(set(groups[chosen])),
            hit_rate=got["hit"],
            mean_iou=got["overlap"],
        )


def gate(groups: int, gain: Interval, *, has_prior: bool) -> MapStatus:
    """Whether a map may be called validated.

    ``validated`` if places of at least ten groups are known and the peak hits them more often than the better of
    the position prior and the image centre (lower bound of the paired difference above 0). ``not_validated`` if
    measured and not so. ``unmeasured`` with fewer groups, or where a map beats the centre but no prior is known.
    """
    if groups < GATE_GROUPS:
        return "unmeasured"
    if not gain.low > 0:
        return "not_validated"
    return "validated" if has_prior else "unmeasured"
