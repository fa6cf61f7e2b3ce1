"""A forearm film: radius and ulna, the radius with a dark oblique line across its shaft."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.phantoms.draw import Plane, blur, clouds, ellipse, grid, soft, words
from radiolucent.phantoms.truth import Marker, box_of, marker

SHAPE = (1920, 1152)
SPACING_MM = 0.14
_BREAK_MM, _SLOPE = (18.0, 22.0), 0.55
"""Middle of the fracture line ``(y, x)`` from the image's centre, and how far it falls per mm to the right."""


def pixels(rng: np.random.Generator) -> tuple[NDArray[np.uint16], Marker, tuple[int, int], tuple[int, int, int, int]]:
    """12-bit MONOCHROME2 pixels ``[1920, 1152]``, the marker, a pixel on the fracture line, and the line's box."""
    y, x = grid(SHAPE, spacing_mm=SPACING_MM)
    flesh = _flesh(y, x) * (0.30 + 0.012 * clouds(SHAPE, cell=90, rng=rng))
    grain = blur(rng.standard_normal(SHAPE, dtype=np.float32), 2.2)
    grain = grain / grain.std()
    radius, line = _radius(y, x, grain)
    density = flesh + 0.50 * (radius + _ulna(y, x, grain)) + 0.42 * _wrist(y, x, grain)
    density -= 0.17 * line
    sign = marker(SHAPE, at=(110, 960), spacing_mm=SPACING_MM, size=0.8)
    density[sign.mask] = 1.0
    density[words(SHAPE, "PHANTOM", at=(1876, 576), size=48)] = 1.0
    density[words(SHAPE, "QA, NOT A PATIENT", at=(40, 576), size=28)] = 0.95
    noise = rng.standard_normal(SHAPE, dtype=np.float32) * (9 + 10 * density)
    values = np.clip(np.rint(150 + 3700 * density + noise), 0, 4095).astype(np.uint16)
    box = box_of(line > 0.5)
    return values, sign, (box[0] + box[2] // 2, box[1] + box[3] // 2), box


def _flesh(y: Plane, x: Plane) -> Plane:
    """The soft tissues, thicker towards the elbow and thin at the wrist."""
    half = 45 - 9 / (1 + np.exp(-(y - 25) / 24)) + 5 * np.sin(y / 50)
    depth = 1 - (x / half) ** 2
    return np.asarray(np.sqrt(np.clip(depth, 0, None)) * soft((half - np.abs(x)), 0.8), dtype=np.float32)


def _shaft(off: Plane, *, half: Plane, wall: Plane, grain: Plane) -> Plane:
    """A tubular bone: cortex of thickness ``wall``, spongy towards the ends; ``off`` from its axis, all in mm."""
    outer = np.sqrt(np.clip(1 - (off / half) ** 2, 0, None))
    cavity = np.clip(half - wall, 0.3, None)
    inner = np.sqrt(np.clip(1 - (off / cavity) ** 2, 0, None)) * (cavity / half)
    spongy = np.clip((half - 7.0) / 6.0, 0, 1)
    return np.asarray((1.45 * outer - (1.15 - 0.55 * spongy) * inner + 0.05 * spongy * grain * outer), dtype=np.float32)


def _radius(y: Plane, x: Plane, grain: Plane) -> tuple[Plane, Plane]:
    """The radius (at the image's right) and its fracture line, whose lower fragment is set off a little."""
    fall = y - _BREAK_MM[0] - _SLOPE * (x - _BREAK_MM[1])
    step = 1.1 * soft(fall, 0.15)
    axis = 17.5 + 6.5 * np.cos(y / 62) - step
    half = 6.2 + 8.5 * np.clip((y - 48) / 42, 0, 1) ** 1.7 + 3.0 * np.clip((-y - 88) / 25, 0, 1) ** 1.5
    wall = np.clip(3.2 - 2.4 * np.clip((np.abs(y - 5) - 40) / 45, 0, 1), 0.6, None)
    bone = _shaft(x - axis, half=half, wall=wall, grain=grain)
    end = 91 + 2.5 * np.cos((x - axis) / 6)
    bone = bone * soft((end - y).astype(np.float32), 0.5) * soft((y + 117).astype(np.float32), 0.6)
    within = soft((half - np.abs(x - axis)).astype(np.float32), 0.3)
    gap = 0.8 + 0.35 * np.sin(x * 2.1) + 0.2 * np.sin(x * 5.3)
    return np.asarray(bone, dtype=np.float32), np.asarray(np.exp(-((fall / gap) ** 2)) * within, dtype=np.float32)


def _ulna(y: Plane, x: Plane, grain: Plane) -> Plane:
    """The ulna (at the image's left): wide at the elbow, a small head and a styloid at the wrist."""
    axis = -15 - 3.0 * np.sin((y + 20) / 55)
    half = 5.6 + 7.5 * np.clip((-y - 60) / 60, 0, 1) ** 1.4 + 2.2 * np.clip((y - 70) / 12, 0, 1)
    wall = np.clip(2.9 - 2.2 * np.clip((np.abs(y) - 45) / 45, 0, 1), 0.6, None)
    bone = _shaft(x - axis, half=half, wall=wall, grain=grain) * soft((86 - y).astype(np.float32), 0.6)
    styloid = soft(ellipse(y, x, at=(88, -23), axes=(5, 2.6)), 0.5) * 0.5
    return np.asarray(np.maximum(bone, styloid), dtype=np.float32)


def _wrist(y: Plane, x: Plane, grain: Plane) -> Plane:
    """The first carpal row and what is below it."""
    places = ((103, 19, 8, 9), (103, 4, 7, 7), (104, -10, 6, 7), (117, 24, 7, 6), (118, 12, 7, 5), (118, 0, 9, 6),
              (118, -13, 8, 7), (107, -20, 4, 4))  # fmt: skip
    total = np.zeros(SHAPE, dtype=np.float32)
    for row, column, tall, wide in places:
        inside = ellipse(y, x, at=(row, column), axes=(tall, wide))
        rim = np.exp(-((inside - 0.9) ** 2) / 0.8)
        total = np.maximum(total, soft(inside, 0.5) * (0.62 + 0.28 * rim + 0.04 * grain)).astype(np.float32)
    return total
