"""A finding's evidence painted over its image, for people to look at.

The image keeps its own pixels: source pixel ``(row, column)`` is found at `Overlay.place` of the picture, magnified
by a whole number where the image is tiny, or reduced by one over a whole number where ``max_side`` asks for it.
Words and the colour bar stand in strips above and below, at least 256 pixels wide.

Colour and opacity follow the *absolute* scale of the finding (`Explanation.scale`): the same evidence has the same
colour and opacity in every patient, whatever else the image shows. Blending is done on 8-bit values through lookup
tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from radiolucent.errors import InvariantBroken
from radiolucent.records.result import Explanation
from radiolucent.report import colour, strip

WARNING = "AI RESULT - NOT FOR DIAGNOSIS"
FLOOR = 0.08
"""Share of the scale up to which nothing is painted."""
OPACITY = 0.52
"""Opacity at full scale."""
_NARROWEST = 256
_OUTLINE, _HALO = (235, 240, 245), (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A picture and where the image lies in it.

    Parameters
    ----------
    pixels
        ``[rows, columns, 3]`` uint8 sRGB.
    image_top, image_left
        First row and column of the image in the picture.
    magnification
        Picture pixels per source pixel: a whole number, or one over a whole number.
    """

    pixels: NDArray[np.uint8]
    image_top: int
    image_left: int
    magnification: float

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where source edge coordinate ``(row, column)`` lies in the picture."""
        return self.image_top + row * self.magnification, self.image_left + column * self.magnification


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What the strip below the image says."""

    finding: str
    probability: float
    confidence: str
    engine_id: str
    engine_version: str
    zone: str = ""

    def lines(self) -> tuple[strip.Line, ...]:
        """The lines, most important first."""
        place = f", {self.zone}" if self.zone else ""
        return (
            strip.Line(text=f"{self.finding}{place}", strong=True),
            strip.Line(text=f"probability {self.probability:.2f}, confidence {self.confidence}"),
            strip.Line(text=f"{self.engine_id} {self.engine_version}"),
        )


def render_overlay(
    display: NDArray[np.float32],
    explanation: Explanation,
    *,
    finding: str,
    probability: float,
    confidence: str,
    engine_id: str,
    engine_version: str,
    colour_map: str = colour.DEFAULT,
    max_side: int | None = None,
) -> Overlay:
    """Paint an explanation over its image.

    Parameters
    ----------
    display
        ``[rows, columns]`` float32 in [0, 1], greater is brighter.
    explanation
        Its map and region are ``[rows, columns]`` as well.
    finding
        Display name.
    max_side
        Reduce by the smallest whole number that brings both sides of the image to at most this; ``None`` for native
        resolution.

    Raises
    ------
    InvariantBroken
        ``overlay_shape``, ``overlay_not_finite``, ``overlay_scale``.
    SettingsError
        ``colour_map``.
    """
    _check(display, explanation)
    lut = colour.table(colour_map)
    factor, shrink = _zoom((display.shape[0], display.shape[1]), max_side)
    image = _painted(_eight_bit(display, shrink), _evidence(explanation, shrink), lut)
    image = _grown(image, factor)
    _outline(image, explanation.region, explanation.region_box, factor=factor, shrink=shrink)
    width = max(image.width, _NARROWEST)
    size = strip.text_size(width, image.height)
    _cross(image, explanation.peak_row_col, factor / shrink, size)
    caption = Caption(
        finding=finding, probability=probability, confidence=confidence, zone=explanation.zone,
        engine_id=engine_id, engine_version=engine_version,
    )  # fmt: skip
    below = strip.footer(caption.lines(), _bar(lut, explanation.scale), width=width, size=size)
    return _assembled(image, strip.banner(WARNING, width=width, size=size), below, factor / shrink)


def render_plain(display: NDArray[np.float32], *, like: Overlay, max_side: int | None = None) -> Overlay:
    """The image without a map, framed to lie pixel on pixel with ``like``, for comparing side by side or blinking.

    ``max_side`` must be the one that ``like`` was made with.
    """
    factor, shrink = _zoom((display.shape[0], display.shape[1]), max_side)
    image = _grown(Image.fromarray(_eight_bit(display, shrink)).convert("RGB"), factor)
    width = like.pixels.shape[1]
    size = strip.text_size(width, image.height)
    above = strip.banner("SOURCE IMAGE, NO MAP", width=width, size=size, is_warning=False)
    framed = Image.new("RGB", (width, like.pixels.shape[0]), strip.GROUND)
    framed.paste(above, (0, 0))
    framed.paste(image, (like.image_left, like.image_top))
    return Overlay(
        pixels=np.asarray(framed), image_top=like.image_top, image_left=like.image_left,
        magnification=factor / shrink,
    )  # fmt: skip


def thumbnail(display: NDArray[np.float32], *, max_side: int = 320) -> NDArray[np.uint8]:
    """A small grey picture of an image, ``[rows, columns]`` uint8."""
    grey = Image.fromarray(_eight_bit(display, _zoom((display.shape[0], display.shape[1]), 2 * max_side)[1]))
    grey.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def opacity() -> NDArray[np.uint8]:
    """``[256]`` uint8 opacity by evidence, where 255 is the full scale: zero up to `FLOOR`, then growing."""
    share = np.arange(256) / 255.0
    risen = np.clip((share - FLOOR) / (1.0 - FLOOR), 0.0, 1.0) ** 0.7
    return np.rint(risen * OPACITY * 255.0).astype(np.uint8)


def _check(display: NDArray[np.float32], explanation: Explanation) -> None:
    """What the painting takes for granted."""
    shapes = {display.shape, explanation.map.shape, explanation.region.shape}
    if len(shapes) != 1 or display.ndim != 2 or 0 in display.shape:
        raise InvariantBroken(
            "overlay_shape",
            found=f"image, map and region of shapes {sorted(shapes)}",
            expected="three arrays of one shape, rows by columns",
            action="Report this as a defect of Radiolucent.",
        )
    if not (np.isfinite(explanation.map.sum(dtype=np.float64)) and np.isfinite(display.sum(dtype=np.float64))):
        raise InvariantBroken(
            "overlay_not_finite",
            found="an image or map with values that are not finite",
            expected="finite values",
            action="Report this as a defect of Radiolucent.",
        )
    if not (np.isfinite(explanation.scale) and explanation.scale > 0):
        raise InvariantBroken(
            "overlay_scale",
            found=f"a colour scale that ends at {explanation.scale}",
            expected="a finite number above zero",
            action="Check map_scale in the engine's manifest.",
        )


def _zoom(shape: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """``(magnify by, reduce by)``, whole numbers of which one is 1."""
    if max_side is not None and max(shape) > max_side:
        return 1, -(-max(shape) // max_side)
    return max(1, -(-_NARROWEST // max(shape))), 1


def _quantised(values: NDArray[np.float32], top: float, shrink: int) -> NDArray[np.uint8]:
    """``values / top`` as 0..255, clipped at both ends, rounded down; block means where reduced."""
    if shrink > 1:
        values = np.asarray(Image.fromarray(np.ascontiguousarray(values, dtype=np.float32)).reduce(shrink))
    scaled = np.multiply(values, np.float32(255.0 / top), dtype=np.float32)
    np.clip(scaled, 0.0, 255.0, out=scaled)
    return scaled.astype(np.uint8)


def _eight_bit(display: NDArray[np.float32], shrink: int) -> NDArray[np.uint8]:
    """The image as 8-bit grey."""
    return _quantised(display, 255.0 / 255.999, shrink)


def _evidence(explanation: Explanation, shrink: int) -> NDArray[np.uint8]:
    """The map on its absolute scale, 255 at full scale and beyond."""
    return _quantised(explanation.map, explanation.scale, shrink)


def _painted(grey: NDArray[np.uint8], evidence: NDArray[np.uint8], lut: NDArray[np.uint8]) -> Image.Image:
    """Grey and colour blended by `opacity`."""
    paint = Image.fromarray(evidence)
    mask = paint.point(opacity().tolist())
    paint.putpalette(lut.tobytes())
    return Image.composite(paint.convert("RGB"), Image.fromarray(grey).convert("RGB"), mask)


def _bar(lut: NDArray[np.uint8], scale: float) -> strip.Bar:
    """The colour bar as it looks over mid grey, from nothing to full scale."""
    grey = np.full((1, 256), 96, dtype=np.uint8)
    pixels = np.asarray(_painted(grey, np.arange(256, dtype=np.uint8)[None], lut))[0]
    ticks = tuple((share, f"{share * scale:.3g}") for share in (0.0, 0.5, 1.0))
    return strip.Bar(pixels=pixels, ticks=ticks, title="evidence, logit per cell")


def _grown(image: Image.Image, factor: int) -> Image.Image:
    """The image magnified by a whole number, each pixel a square."""
    if factor == 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _outline(
    image: Image.Image, region: NDArray[np.bool_], box: tuple[int, int, int, int], *, factor: int, shrink: int
) -> None:
    """Draw the inner edge of ``region``: light, with a dark line inside it for bright anatomy.

    The edge is found on a grid as coarse as the line is thick, which keeps large films quick.
    """
    row, column, height, width = box
    if height < 1 or width < 1:
        return
    thick = max(1, round(max(image.size) / 1100))
    step = thick * shrink
    cells = region[row : row + height : step, column : column + width : step]
    inside = np.pad(cells.repeat(factor, axis=0).repeat(factor, axis=1), 1)
    inner = _eroded(inside)
    light, dark = inside & ~inner, inner & ~_eroded(inner)
    at = (column * factor // shrink - thick, row * factor // shrink - thick)
    for ink, line, strength in ((_HALO, dark, 90), (_OUTLINE, light, 225)):
        mask = Image.fromarray(line.astype(np.uint8) * np.uint8(strength))
        image.paste(ink, at, mask.resize((mask.width * thick, mask.height * thick), Image.Resampling.NEAREST))


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``mask`` less one cell at its edges along rows and columns; its outermost cells are empty already."""
    kept = np.zeros_like(mask)
    kept[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[2:, 1:-1] & mask[:-2, 1:-1] & mask[1:-1, 2:] & mask[1:-1, :-2]
    return kept


def _cross(image: Image.Image, peak: tuple[int, int], magnification: float, size: int) -> None:
    """Four short arms around the peak, open in the middle so that the pixel itself stays in view."""
    row, column = ((index + 0.5) * magnification - 0.5 for index in peak)
    near, far, width = size * 0.3, size * 0.85, max(1, round(size / 14))
    draw = ImageDraw.Draw(image)
    arms = [((0, near), (0, far)), ((0, -near), (0, -far)), ((near, 0), (far, 0)), ((-near, 0), (-far, 0))]
    for ink, extra in ((_HALO, 2 * max(1, width // 2)), (_OUTLINE, 0)):
        for (dx0, dy0), (dx1, dy1) in arms:
            draw.line([(column + dx0, row + dy0), (column + dx1, row + dy1)], fill=ink, width=width + extra)


def _assembled(image: Image.Image, above: Image.Image, below: Image.Image, magnification: float) -> Overlay:
    """Strips and image as one picture; an image narrower than its strips stands in their middle."""
    left = (above.width - image.width) // 2
    picture = Image.new("RGB", (above.width, above.height + image.height + below.height), strip.GROUND)
    picture.paste(above, (0, 0))
    picture.paste(image, (left, above.height))
    picture.paste(below, (0, above.height + image.height))
    return Overlay(pixels=np.asarray(picture), image_top=above.height, image_left=left, magnification=magnification)
