"""The outline of a region as a polygon in DICOM image coordinates.

DICOM counts ``(column, row)`` from the top left corner of the top left pixel, whose bottom right corner is (1, 1)
(PS3.3 C.18.6.1.2 for SCOORD, C.10.5.1.2 for graphic annotations in PIXEL units): these are our edge coordinates with
their order turned round. A polygon here runs along pixel edges, so filling it gives the region back exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_VERTICES = 400
_FIRST_TOLERANCE = 0.75
Corner = tuple[int, int]
# Headings on the (row, column) grid, clockwise; the region is on the right hand.
_EAST, _SOUTH, _WEST, _NORTH = (0, 1), (1, 0), (0, -1), (-1, 0)
_CLOCKWISE = (_EAST, _SOUTH, _WEST, _NORTH)


def outline(region: NDArray[np.bool_], *, max_vertices: int = MAX_VERTICES) -> NDArray[np.float64]:
    """Closed outer outline ``[n, 2]`` as ``(column, row)``; the first point is repeated at the end.

    Starts at the first region pixel in reading order and follows everything joined to it, corners included. Holes are
    not followed. Where there are more than ``max_vertices`` corners the outline is simplified, by the least tolerance
    (doubling from 0.75 pixel) that suffices.

    Examples
    --------
    >>> outline(np.array([[False, True]])).tolist()
    [[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    """
    points = np.array(_walk(np.pad(region, 1)), dtype=np.float64) - 1.0
    tolerance = _FIRST_TOLERANCE
    simplified = points
    while len(simplified) > max_vertices:
        simplified = _simplify(points, tolerance)
        tolerance *= 2
    return np.vstack([simplified, simplified[:1]])[:, ::-1]


def box_outline(box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Closed outline of ``(row, column, height, width)`` as ``[5, 2]`` of ``(column, row)``."""
    row, column, height, width = box
    bottom, right = row + height, column + width
    corners = [(column, row), (right, row), (right, bottom), (column, bottom), (column, row)]
    return np.array(corners, dtype=np.float64)


def _walk(padded: NDArray[np.bool_]) -> list[Corner]:
    """Corners of the outer edge, clockwise, from the upper left corner of the first pixel; only true corners."""
    first = int(np.argmax(padded))
    start: Corner = (first // padded.shape[1], first % padded.shape[1])
    corners: list[Corner] = [start]
    at, heading = start, 0
    while True:
        step = _CLOCKWISE[heading]
        at = (at[0] + step[0], at[1] + step[1])
        turned = _turn(padded, at, heading)
        if at == start and turned == 0:
            return corners
        if turned != heading:
            corners.append(at)
        heading = turned


def _turn(padded: NDArray[np.bool_], at: Corner, heading: int) -> int:
    """The next heading: left if the pixel ahead on the left is in, straight if the one on the right is, else right."""
    row, column = at
    ahead = {  # (ahead left, ahead right) of a corner, per heading
        0: ((row - 1, column), (row, column)),
        1: ((row, column), (row, column - 1)),
        2: ((row, column - 1), (row - 1, column - 1)),
        3: ((row - 1, column - 1), (row - 1, column)),
    }[heading]
    if padded[ahead[0]]:
        return (heading - 1) % 4
    return heading if padded[ahead[1]] else (heading + 1) % 4


def _simplify(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Douglas-Peucker over a closed outline, split at the point farthest from the first."""
    far = int(np.argmax(np.linalg.norm(points - points[0], axis=1)))
    closed = np.vstack([points, points[:1]])
    keep = np.zeros(len(closed), dtype=bool)
    keep[[0, far, -1]] = True
    spans = [(0, far), (far, len(closed) - 1)]
    while spans:
        begin, end = spans.pop()
        if end - begin < 2:
            continue
        distances = _distances(closed[begin + 1 : end], closed[begin], closed[end])
        worst = int(np.argmax(distances))
        if distances[worst] > tolerance:
            middle = begin + 1 + worst
            keep[middle] = True
            spans += [(begin, middle), (middle, end)]
    return closed[:-1][keep[:-1]]


def _distances(
    points: NDArray[np.float64], begin: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    along = end - begin
    length = float(np.hypot(*along))
    offset = points - begin
    if length == 0:
        return np.hypot(offset[:, 0], offset[:, 1])
    distances: NDArray[np.float64] = np.abs(along[0] * offset[:, 1] - along[1] * offset[:, 0]) / length
    return distances
