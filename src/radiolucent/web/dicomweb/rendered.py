"""A frame as a picture for people (PS3.18 8.3.5 and 10.4.1.1.3): windowed, cut out and scaled, JPEG or PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refusing
from radiolucent.prepare.decode import decode
from radiolucent.prepare.header import cannot_decode
from radiolucent.prepare.lut import WindowFunction, full_range_display, window_display
from radiolucent.prepare.stored import stored_values
from radiolucent.records.image import ImageFacts
from radiolucent.web.dicomweb.pixels import Pixels
from radiolucent.web.dicomweb.problems import bad_parameter

FUNCTIONS: dict[str, WindowFunction] = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
PARAMETERS = frozenset(("window", "viewport", "quality", "accept"))
MAX_SIDE = 16_384
DEFAULT_QUALITY = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How a picture shall look.

    Parameters
    ----------
    window
        Centre and width in modality units, and the function; the image's own by default.
    viewport
        ``(columns, rows)`` into which the picture is fitted, its shape kept.
    region
        ``(left, top, width, height)`` in source pixels; a negative width or height mirrors.
    quality
        Of a JPEG, 1 to 100.
    """

    window: tuple[float, float, WindowFunction] | None = None
    viewport: tuple[int, int] | None = None
    region: tuple[float, float, float, float] | None = None
    quality: int = DEFAULT_QUALITY


def read_rendering(parameters: Mapping[str, str], *, max_pixels: int) -> Rendering:
    """The parameters of a rendered resource.

    Raises
    ------
    InputRefused
        ``request_parameter``.
    """
    if set(parameters) - PARAMETERS:
        raise bad_parameter("an unknown parameter", "window, viewport, quality or accept")
    quality = parameters.get("quality", str(DEFAULT_QUALITY))
    if not quality.isascii() or not quality.isdigit() or not 1 <= int(quality[:4]) <= 100:
        raise bad_parameter("a malformed quality", "1 to 100")
    viewport, region = _viewport(parameters.get("viewport"), max_pixels)
    return Rendering(window=_window(parameters.get("window")), viewport=viewport, region=region, quality=int(quality))


def _window(text: str | None) -> tuple[float, float, WindowFunction] | None:
    if text is None:
        return None
    centre, width, function = (*text.split(","), "", "")[:3] if text.count(",") <= 2 else ("", "", "")
    numbers = _floats([centre, width])
    if numbers is None or numbers[1] <= 0 or (function and function.lower() not in FUNCTIONS):
        raise bad_parameter("a malformed window", "centre,width[,linear|linear-exact|sigmoid], the width above 0")
    chosen = FUNCTIONS[function.lower() or "linear"]
    if chosen == "LINEAR" and numbers[1] < 1:
        chosen = "LINEAR_EXACT"
    return numbers[0], numbers[1], chosen


def _viewport(
    text: str | None, max_pixels: int
) -> tuple[tuple[int, int] | None, tuple[float, float, float, float] | None]:
    if text is None:
        return None, None
    parts = text.split(",")
    size = _floats(parts[:2])
    if size is None or len(parts) not in (2, 6) or not all(1 <= x <= MAX_SIDE for x in size):
        raise bad_parameter("a malformed viewport", f"columns,rows[,left,top,width,height], at most {MAX_SIDE} a side")
    if size[0] * size[1] > max_pixels:
        raise bad_parameter("a viewport that is too large", f"at most {max_pixels} pixels")
    if len(parts) == 2:
        return (int(size[0]), int(size[1])), None
    region = _floats([part or default for part, default in zip(parts[2:], ("0", "0", "inf", "inf"), strict=True)])
    if region is None or region[2] == 0 or region[3] == 0 or any(x < 0 for x in region[:2]):
        raise bad_parameter("a malformed region of the viewport", "left,top,width,height; a side may be negative")
    return (int(size[0]), int(size[1])), (region[0], region[1], region[2], region[3])


def _floats(parts: list[str]) -> list[float] | None:
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    is_bad = any(math.isnan(x) or (math.isfinite(x) and abs(x) > 1e9) for x in numbers)
    return None if is_bad or (len(parts) == 2 and not all(map(math.isfinite, numbers))) else numbers


def render(pixels: Pixels, frame: int, how: Rendering, *, media_type: str) -> bytes:
    """A frame as ``image/jpeg`` or ``image/png``.

    Raises
    ------
    InputRefused
        ``no_such_frame``, ``cannot_decode`` and the like, ``request_parameter`` for a region outside the image.
    """
    pixels.check(frame)
    picture = Image.fromarray(_display(pixels, frame, how.window))
    picture = _placed(picture, how)
    out = io.BytesIO()
    if media_type == "image/png":
        picture.save(out, "PNG", compress_level=3)
    else:
        picture.save(out, "JPEG", quality=how.quality)
    return out.getvalue()


def _display(pixels: Pixels, frame: int, window: tuple[float, float, WindowFunction] | None) -> NDArray[np.uint8]:
    """``[rows, columns]`` or ``[rows, columns, 3]``, 8 bits; a window is for grey images only (PS3.3 C.11.2)."""
    if pixels.bits == 1 and not pixels.source.is_encapsulated:
        bits = np.unpackbits(np.frombuffer(pixels.native(frame), np.uint8), bitorder="little")
        return bits[: pixels.rows * pixels.columns].reshape(pixels.rows, pixels.columns) * np.uint8(255)
    if pixels.element.keyword != "PixelData":
        return _bytes(_float_display(pixels, frame, window))
    single = pixels.single(frame)
    if single.layout.samples == 3 or single.layout.photometric == "PALETTE COLOR":
        array, full_scale = stored_values(single), 2**single.layout.bits_stored - 1
        if array.ndim == 2:
            with refusing(_bad_palette):
                array = apply_color_lut(array, single.dataset)[..., :3]
            full_scale = 2 ** (8 * array.dtype.itemsize) - 1
        return array.astype(np.uint8) if full_scale == 255 else _bytes(array.astype(np.float32) / full_scale)
    layout = single.layout
    frame_facts = ImageFacts(stem="", source_sha256="", rows=layout.rows, columns=layout.columns)
    decoded = decode(single, facts=frame_facts)
    if window is None:
        return _bytes(decoded.display)
    shown = window_display(decoded.values, centre=window[0], width=window[1], function=window[2])
    if "inverted" in decoded.notes:
        np.subtract(1.0, shown, out=shown)
    if decoded.valid is not None:
        shown[~decoded.valid] = 0.0
    return _bytes(shown)


def _float_display(
    pixels: Pixels, frame: int, window: tuple[float, float, WindowFunction] | None
) -> NDArray[np.float32]:
    values = np.frombuffer(pixels.plain(frame), f"<f{pixels.bits // 8}").astype(np.float32)
    values = values.reshape(pixels.rows, pixels.columns)
    valid = np.isfinite(values)
    if window is None:
        shown = full_range_display(np.where(valid, values, 0), valid)
    else:
        shown = window_display(np.where(valid, values, 0), centre=window[0], width=window[1], function=window[2])
    shown[~valid] = 0.0
    return shown


def _bytes(display: NDArray[np.floating]) -> NDArray[np.uint8]:
    return cast("NDArray[np.uint8]", np.rint(np.clip(display, 0.0, 1.0) * 255.0).astype(np.uint8))


def _placed(picture: Image.Image, how: Rendering) -> Image.Image:
    if how.region is not None:
        left, top, width, height = how.region
        box = (
            int(left),
            int(top),
            int(min(picture.width, left + abs(width))),
            int(min(picture.height, top + abs(height))),
        )
        if box[2] <= box[0] or box[3] <= box[1]:
            raise bad_parameter("a region outside the image", "a region with pixels in it")
        picture = picture.crop(box)
        if width < 0:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if height < 0:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if how.viewport is not None:
        scale = min(how.viewport[0] / picture.width, how.viewport[1] / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return picture


def _bad_palette() -> InputRefused:
    return cannot_decode("", "its palette cannot be applied")
