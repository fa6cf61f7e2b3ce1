"""What is known of a phantom, for tests of orientation and geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["chest", "head", "bone"]
MARKER_MM = (30.0, 20.0)
"""Length of the L-shaped marker's upright and foot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomTruth:
    """Where things are, in source pixels ``(row, column)``.

    The marker is a letter L, readable as such on the upright image: an upright stroke and, at its lower end, a
    shorter foot to the right. Neither a flip nor a turn maps it on itself. It stands at the patient's left.

    Parameters
    ----------
    marker_top, marker_corner, marker_foot
        Pixels on the centre line: upper end of the upright, corner, right end of the foot. The same on every slice.
    marker_box
        ``(row, column, height, width)``.
    lesion
        What was put in: ``extra-axial bleed``, ``fracture line``, or None.
    lesion_at
        A pixel inside it, or None.
    lesion_box
        ``(row, column, height, width)`` around it, on the slice where it is largest, or None.
    lesion_slices
        Index of the slices that show it, from 0.
    """

    kind: Kind
    rows: int
    columns: int
    marker_top: tuple[int, int]
    marker_corner: tuple[int, int]
    marker_foot: tuple[int, int]
    marker_box: tuple[int, int, int, int]
    lesion: str | None = None
    lesion_at: tuple[int, int] | None = None
    lesion_box: tuple[int, int, int, int] | None = None
    lesion_slices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """An L drawn into an image."""

    mask: NDArray[np.bool_]
    top: tuple[int, int]
    corner: tuple[int, int]
    foot: tuple[int, int]
    box: tuple[int, int, int, int]


def marker(shape: tuple[int, int], *, at: tuple[int, int], spacing_mm: float, size: float = 1.0) -> Marker:
    """An L whose box begins at pixel ``at``; ``size`` scales its strokes of `MARKER_MM`."""
    height, width = (round(length * size / spacing_mm) for length in MARKER_MM)
    stroke = max(3, round(4.0 * size / spacing_mm)) | 1
    row, column = at
    mask = np.zeros(shape, dtype=np.bool_)
    mask[row : row + height, column : column + stroke] = True
    mask[row + height - stroke : row + height, column : column + width] = True
    half = stroke // 2
    return Marker(
        mask=mask,
        top=(row, column + half),
        corner=(row + height - 1 - half, column + half),
        foot=(row + height - 1 - half, column + width - 1),
        box=(row, column, height, width),
    )


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """``(row, column, height, width)`` around the true pixels of ``mask``, which has some."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
