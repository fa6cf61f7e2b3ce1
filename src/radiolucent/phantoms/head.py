"""A head CT: skull, brain, ventricles, and a lens of blood under the skull at the patient's left."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiolucent.phantoms.draw import Plane, clouds, ellipse, grid, soft, words
from radiolucent.phantoms.truth import Marker, marker

Folds: TypeAlias = "list[tuple[float, float, float, float]]"

SHAPE = (512, 512)
SPACING_MM = 0.45
SLICES = 12
THICKNESS_MM = 5.0
BLEED_SLICES = (3, 4, 5, 6, 7)
BLEED_HU = 70.0
_CENTRE = (-6.0, 0.0)
_AXES = (82.0, 66.0)
"""Inner table of the skull at its widest: half lengths ``(y, x)`` in mm."""


def volume(rng: np.random.Generator) -> tuple[NDArray[np.float32], Marker, NDArray[np.bool_]]:
    """Hounsfield units ``[12, 512, 512]`` from below upwards, the marker, and where the bleed is."""
    y, x = grid(SHAPE, spacing_mm=SPACING_MM)
    sign = marker(SHAPE, at=(395, 440), spacing_mm=SPACING_MM)
    banner = words(SHAPE, "PHANTOM", at=(490, 256), size=22) | words(SHAPE, "QA, NOT A PATIENT", at=(18, 256), size=15)
    folds = _folds(rng)
    planes, bleeds = [], []
    for index in range(SLICES):
        plane, bleed = _slice(y, x, index=index, folds=folds, rng=rng)
        plane += rng.standard_normal(SHAPE, dtype=np.float32) * np.where(plane > -700, 3.2, 6.0).astype(np.float32)
        plane[sign.mask] = 2000.0
        plane[banner] = 1000.0
        planes.append(plane)
        bleeds.append(bleed)
    return np.clip(np.rint(np.stack(planes)), -1024, 3071).astype(np.float32), sign, np.stack(bleeds)


def _folds(rng: np.random.Generator) -> Folds:
    """Furrows around the brain: direction, bend, depth in mm, slice where each is deepest."""
    around = np.linspace(-np.pi, np.pi, 34, endpoint=False) + rng.uniform(-0.06, 0.06, 34)
    return [
        (float(a), float(rng.normal(0, 0.8)), float(rng.uniform(7, 17)), float(rng.uniform(0, SLICES))) for a in around
    ]


def _slice(
    y: Plane, x: Plane, *, index: int, folds: Folds, rng: np.random.Generator
) -> tuple[Plane, NDArray[np.bool_]]:
    """One slice in Hounsfield units, and its bleed."""
    height = (index - 3) * THICKNESS_MM
    size = float(np.sqrt(max(0.05, 1 - (max(height, 0) / 78) ** 2)) * (1 - 0.02 * max(0, 3 - index)))
    # The front of a head is narrower than its back: x is stretched towards the front before ellipses are drawn.
    wide = (x / (1 + 0.0013 * np.clip(y, -90, 60))).astype(np.float32)
    inner = ellipse(y, wide, at=_CENTRE, axes=(_AXES[0] * size, _AXES[1] * size))
    angle = np.arctan2(y - _CENTRE[0], wide)
    thick = 6.5 + 1.2 * np.cos(2 * angle) + 1.0 * np.cos(4 * angle + 1)
    bleed = _bleed(y, wide, inner, size=size, index=index)
    shift = 3.0 * soft(16 - abs(index - 5) * 5 + 0 * y, 8)
    hu = _brain(y, wide + shift * np.exp(-((y / 55) ** 2)), inner, angle, index=index, folds=folds, rng=rng)
    hu = hu + soft(bleed, 0.5) * (BLEED_HU - hu)
    for depth, value in ((0.0, 980.0), (0.32 * thick, 560.0), (0.68 * thick, 1050.0), (thick, -85.0),
                         (thick + 3.0, 42.0), (thick + 5.0, -1000.0)):  # fmt: skip
        hu = hu + soft((-inner - depth).astype(np.float32), 0.45) * (value - hu)
    rest = np.abs(np.hypot(x, y + 5) - 109.0) - 1.2
    hu = np.maximum(hu, np.where((rest < 0) & (y > 62) & (np.abs(x) < 74), -180.0, -1000.0))
    return hu.astype(np.float32), bleed > 0.8


def _bleed(y: Plane, x: Plane, inner: Plane, *, size: float, index: int) -> Plane:
    """Distance to the edge of the lens, positive inside: what the skull and a disc beyond it have in common."""
    if index not in BLEED_SLICES:
        return np.full(SHAPE, -10.0, dtype=np.float32)
    deep = (14.0, 20.0, 23.0, 20.0, 13.0)[BLEED_SLICES.index(index)]
    turn = np.deg2rad(8.0)
    table_y, table_x = _CENTRE[0] - _AXES[0] * size * np.sin(turn), _AXES[1] * size * np.cos(turn)
    radius = 38.0
    disc = radius - np.hypot(y - table_y, x - (table_x + radius - deep))
    return np.asarray(np.minimum(inner, disc), dtype=np.float32)


def _brain(
    y: Plane, x: Plane, inner: Plane, angle: Plane, *, index: int, folds: Folds, rng: np.random.Generator
) -> Plane:
    """White and grey matter, furrows, the falx, basal ganglia, ventricles."""
    depth = _depth(y, x, inner, angle, index=index, folds=folds)
    hu = 28.0 + 10.0 * soft((4.6 - depth).astype(np.float32), 0.9)
    hu = hu + soft((0.9 - depth).astype(np.float32), 0.55) * (12.0 - hu)
    for side in (-1, 1):
        hu = hu + 9.0 * soft(ellipse(y, x, at=(-6, 24 * side), axes=(19, 8), turn_deg=18 * side), 1.5) * _at(index, 4)
        hu = hu + 8.0 * soft(ellipse(y, x, at=(8, 10 * side), axes=(11, 7), turn_deg=-22 * side), 1.5) * _at(index, 4)
    hu = hu + soft(_ventricles(y, x, index=index), 0.6) * (8.0 - hu)
    hu = hu + 24.0 * soft((0.8 - np.abs(x)).astype(np.float32), 0.35) * soft(np.abs(y + 4) - 36, 3)
    return np.asarray(hu + 0.7 * clouds(SHAPE, cell=14, rng=rng), dtype=np.float32)


def _depth(y: Plane, x: Plane, inner: Plane, angle: Plane, *, index: int, folds: Folds) -> Plane:
    """Distance in mm to the brain's nearest surface: under the skull, in a furrow, or in the cleft between halves."""
    cleft = np.abs(x) + 1.6 * np.clip(38 - np.abs(y + 4), 0, None)
    depth = np.minimum(inner - 0.6, cleft)
    radius = np.hypot(y - _CENTRE[0], x)
    for at, bend, deep, level in folds:
        turned = angle - at - 0.02 * bend * inner
        aside = np.abs((turned + np.pi) % (2 * np.pi) - np.pi) * radius
        reach = deep - 0.9 * abs(index - level)
        depth = np.minimum(depth, aside + 0.35 + np.clip(inner - reach, 0, None))
    return np.asarray(depth, dtype=np.float32)


def _at(index: int, level: int) -> float:
    """How much a structure about ``level`` shows on slice ``index``."""
    return float(np.exp(-(((index - level) / 2.2) ** 2)))


def _ventricles(y: Plane, x: Plane, *, index: int) -> Plane:
    """Distance to the edge of the ventricles, positive inside."""
    shapes = [np.full(SHAPE, -10.0, dtype=np.float32)]
    wide = 1.0 - 0.11 * abs(index - 5)
    if 2 <= index <= 8 and wide > 0:
        for side in (-1, 1):
            shapes.append(ellipse(y, x, at=(-27, 9.5 * side), axes=(15 * wide, 4.6 * wide), turn_deg=24 * side))
            shapes.append(ellipse(y, x, at=(30, 18 * side), axes=(15 * wide, 5.4 * wide), turn_deg=-22 * side))
            if index >= 5:
                shapes.append(ellipse(y, x, at=(2, 9 * side), axes=(28 * wide, 4.4 * wide), turn_deg=-6 * side))
    if index in (2, 3, 4):
        shapes.append(ellipse(y, x, at=(4, 0), axes=(12, 2.4)))
    if index < 2:
        shapes.append(ellipse(y, x, at=(42, 0), axes=(6, 8)))
        shapes.append(ellipse(y, x, at=(-2, 0), axes=(9, 11)))
    return np.asarray(np.maximum.reduce(shapes), dtype=np.float32)
