"""A written map as a browser shows it: a small grid of bytes on the finding's absolute scale, and its contour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import contourpy
import numpy as np
from numpy.typing import NDArray

FLOOR = 0.08
"""Share of the scale up to which nothing is coloured; the same as in the written overlays."""
LONGEST_SIDE, CONTOUR_SIDE = 1024, 256
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """Contours of a map on source pixels, ``(row, column)`` edges, and the size of the grid that will be shown."""

    rows: int
    columns: int
    contours: tuple[tuple[Point, ...], ...]


def grid(path: Path, *, scale: float) -> NDArray[np.uint8]:
    """The map of an evidence file, at most 1024 on a side.

    Returns
    -------
    ndarray
        ``[rows, columns]`` uint8: 0 up to the colour threshold, 1 to 255 from there to ``scale`` and beyond.
    """
    values = _sampled(path, LONGEST_SIDE)
    low = FLOOR * scale
    share = np.clip((values - low) / (scale - low), 0.0, 1.0)
    return np.where(values > low, np.rint(1 + 254 * share), 0).astype(np.uint8)


def outlined(path: Path, *, level: float) -> Outlined:
    """Where a map reaches ``level`` (logit per cell), closed at the image's edge."""
    source = np.load(path, mmap_mode="r", allow_pickle=False)
    rows, columns = _size((source.shape[0], source.shape[1]), LONGEST_SIDE)
    values = _sampled(path, CONTOUR_SIDE)
    padded = np.pad(values, 1, constant_values=min(0.0, level) - 1.0)
    row_step, column_step = source.shape[0] / values.shape[0], source.shape[1] / values.shape[1]
    lines = contourpy.contour_generator(z=padded).lines(level)
    return Outlined(
        rows=rows,
        columns=columns,
        contours=tuple(
            tuple(
                (
                    round(float(np.clip((y - 0.5) * row_step, 0, source.shape[0])), 1),
                    round(float(np.clip((x - 0.5) * column_step, 0, source.shape[1])), 1),
                )
                for x, y in np.asarray(line)
            )
            for line in lines
        ),
    )


def _size(shape: tuple[int, int], longest: int) -> tuple[int, int]:
    factor = max(1, -(-max(shape) // longest))
    return -(-shape[0] // factor), -(-shape[1] // factor)


def _sampled(path: Path, longest: int) -> NDArray[np.float32]:
    """Every so many rows and columns of the file, spread evenly over the whole image, without reading the rest."""
    source = np.load(path, mmap_mode="r", allow_pickle=False)
    size = _size((source.shape[0], source.shape[1]), longest)
    rows, columns = (
        np.floor((np.arange(count) + 0.5) * whole / count).astype(np.intp)
        for count, whole in zip(size, source.shape, strict=True)
    )
    return np.asarray(source[rows][:, columns], dtype=np.float32)
