"""A few strokes for drawing anatomy with numpy: soft edges, blur, noise, words."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Plane: TypeAlias = "NDArray[np.floating[Any]]"
"""An image or a coordinate axis that broadcasts to one."""


def grid(shape: tuple[int, int], *, spacing_mm: float) -> tuple[Plane, Plane]:
    """``(y, x)`` in mm from the image's centre, y down, x to the right; each broadcastable to ``shape``."""
    y = (np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2) * spacing_mm
    x = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2) * spacing_mm
    return y[:, None], x[None, :]


def soft(distance: Plane, width: float) -> Plane:
    """1 well inside (``distance > 0``), 0 well outside, an edge about ``width`` wide."""
    return np.asarray(0.5 + 0.5 * np.tanh(distance / width), dtype=np.float32)


def ellipse(y: Plane, x: Plane, *, at: tuple[float, float], axes: tuple[float, float], turn_deg: float = 0.0) -> Plane:
    """Approximate distance in mm to the edge of an ellipse, positive inside.

    ``at`` and ``axes`` are ``(y, x)``; ``turn_deg`` turns it clockwise on the image.
    """
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    dy, dx = y - at[0], x - at[1]
    along, across = dy * c - dx * s, dx * c + dy * s
    radius = np.hypot(along / axes[0], across / axes[1])
    return np.asarray((1.0 - radius) * min(axes), dtype=np.float32)


def blur(image: Plane, radius: float) -> Plane:
    """Gaussian blur of ``radius`` pixels."""
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return image
    scaled = Image.fromarray(((image - low) / (high - low) * 255).astype(np.uint8))
    smooth = np.asarray(scaled.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    return np.asarray(smooth / 255 * (high - low) + low, dtype=np.float32)


def clouds(shape: tuple[int, int], *, cell: float, rng: np.random.Generator) -> Plane:
    """Smooth random texture with grains of about ``cell`` pixels, mean 0, standard deviation near 1."""
    coarse = (max(2, round(shape[0] / cell) + 2), max(2, round(shape[1] / cell) + 2))
    field = Image.fromarray(rng.standard_normal(coarse).astype(np.float32))
    smooth = np.asarray(field.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float32)
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6), dtype=np.float32)


def strokes(shape: tuple[int, int], lines: list[tuple[list[tuple[float, float]], float]]) -> Plane:
    """Lines ``([(row, column), ...], width)`` in pixels as 1 on 0, drawn at half resolution."""
    layer = Image.new("L", (shape[1] // 2, shape[0] // 2))
    draw = ImageDraw.Draw(layer)
    for points, width in lines:
        draw.line([(c / 2, r / 2) for r, c in points], fill=255, width=max(1, round(width / 2)), joint="curve")
    whole = layer.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(np.asarray(whole, dtype=np.float32) / 255, dtype=np.float32)


def words(shape: tuple[int, int], text: str, *, at: tuple[float, float], size: int) -> NDArray[np.bool_]:
    """Where ``text``, centred at pixel ``at`` (row, column), has ink."""
    layer = Image.new("L", (shape[1], shape[0]))
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(layer).text((at[1], at[0]), text, fill=255, font=font, anchor="mm")
    return np.asarray(layer) > 127
