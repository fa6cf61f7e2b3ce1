"""Letters, side markers, clips, screws, leads: what is in a picture of a patient and is not the patient.

Such a thing is thin and much brighter than what surrounds it: it stands out of the picture's morphological opening
(white top-hat, Serra 1982) by a window wider than a letter's stroke. Looked at on 32 films of adults and children: side
letters, wires and clamps are found, and now and then the edge of a rib. It is for figures over many images; the rule
that lowers the confidence of one finding is `marker_under`, which wants saturation too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 512
WINDOW = 0.022
"""Side of the opening's square, as a share of the picture's longer side."""
CONTRAST = 95
"""Of 255 grey levels."""
LEAST, LARGEST = 6, 0.01
"""Cells of the smallest thing; share of the picture that the largest takes."""
Grey = NDArray[np.uint8]
Pick = Callable[[Grey, Grey], Grey]


def foreign_objects(display8: Grey) -> tuple[NDArray[np.bool_], int]:
    """Where such things lie.

    Parameters
    ----------
    display8
        ``[rows, columns]`` uint8, greater is brighter. It is thinned to at most `SIDE` cells a side, each as bright as
        its brightest pixel.

    Returns
    -------
    mask, step
        ``[ceil(rows / step), ceil(columns / step)]``, and how many pixels a cell has on each side.
    """
    step = max(1, -(-max(display8.shape) // SIDE))
    thin = _brightest(display8, step)
    width = max(3, round(WINDOW * max(thin.shape)) | 1)
    opened = _running(_running(thin, width, np.minimum), width, np.maximum)
    labels, count = ndimage.label(thin - opened >= CONTRAST, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    is_kept = (sizes >= LEAST) & (sizes <= LARGEST * thin.size)
    is_kept[0] = False
    return is_kept[labels], step


def _running(picture: Grey, width: int, pick: Pick) -> Grey:
    """Least or greatest value of a square window around every cell; beyond the edge the picture goes on as it ends."""
    half = width // 2
    wide = np.pad(picture, half, mode="edge")
    for _ in range(2):
        wide = _along_rows(wide, width, pick).T
    return np.ascontiguousarray(wide)


def _along_rows(values: Grey, width: int, pick: Pick) -> Grey:
    """``pick`` over ``width`` rows from each one on, by doubling; as many rows fewer, less one."""
    have = 1
    while 2 * have <= width:
        values = pick(values[:-have], values[have:])
        have *= 2
    return values if have == width else pick(values[: have - width], values[width - have :])


def _brightest(display8: Grey, step: int) -> Grey:
    """The brightest pixel of every ``step`` by ``step`` cell; the last ones may be smaller."""
    if step == 1:
        return display8
    rows, columns = (np.arange(0, side, step) for side in display8.shape)
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(display8, rows, axis=0), columns, axis=1))
