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
    above = native >= level
    step = max(1, -(-max(native.shape) // LABEL_SIDE))
    offset = (at[0] % step, at[1] % step)
    labels, _ = ndimage.label(above[offset[0] :: step, offset[1] :: step])
    chosen = labels == labels[at[0] // step, at[1] // step]
    if step == 1:
        return np.asarray(chosen)
    near = ndimage.binary_dilation(chosen)
    rows = np.clip((np.arange(native.shape[0]) - offset[0] + step // 2) // step, 0, near.shape[0] - 1)
    columns = np.clip((np.arange(native.shape[1]) - offset[1] + step // 2) // step, 0, near.shape[1] - 1)
    return np.asarray(above & near[np.ix_(rows, columns)])


def box(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """``(row, column, height, width)`` of the smallest box around a non-empty region."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
