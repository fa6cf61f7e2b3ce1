"""Peak and region of a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LABEL_SIDE = 512


def peak(native: NDArray[np.float32]) -> tuple[int, int]:
    """``(row, column)`` of the greatest value; the first one in row order when several are equal."""
    row, column = np.unravel_index(int(np.argmax(native)), native.shape)
    return int(row), int(column)


def region_at_peak(native: NDArray[np.float32], *, at: tuple[int, int], fraction: float) -> NDArray[np.bool_]:
    """Pixels that reach ``fraction`` of the value at ``at`` and hang together with it (4-neighbours).

    Connection is judged on a copy thinned to at most about ``LABEL_SIDE`` pixels a side, which is far finer than the
    grid the map was interpolated from. An all-negative map has the peak alone as its region.

    Returns
    -------
    ndarray
        ``[rows, columns]`` bool.
    """
    level = float(native[at]) * fraction
    if native[at] <= 0:
        alone = np.zeros(native.shape, dtype=bool)
        alone[at] = True
        return alone
    step = max(1, -(-max(native.shape) // LABEL_SIDE))
    offset = (at[0] % step, at[1] % step)
    chosen = _part(native[offset[0] :: step, offset[1] :: step] >= level, (at[0] // step, at[1] // step))
    if step == 1:
        return chosen
    near = ndimage.binary_dilation(chosen)
    rows, columns = (
        np.clip((np.arange(side) - start + step // 2) // step, 0, thin - 1)
        for side, start, thin in zip(native.shape, offset, near.shape, strict=True)
    )
    held = [np.flatnonzero(near.any(axis=1 - axis)[place]) for axis, place in enumerate((rows, columns))]
    within = np.s_[held[0][0] : held[0][-1] + 1, held[1][0] : held[1][-1] + 1]
    out = np.zeros(native.shape, dtype=bool)
    out[within] = (native[within] >= level) & near[np.ix_(rows[within[0]], columns[within[1]])]
    return out


def _part(mask: NDArray[np.bool_], at: tuple[int, int]) -> NDArray[np.bool_]:
    """The part of ``mask`` that hangs together (4-neighbours) and holds the set pixel ``at``."""
    top, left, height, width = box(mask)
    within = np.s_[top : top + height, left : left + width]
    labels, _ = ndimage.label(mask[within])
    out = np.zeros(mask.shape, dtype=bool)
    out[within] = labels == labels[at[0] - top, at[1] - left]
    return out


def box(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """``(row, column, height, width)`` of the smallest box around a non-empty region."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
