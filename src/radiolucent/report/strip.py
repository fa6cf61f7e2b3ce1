"""The strips above and below an image: words and a colour bar, beside the anatomy and not over it.

Text is set in the scalable font that comes with Pillow (Aileron, CC0), which knows Latin letters; what it lacks is
written as its base letter, or as ``?``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GROUND = (11, 13, 16)
INK = (232, 237, 242)
DIM = (152, 164, 176)
BANNER = (64, 47, 14)
BANNER_INK = (255, 214, 140)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One caption line; ``strong`` for the finding's name."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A colour bar: ``pixels [256, 3]`` uint8 from no evidence to full scale, its ticks and its unit."""

    pixels: NDArray[np.uint8]
    ticks: tuple[tuple[float, str], ...]
    title: str


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, ``size`` pixels high."""
    return ImageFont.load_default(size=size)


def text_size(width: int, height: int) -> int:
    """Height of a text line's font, in pixels, for a picture of an image ``width x height``: 11 to 96."""
    return int(np.clip(round(min(width, 1.6 * height) / 40), 11, 96))


def printable(text: str) -> str:
    """``text`` in ASCII on one line, as the font can show it."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\N{EN DASH}", "-"))
    base = "".join(c for c in decomposed if not unicodedata.combining(c))
    flat = " ".join(base.split())
    return "".join(c if " " <= c <= "~" else "?" for c in flat)


def _fit(words: str, width: float, size: int) -> list[str]:
    """Break a line of words so that each part fits ``width`` pixels; a longer word is cut."""
    lines: list[str] = []
    current = ""
    for word in words.split(" "):
        candidate = f"{current} {word}".strip()
        if font(size).getlength(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        while len(word) > 1 and font(size).getlength(word) > width:
            word = word[:-2] + "."
        current = word
    return [*lines, current] if current else lines


def banner(text: str, *, width: int, size: int, is_warning: bool = True) -> Image.Image:
    """The strip above the image: one sentence, on amber if a warning, made smaller where it does not fit."""
    ground, ink = (BANNER, BANNER_INK) if is_warning else (GROUND, DIM)
    text = printable(text)
    strip = Image.new("RGB", (width, round(size * 1.9)), ground)
    while size > 7 and font(size).getlength(text) > width - size:
        size -= 1
    ImageDraw.Draw(strip).text((width / 2, strip.height / 2), text, fill=ink, font=font(size), anchor="mm")
    return strip


def footer(lines: tuple[Line, ...], bar: Bar | None, *, width: int, size: int) -> Image.Image:
    """The strip below the image: caption at the left, colour bar at the right or, in a narrow picture, under it."""
    margin = size
    beside = bar is not None and width >= 30 * size
    bar_width = int(min(max(11 * size, 0.34 * width), 20 * size)) if beside else width - 2 * margin
    room = width - 2 * margin - (bar_width + 2 * size if beside else 0)
    caption = _caption(lines, width=room, size=size)
    scale = None if bar is None else _bar(bar, width=bar_width, size=size)
    heights = [caption.height, scale.height if scale else 0]
    height = max(heights) if beside else sum(heights) + (size // 2 if scale else 0)
    strip = Image.new("RGB", (width, height + 2 * margin), GROUND)
    strip.paste(caption, (margin, margin))
    if scale is not None:
        left = width - margin - bar_width
        strip.paste(scale, (left, margin if beside else margin + caption.height + size // 2))
    return strip


def _caption(lines: tuple[Line, ...], *, width: int, size: int) -> Image.Image:
    """The caption, wrapped to ``width``."""
    rows = [
        (part, round(size * 1.25) if line.strong else size, INK if line.strong else DIM)
        for line in lines
        for part in _fit(printable(line.text), width, round(size * 1.25) if line.strong else size)
    ]
    height = sum(round(pixels * 1.4) for _, pixels, _ in rows)
    picture = Image.new("RGB", (max(width, 1), max(height, 1)), GROUND)
    draw, top = ImageDraw.Draw(picture), 0
    for text, pixels, ink in rows:
        draw.text((0, top), text, fill=ink, font=font(pixels))
        top += round(pixels * 1.4)
    return picture


def _bar(bar: Bar, *, width: int, size: int) -> Image.Image:
    """The colour bar with its title above and its ticks below."""
    line, thick, tick = round(size * 1.4), max(size, 8), max(size // 4, 2)
    picture = Image.new("RGB", (width, line + thick + tick + line), GROUND)
    draw = ImageDraw.Draw(picture)
    title = _fit(printable(bar.title), width, size)
    draw.text((0, 0), title[0] if title else "", fill=DIM, font=font(size))
    ramp = Image.fromarray(np.broadcast_to(bar.pixels[None], (thick, 256, 3)).copy())
    picture.paste(ramp.resize((width, thick), Image.Resampling.BILINEAR), (0, line))
    for place, text in bar.ticks:
        column = round(place * (width - 1))
        anchor = "la" if place < 0.05 else "ra" if place > 0.95 else "ma"
        draw.line([(column, line + thick), (column, line + thick + tick)], fill=DIM, width=max(size // 12, 1))
        draw.text((column, line + thick + tick), text, fill=DIM, font=font(size), anchor=anchor)
    return picture
