"""Where the body lies in a picture, and how two pictures are laid on one another by it.

A frame is a centroid and a spread per axis (standard deviations of the pixels that belong to the body). Registration
is translation and one scale per axis. It knows no rotation and no bending.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiolucent.records.comparison import Frame, FrameKind

PRESENT = 0.5
"""A cell belongs to a region from this probability on."""
LEAST_SHARE = 0.02
"""A body that fills less of the picture than this was not found."""
BRIGHT = 0.15
"""Foreground starts at this share of the 99th percentile: air is far darker, fluid and bone marrow are brighter."""
GRID = 128
"""Points per axis on which the overlap of two regions is counted."""

Mask = NDArray[np.bool_]
Pair = tuple[float, float]


def picture_frame(shape: tuple[int, int]) -> Frame:
    """The frame of the whole picture of ``shape = (rows, columns)``: nothing is known of the body."""
    rows, columns = shape
    return Frame(centre=(rows / 2, columns / 2), spread=(rows / math.sqrt(12), columns / math.sqrt(12)), kind="picture")


def anatomy_frame(anatomy: NDArray[np.float32], shape: tuple[int, int]) -> Frame | None:
    """The frame of all drawn regions together.

    Parameters
    ----------
    anatomy
        ``[R, h, w]`` probabilities whose sides are those of the picture.
    shape
        ``(rows, columns)`` of the picture.

    Returns
    -------
    Frame or None
        ``None`` where too little was drawn.
    """
    union = anatomy.astype(np.float64).max(axis=0)
    return _moments(np.where(union > PRESENT, union, 0.0), shape, "anatomy")


def foreground_frame(display: NDArray[np.float32]) -> Frame | None:
    """The frame of the largest bright thing in the picture, its holes filled; for heads and limbs on black.

    Parameters
    ----------
    display
        ``[rows, columns]``, 0 is black, greater is brighter.

    Returns
    -------
    Frame or None
        ``None`` where the picture has no bright part of any size.
    """
    top = float(np.percentile(display, 99))
    if top <= 0:
        return None
    labels, count = ndimage.label(display > BRIGHT * top)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    filled = ndimage.binary_fill_holes(labels == int(sizes.argmax()))
    return _moments(np.asarray(filled, dtype=np.float64), display.shape, "foreground")


def _moments(weights: NDArray[np.float64], shape: tuple[int, ...], kind: FrameKind) -> Frame | None:
    """Centroid and spread of ``weights [h, w]``, in pixels of a picture of ``shape``."""
    if np.count_nonzero(weights) < LEAST_SHARE * weights.size:
        return None
    centre, spread = [], []
    for axis, side in enumerate(shape):
        profile = weights.sum(axis=1 - axis)
        cells = len(profile)
        at = np.arange(cells) + 0.5
        mean = float(profile @ at / profile.sum())
        variance = float(profile @ (at - mean) ** 2 / profile.sum()) + 1 / 12
        centre.append(mean * side / cells)
        spread.append(math.sqrt(variance) * side / cells)
    return Frame(centre=(centre[0], centre[1]), spread=(spread[0], spread[1]), kind=kind)


def in_frame(point: Pair, frame: Frame) -> Pair:
    """``(row, column)`` in source pixels as multiples of the frame's spread from its centre."""
    row, column = ((p - c) / s for p, c, s in zip(point, frame.centre, frame.spread, strict=True))
    return row, column


def peak_distance(prior: Pair, current: Pair, frames: tuple[Frame, Frame]) -> float:
    """Distance of two points after registration, over the diagonal of the frame (mean shape of both frames)."""
    spread = [math.sqrt(a * b) for a, b in zip(frames[0].spread, frames[1].spread, strict=True)]
    first, second = in_frame(prior, frames[0]), in_frame(current, frames[1])
    moved = math.hypot(*((a - b) * s for a, b, s in zip(first, second, spread, strict=True)))
    return moved / (math.sqrt(12.0) * math.hypot(*spread))


def overlap(prior: Mask, current: Mask, frames: tuple[Frame, Frame]) -> float:
    """Dice coefficient of two regions after registration, counted on a grid over both of them; 0 for empty ones."""
    if not prior.any() or not current.any():
        return 0.0
    corners = [_corners(region, frame) for region, frame in zip((prior, current), frames, strict=True)]
    low, high = np.min(corners, axis=0)[0], np.max(corners, axis=0)[1]
    share = (np.arange(GRID) + 0.5) / GRID
    rows, columns = (low[axis] + share * (high[axis] - low[axis]) for axis in (0, 1))
    first, second = (_sample(r, f, rows, columns) for r, f in zip((prior, current), frames, strict=True))
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 0.0


def _corners(region: Mask, frame: Frame) -> tuple[Pair, Pair]:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    upper = in_frame((float(rows[0]), float(columns[0])), frame)
    lower = in_frame((float(rows[-1] + 1), float(columns[-1] + 1)), frame)
    return upper, lower


def _sample(region: Mask, frame: Frame, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Mask:
    """``region`` at grid points given in multiples of the frame's spread; outside the picture there is none."""
    at = [
        np.floor(points * spread + centre).astype(np.intp)
        for points, spread, centre in zip((rows, columns), frame.spread, frame.centre, strict=True)
    ]
    inside = [(a >= 0) & (a < side) for a, side in zip(at, region.shape, strict=True)]
    held = [np.clip(a, 0, side - 1) for a, side in zip(at, region.shape, strict=True)]
    return np.asarray(region[np.ix_(*held)] & np.outer(*inside))
