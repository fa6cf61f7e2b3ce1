"""Evidence carried from the model's grid to source pixels, exactly along the recorded geometry.

Bilinear interpolation is separable and so is the geometry, so the native map is ``R @ evidence @ C.T`` with one row
of two weights per source row and column: no intermediate image, no rounding of crops or pads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.records.geometry import Geometry


def _weights(n_source: int, *, n_grid: int, n_model: int, scale: float, offset: float) -> NDArray[np.float32]:
    """``[n_source, n_grid]`` bilinear weights; a source pixel outside the model's image takes the nearest cell."""
    model = (np.arange(n_source) + 0.5) * scale + offset
    position = np.clip(model * (n_grid / n_model) - 0.5, 0.0, n_grid - 1.0)
    low = np.minimum(position.astype(np.intp), max(n_grid - 2, 0))
    high_share = position - low
    weights = np.zeros((n_source, n_grid), dtype=np.float32)
    rows = np.arange(n_source)
    weights[rows, low] += 1.0 - high_share
    if n_grid > 1:
        weights[rows, low + 1] += high_share
    return weights


class ToSource:
    """The way of maps over the model's grid to source pixels; its weights are made once for all maps of an image.

    Parameters
    ----------
    grid
        ``(h, w)`` of the maps.
    """

    def __init__(self, grid: tuple[int, ...], geometry: Geometry) -> None:
        (row_scale, row_offset), (col_scale, col_offset) = geometry.affine
        rows, columns = geometry.source_shape
        height, width = geometry.model_shape
        self._left = _weights(rows, n_grid=grid[0], n_model=height, scale=row_scale, offset=row_offset)
        self._right = _weights(columns, n_grid=grid[1], n_model=width, scale=col_scale, offset=col_offset)

    def __call__(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """``[rows, columns]`` float32 on source pixels of a map ``[h, w]``; see `native_map`."""
        return np.ascontiguousarray((self._left @ evidence.astype(np.float32)) @ self._right.T)


def native_map(evidence: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Interpolate ``evidence [h, w]`` to ``geometry.source_shape``.

    Cell ``(i, j)`` stands for the model pixels ``[i * H / h, (i + 1) * H / h) x [j * W / w, (j + 1) * W / w)`` and
    its value for their centre. Values keep their unit (logit per cell).

    Returns
    -------
    ndarray
        ``[rows, columns]`` float32 on source pixels.
    """
    return ToSource(evidence.shape, geometry)(evidence)
