"""Where evidence lies among the regions that the same pass drew, and what those regions measure."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiolucent.records.anatomy import NO_MEASURES, AnatomyMeasures
from radiolucent.records.engine import EngineSpec
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import ImageFacts, Inference

PRESENT = 0.5
LEAST_CELLS = 8
SPECKLED = 0.3
"""A region of which a 3 x 3 median filter would change more than this share is noise, not anatomy."""

ARCH = (0.18, 0.38)
"""Rows, as shares of the lungs' height from their top, where the aortic arch lies on a frontal film."""

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


def found(probabilities: Floats) -> Mask:
    """``[h', w']``: where a region is drawn; nowhere at all when what is drawn is speckled or almost nothing."""
    inside = probabilities > PRESENT
    count = int(inside.sum())
    if count < LEAST_CELLS:
        return np.zeros(inside.shape, dtype=bool)
    changed = int((_median(inside) != inside).sum())
    return inside if changed <= SPECKLED * count else np.zeros(inside.shape, dtype=bool)


def _median(mask: Mask) -> Mask:
    """The 3 x 3 median of a mask, edges mirrored: where five of nine are set; far faster than a rank filter."""
    wide = np.empty((mask.shape[0] + 2, mask.shape[1] + 2), dtype=np.uint8)
    wide[1:-1, 1:-1] = mask
    wide[0], wide[-1] = wide[1], wide[-2]
    wide[:, 0], wide[:, -1] = wide[:, 1], wide[:, -2]
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5)


class Drawn:
    """The regions that one inference drew, each looked at once however many findings ask.

    ``masks`` holds ``[h', w']`` of every region, in the engine's order; none where it draws no regions.
    """

    def __init__(self, inference: Inference, spec: EngineSpec) -> None:
        self.masks = () if inference.anatomy is None else tuple(found(drawn) for drawn in inference.anatomy)
        self._anatomy = None if inference.anatomy is None else spec.anatomy
        self._grid = (inference.evidence.shape[1], inference.evidence.shape[2])
        self._expected: dict[tuple[str, ...], Floats | None] = {}

    @cached_property
    def _covers(self) -> Floats:
        """``[R, h, w]`` share of each cell of the evidence that a region covers."""
        return np.stack([coverage(mask, self._grid) for mask in self.masks])

    def shares(self, evidence: Floats) -> dict[str, float]:
        """By region name: share of the positive part of ``evidence [h, w]`` inside it; regions may overlap.

        Empty where it is nowhere positive, or no regions are drawn.
        """
        positive = np.maximum(evidence, 0.0).astype(np.float64)
        total = float(positive.sum())
        if self._anatomy is None or not total > 0:
            return {}
        found = (positive * self._covers).sum(axis=(1, 2)) / total
        return dict(zip(self._anatomy.regions, found.tolist(), strict=True))

    def expected(self, words: tuple[str, ...]) -> Mask | None:
        """``[h', w']``: the regions that ``words`` stand for, widened by the engine's margin.

        ``None`` where the engine draws no regions, knows none of the words, or saw none of them in this image.
        """
        members = () if self._anatomy is None else self._anatomy.members(words)
        if self._anatomy is None or not members:
            return None
        union = np.logical_or.reduce([self.masks[m] for m in members])
        if not union.any():
            return None
        margin = self._anatomy.margin
        wide = ndimage.binary_dilation(union, np.ones((3, 3)), iterations=margin) if margin else union
        if words == ("lower thorax",):
            rows = np.flatnonzero(union.any(axis=1))
            wide = wide & (np.arange(wide.shape[0]) > (rows[0] + rows[-1]) / 2)[:, None]
        return np.asarray(wide)

    def expected_cover(self, words: tuple[str, ...]) -> Floats | None:
        """Share of each cell of the evidence that the expected region covers, ``[h, w]``; ``None`` as `expected`."""
        if words not in self._expected:
            region = self.expected(words)
            self._expected[words] = None if region is None else coverage(region, self._grid)
        return self._expected[words]

    def frame(self, geometry: Geometry) -> tuple[float, float, float, float] | None:
        """``(top, left, bottom, right)`` of all regions together, in source pixels; ``None`` without regions."""
        union = np.logical_or.reduce(self.masks) if self.masks else np.zeros((1, 1), dtype=bool)
        if not union.any():
            return None
        rows, columns = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
        cell = np.array(geometry.model_shape) / np.array(union.shape)
        corners = np.array([[rows[0], columns[0]], [rows[-1] + 1, columns[-1] + 1]], dtype=np.float64) * cell
        (top, left), (bottom, right) = geometry.to_source(corners)
        return float(top), float(left), float(bottom), float(right)


def expected_region(inference: Inference, spec: EngineSpec, words: tuple[str, ...]) -> Mask | None:
    """`Drawn.expected` of one inference, for who asks once."""
    return Drawn(inference, spec).expected(words)


def coverage(region: Mask, shape: tuple[int, ...]) -> Floats:
    """Share of each cell of a grid of ``shape`` that ``region`` covers; both grids span the same picture."""
    rows, columns, sizes = _cells((region.shape[0], region.shape[1]), (shape[0], shape[1]))
    filled = np.add.reduceat(np.add.reduceat(region.astype(np.float32), rows, 0), columns, 1)
    return np.asarray(filled / sizes, dtype=np.float32)


@lru_cache(maxsize=64)
def _cells(fine: tuple[int, int], coarse: tuple[int, int]) -> tuple[Places, Places, Places]:
    """First row and column of each cell of a coarse grid on a fine one, and ``[h, w]`` how many fine cells it has."""
    rows, columns = (np.linspace(0, n, m + 1).round().astype(int) for n, m in zip(fine, coarse, strict=True))
    return rows[:-1], columns[:-1], np.outer(np.diff(rows), np.diff(columns))


def shares_inside(evidence: Floats, cover: Floats) -> NDArray[np.float64]:
    """``[K]`` share of the positive part of ``evidence [K, h, w]`` where ``cover [h, w]`` lies.

    ``nan`` where no evidence is positive.
    """
    positive = np.maximum(evidence, 0.0).astype(np.float64)
    totals = positive.sum(axis=(1, 2))
    shares = (positive * cover).sum(axis=(1, 2)) / np.where(totals > 0, totals, 1.0)
    return np.where(totals > 0, shares, np.nan)


def share_inside(evidence: Floats, cover: Floats) -> float | None:
    """The same of one finding's ``evidence [h, w]``; ``None`` where it is nowhere positive."""
    share = float(shares_inside(evidence[None], cover)[0])
    return None if share != share else share


def crop_to_source(anatomy: Floats, geometry: Geometry) -> Floats:
    """``[R, h', w']`` without the cells that only padding fills: its sides are those of the source image."""
    cells = np.array(anatomy.shape[1:]) / np.array(geometry.model_shape)
    rows, columns = geometry.source_shape
    (top, left), (bottom, right) = geometry.to_model(np.array([[0.0, 0.0], [rows, columns]])) * cells
    low, high = np.floor([top + 0.5, left + 0.5]).astype(int), np.ceil([bottom - 0.5, right - 0.5]).astype(int)
    return np.asarray(anatomy[:, max(low[0], 0) : max(high[0], 1), max(low[1], 0) : max(high[1], 1)])


def _largest(mask: Mask) -> Mask:
    """The largest part that hangs together: a lung and a heart are one each."""
    labels, count = ndimage.label(mask)
    return mask if count < 2 else np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _edges(region: Floats) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """First and last crossing of one half along every row of probabilities, between cells by interpolation.

    Returns
    -------
    which, edges
        ``[h]`` rows that reach one half anywhere, and ``[h, 2]`` their crossings; 0 in rows that do not.
    """
    inside = region > PRESENT
    which = np.asarray(inside.any(axis=1))
    width = region.shape[1]
    ends = (inside.argmax(axis=1), width - 1 - inside[:, ::-1].argmax(axis=1))
    edges = [_crossing(region, at, step) for at, step in zip(ends, (-1, 1), strict=True)]
    return which, np.where(which[:, None], np.stack(edges, axis=1), 0.0)


def _crossing(region: Floats, at: NDArray[np.intp], step: int) -> NDArray[np.float64]:
    """``[h]`` where every row falls under one half between the cell ``at`` and the next one in direction ``step``."""
    rows, beyond = np.arange(len(region)), at + step
    is_border = (beyond < 0) | (beyond >= region.shape[1])
    here = region[rows, at].astype(np.float64)
    there = region[rows, np.where(is_border, at, beyond)].astype(np.float64)
    rise = here - there
    share = np.where(rise > 0, (here - PRESENT) / np.where(rise > 0, rise, 1.0), 0.0)
    return np.asarray(at + 0.5 + step * np.where(is_border, 0.5, share))


def measure(
    inference: Inference, spec: EngineSpec, *, facts: ImageFacts, drawn: Drawn | None = None
) -> AnatomyMeasures:
    """Measure a chest film's regions; nothing for engines that draw no lungs and heart.

    Cells must be square, which the preparation sees to. Sources: `AnatomyMeasures`. ``drawn`` are the inference's
    regions, where they were looked at already.
    """
    regions = () if spec.anatomy is None else spec.anatomy.regions
    if inference.anatomy is None or not {"right_lung", "left_lung", "heart_mediastinum"} <= set(regions):
        return NO_MEASURES
    masks = (drawn or Drawn(inference, spec)).masks
    right, left, heart = (
        np.where(_largest(masks[at]), inference.anatomy[at], np.float32(0.0))
        for at in (regions.index(name) for name in ("right_lung", "left_lung", "heart_mediastinum"))
    )
    grid = inference.evidence.shape[1:]
    here = [shares_inside(inference.evidence, coverage(lung > PRESENT, grid)) for lung in (right, left)]
    both = zip(spec.findings, *here, strict=True)
    sides = {finding.key: (float(first), float(second)) for finding, first, second in both if first == first}
    lungs = np.maximum(right, left)
    rows = np.flatnonzero(lungs.max(axis=1) > PRESENT)
    if len(rows) < LEAST_CELLS or min((right > PRESENT).sum(), (left > PRESENT).sum()) < LEAST_CELLS:
        return AnatomyMeasures(sides=sides)
    outer = _edges(lungs)[1][rows]
    chest_left, chest_right = float(outer[:, 0].min()), float(outer[:, 1].max())
    width = float((outer[:, 1] - outer[:, 0]).max())
    is_heart, beats = _edges(heart)
    beats = beats[is_heart]
    mirrored = facts.patient_left_at == "left"
    ratio = shift = None
    if len(beats) >= LEAST_CELLS // 2:
        lower = beats[len(beats) // 3 :]
        ratio = float(lower[:, 1].max() - lower[:, 0].min()) / width
        centre = float((np.arange(heart.shape[1]) + 0.5) @ (heart > PRESENT).sum(axis=0) / (heart > PRESENT).sum())
        shift = (centre - (chest_left + chest_right) / 2) / width * (-1 if mirrored else 1)
    top, height = rows[0], rows[-1] - rows[0] + 1
    arch = rows[(rows >= top + ARCH[0] * height) & (rows <= top + ARCH[1] * height)]
    return AnatomyMeasures(
        cardiothoracic_ratio=ratio,
        mediastinal_ratio=_gap(right, left, arch, width),
        shift=shift,
        sides=sides,
    )


def _gap(right: Floats, left: Floats, rows: NDArray[np.intp], width: float) -> float | None:
    """Median distance between the lungs' inner edges over ``rows``, as a share of ``width``."""
    (is_right, first), (is_left, second) = _edges(right), _edges(left)
    both = rows[is_right[rows] & is_left[rows]]
    gaps = np.maximum(second[both, 0] - first[both, 1], first[both, 0] - second[both, 1])
    return float(np.median(gaps)) / width if len(gaps) >= 2 else None
