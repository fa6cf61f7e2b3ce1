"""Is it a letter, a marker or a piece of metal that the map points at?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

PATCH, SATURATED, CONTRAST, AROUND = 0.05, 250, 90, 80
LARGEST, LEAST = 0.01, 6


def marker_under(at: tuple[int, int], display8: NDArray[np.uint8]) -> bool:
    """Whether a small saturated thing with a sharp edge lies under source pixel ``at``.

    Small: a connected part (8 neighbours) of at most 1 % of the picture; sharp: at least 90 of 255 grey levels
    brighter than four fifths of its own surroundings. Letters, side markers, clips, screws and leads look so; bone
    rarely does.

    Parameters
    ----------
    display8
        ``[rows, columns]`` uint8, greater is brighter.
    """
    rows, columns = display8.shape
    half = max(4, round(PATCH * max(rows, columns)))
    wide = 3 * half
    top, left = max(0, at[0] - wide), max(0, at[1] - wide)
    window = display8[top : at[0] + wide + 1, left : at[1] + wide + 1]
    row, column = at[0] - top, at[1] - left
    close = np.s_[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
    if not (window[close] >= SATURATED).any():
        return False
    labels, _ = ndimage.label(window >= SATURATED, np.ones((3, 3)))
    near = labels[close]
    for label in np.unique(near[near > 0]):
        thing = labels == label
        if not LEAST <= thing.sum() <= LARGEST * rows * columns:
            continue
        ring = ndimage.binary_dilation(thing, iterations=3) & ~ndimage.binary_dilation(thing, iterations=1)
        if ring.any() and 255 - float(np.percentile(window[ring], AROUND)) >= CONTRAST:
            return True
    return False
