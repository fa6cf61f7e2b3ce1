"""How model pixels relate to source pixels: a chain of axis-aligned steps, each with its inverse.

Coordinates are continuous *edge* coordinates in ``(row, column)`` order: pixel ``i`` covers ``[i, i + 1)`` and its
centre is ``i + 0.5``. Every step is affine and separable, ``model = source * scale + offset`` per axis, so a chain
composes to one scale and one offset per axis and inverts exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Step(Protocol):
    """One recorded geometric step."""

    def shape_after(self, shape: tuple[int, int], /) -> tuple[int, int]:
        """``(rows, columns)`` after this step."""
        ...

    def affine(self, shape: tuple[int, int], /) -> tuple[tuple[float, float], tuple[float, float]]:
        """``((row_scale, row_offset), (col_scale, col_offset))`` for an image of ``shape``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Keep ``height x width`` pixels from ``(row, column)`` on."""

    row: int
    column: int
    height: int
    width: int

    def shape_after(self, _shape: tuple[int, int], /) -> tuple[int, int]:
        """See `Step`."""
        return (self.height, self.width)

    def affine(self, _shape: tuple[int, int], /) -> tuple[tuple[float, float], tuple[float, float]]:
        """See `Step`."""
        return (1.0, -float(self.row)), (1.0, -float(self.column))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """Add pixels of no meaning on each side."""

    top: int
    bottom: int
    left: int
    right: int

    def shape_after(self, shape: tuple[int, int], /) -> tuple[int, int]:
        """See `Step`."""
        return (shape[0] + self.top + self.bottom, shape[1] + self.left + self.right)

    def affine(self, _shape: tuple[int, int], /) -> tuple[tuple[float, float], tuple[float, float]]:
        """See `Step`."""
        return (1.0, float(self.top)), (1.0, float(self.left))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Resample to ``height x width``; each axis has its own factor, so pixels need not be square."""

    height: int
    width: int

    def shape_after(self, _shape: tuple[int, int], /) -> tuple[int, int]:
        """See `Step`."""
        return (self.height, self.width)

    def affine(self, shape: tuple[int, int], /) -> tuple[tuple[float, float], tuple[float, float]]:
        """See `Step`."""
        return (self.height / shape[0], 0.0), (self.width / shape[1], 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The way from a source image to the model's input, and back.

    Parameters
    ----------
    source_shape
        ``(rows, columns)`` of the source image.
    steps
        What was done, in order.
    """

    source_shape: tuple[int, int]
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Geometry:
        """The same way with one more step at its end."""
        return Geometry(source_shape=self.source_shape, steps=(*self.steps, step))

    @property
    def model_shape(self) -> tuple[int, int]:
        """``(rows, columns)`` after the last step."""
        shape = self.source_shape
        for step in self.steps:
            shape = step.shape_after(shape)
        return shape

    @property
    def affine(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """``((row_scale, row_offset), (col_scale, col_offset))``: ``model = source * scale + offset``."""
        shape = self.source_shape
        (row_scale, row_offset), (col_scale, col_offset) = (1.0, 0.0), (1.0, 0.0)
        for step in self.steps:
            (rs, ro), (cs, co) = step.affine(shape)
            row_scale, row_offset = row_scale * rs, row_offset * rs + ro
            col_scale, col_offset = col_scale * cs, col_offset * cs + co
            shape = step.shape_after(shape)
        return (row_scale, row_offset), (col_scale, col_offset)

    def to_model(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map ``[..., 2]`` source edge coordinates ``(row, column)`` to model edge coordinates."""
        scale, offset = np.array(self.affine).T
        return np.asarray(points * scale + offset, dtype=np.float64)

    def to_source(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map ``[..., 2]`` model edge coordinates ``(row, column)`` back to source edge coordinates."""
        scale, offset = np.array(self.affine).T
        return np.asarray((points - offset) / scale, dtype=np.float64)
