"""Painted bleedings: shapes of fresh blood on clean head CT slices, for training only.

Few patients of the training data bleed and none has a mask. Fresh blood is brighter than brain (about 50 to 90 HU,
brain 20 to 45), has a typical shape by compartment, and its place is known when it was painted. Nothing painted is
ever used to choose or to measure.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from training.config import Config
from training.data import MASK_CELL

HU_WIDTH, HU_LOW = 120.0, -20.0
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
SUBTYPES = ("epidural", "subdural", "subarachnoid", "intraparenchymal", "intraventricular")


def _noise(shape: tuple[int, int], smooth: float, draw: np.random.Generator) -> Floats:
    field = ndimage.gaussian_filter(draw.standard_normal(shape).astype(np.float32), smooth)
    return np.asarray(field / (field.std() + 1e-6))


def _spot(inside: Mask, draw: np.random.Generator) -> tuple[int, int]:
    rows, columns = np.nonzero(inside)
    pick = int(draw.integers(len(rows)))
    return int(rows[pick]), int(columns[pick])


def _disc(shape: tuple[int, int], at: tuple[int, int], radius: float, draw: np.random.Generator) -> Mask:
    """A blob of about ``radius`` with an uneven edge, stretched at random."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    angle, ratio = draw.uniform(0, np.pi), draw.uniform(0.55, 1.0)
    y, x = rows - at[0], columns - at[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    distance = np.hypot(along, across / ratio) / radius
    return np.asarray(distance + 0.12 * _noise(shape, 3.0, draw) < 1.0)


def _shape(kind: str, brain: Mask, picture: Floats, draw: np.random.Generator) -> Mask:
    """Where one bleeding of a compartment lies, inside ``brain``."""
    depth = np.asarray(ndimage.distance_transform_edt(brain))
    side = float(np.sqrt(brain.sum() / np.pi))
    if kind == "intraparenchymal":
        return _disc(brain.shape, _spot(depth > 0.2 * side, draw), draw.uniform(0.06, 0.28) * side, draw) & brain
    if kind == "intraventricular":
        fluid = ndimage.binary_opening((picture < 18) & (depth > 0.25 * side))
        return np.asarray(fluid & (_noise(brain.shape, 4.0, draw) > draw.uniform(-1.0, 0.3)))
    if kind == "subarachnoid":
        grooves = (picture < 26) & (depth < 0.6 * side)
        patch = _disc(brain.shape, _spot(brain, draw), draw.uniform(0.3, 0.7) * side, draw)
        return np.asarray(ndimage.binary_dilation(grooves & patch) & patch & brain)
    edge = _spot(brain & (depth < 2.0), draw)
    if kind == "epidural":
        lens = _disc(brain.shape, edge, draw.uniform(0.2, 0.5) * side, draw)
        return np.asarray(lens & brain & (depth < draw.uniform(0.1, 0.3) * side))
    reach = _disc(brain.shape, edge, draw.uniform(0.6, 1.3) * side, draw)
    return np.asarray(reach & brain & (depth < draw.uniform(0.05, 0.16) * side))


class Painter:
    """Paints on clean slices of a batch, with the labels and masks that follow."""

    def __init__(self, config: Config, *, share: float) -> None:
        self.share = share
        self.labels = [f.label for f in config.findings]
        self.brain = config.anatomy.regions.index("brain")

    def paint(
        self,
        pictures: NDArray[np.uint8],
        labels: NDArray[np.float32],
        masks: NDArray[np.uint8],
        regions: NDArray[np.uint8],
        generator: torch.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
        """Copies of a batch where about ``share`` of the clean slices with a known brain bleed."""
        draw = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        pictures, labels, masks = pictures.copy(), labels.copy(), masks.copy()
        for i in range(len(pictures)):
            brain = regions[i, self.brain]
            if labels[i, 0] != 0 or (brain == 255).any() or brain.mean() < 0.08 or draw.uniform() > self.share:
                continue
            self._bleed(pictures[i], labels[i], masks[i], brain == 1, draw)
        return pictures, labels, masks

    def _bleed(
        self,
        picture: NDArray[np.uint8],
        labels: NDArray[np.float32],
        masks: NDArray[np.uint8],
        brain: Mask,
        draw: np.random.Generator,
    ) -> None:
        fine = np.kron(brain, np.ones((MASK_CELL, MASK_CELL), dtype=bool))
        values = picture[0].astype(np.float32) / 255.0 * HU_WIDTH + HU_LOW
        tissue = fine & (values > 0) & (values < 60)
        level = float(np.median(values[tissue])) if tissue.any() else 32.0
        kinds = draw.choice(SUBTYPES, size=1 if draw.uniform() < 0.8 else 2, replace=False)
        for kind in kinds:
            where = _shape(str(kind), fine, values, draw)
            if where.sum() < 30:
                continue
            soft = ndimage.gaussian_filter(where.astype(np.float32), draw.uniform(0.6, 1.6))
            blood = level + draw.uniform(14, 42) + 3.0 * _noise(values.shape, 1.0, draw)
            values = values * (1 - soft) + np.maximum(blood, values) * soft
            if kind == "intraparenchymal" and draw.uniform() < 0.6:
                ring = ndimage.gaussian_filter(ndimage.binary_dilation(where, iterations=6).astype(np.float32), 2.0)
                values = values - 8.0 * np.clip(ring - soft, 0, 1) * fine
            cells = where.reshape(masks.shape[1], MASK_CELL, masks.shape[2], MASK_CELL).mean((1, 3)) > 0.3
            for label in (str(kind), self.labels[0]):
                k = self.labels.index(label)
                before = masks[k] if labels[k] == 1 and not (masks[k] == 255).any() else np.zeros_like(masks[k])
                masks[k] = (cells | (before == 1)).astype(np.uint8)
                labels[k] = 1.0
        picture[0] = np.clip((values - HU_LOW) / HU_WIDTH * 255.0, 0, 255).astype(np.uint8)
