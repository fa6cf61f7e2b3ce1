"""Fit an image into the model's square, recording every step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radiolucent.records.geometry import Geometry, Pad, Scale


def fit_geometry(
    source_shape: tuple[int, int],
    *,
    model_shape: tuple[int, int],
    pixel_spacing: tuple[float, float] = (1.0, 1.0),
) -> Geometry:
    """Plan how a source image is scaled, keeping its physical aspect, and padded about its centre.

    Parameters
    ----------
    source_shape, model_shape
        ``(rows, columns)``.
    pixel_spacing
        ``(row, column)`` spacing; only the ratio matters (non-square pixels are made square).
    """
    rows, columns = source_shape
    height_mm, width_mm = rows * pixel_spacing[0], columns * pixel_spacing[1]
    factor = min(model_shape[0] / height_mm, model_shape[1] / width_mm)
    height = min(model_shape[0], max(1, round(height_mm * factor)))
    width = min(model_shape[1], max(1, round(width_mm * factor)))
    top, left = (model_shape[0] - height) // 2, (model_shape[1] - width) // 2
    pad = Pad(top=top, bottom=model_shape[0] - height - top, left=left, right=model_shape[1] - width - left)
    return Geometry(source_shape=source_shape, steps=(Scale(height=height, width=width), pad))


def resample(image: NDArray[np.float32], geometry: Geometry, *, fill: float = 0.0) -> NDArray[np.float32]:
    """Carry ``image [rows, columns]`` along ``geometry`` with an antialiased triangle filter (Pillow's BILINEAR).

    Pixels that a `Pad` adds get ``fill``.
    """
    current = np.ascontiguousarray(image, dtype=np.float32)
    for step in geometry.steps:
        if isinstance(step, Pad):
            widths = ((step.top, step.bottom), (step.left, step.right))
            current = np.pad(current, widths, constant_values=fill)
        elif isinstance(step, Scale):
            scaled = Image.fromarray(current).resize((step.width, step.height), Image.Resampling.BILINEAR)
            current = np.asarray(scaled, dtype=np.float32)
        else:
            height, width = step.shape_after(current.shape)
            (_, row), (_, column) = step.affine(current.shape)
            current = current[int(-row) : int(-row) + height, int(-column) : int(-column) + width]
    return np.ascontiguousarray(current)
