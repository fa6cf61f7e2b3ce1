"""A frontal chest film: lungs, heart, ribs, clavicles, diaphragm, and an L at the patient's left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.phantoms.draw import Plane, blur, clouds, ellipse, grid, soft, strokes, words
from radiolucent.phantoms.truth import Marker, marker

SHAPE = (2048, 1792)
SPACING_MM = 0.2


def pixels(rng: np.random.Generator) -> tuple[NDArray[np.uint16], Marker]:
    """12-bit MONOCHROME2 pixels ``[2048, 1792]`` and the marker, which shows as bright metal."""
    y, x = grid(SHAPE, spacing_mm=SPACING_MM)
    body = _body(y, x)
    lungs = _lungs(y, x)
    density = body * (0.60 + 0.10 * soft(y - 95, 50))
    density -= lungs * (0.40 + 0.02 * clouds(SHAPE, cell=160, rng=rng))
    density += _middle(y, x) * (0.16 + 0.12 * lungs)
    density += (0.25 + 0.75 * lungs) * 0.075 * _vessels(lungs, rng)
    density += _ribs(y, x) * body
    density += 0.012 * body * clouds(SHAPE, cell=5, rng=rng)
    sign = marker(SHAPE, at=(130, 1600), spacing_mm=SPACING_MM)
    density[sign.mask] = 1.05
    density[words(SHAPE, "PHANTOM", at=(1995, 896), size=64)] = 1.05
    density[words(SHAPE, "QA, NOT A PATIENT", at=(60, 896), size=36)] = 1.0
    noise = rng.standard_normal(SHAPE, dtype=np.float32) * (8 + 10 * density)
    return np.clip(np.rint(180 + 3500 * density + noise), 0, 4095).astype(np.uint16), sign


def _body(y: Plane, x: Plane) -> Plane:
    """Neck, shoulders, chest wall."""
    slope = 168 / (1 + np.exp(-(y + 172) / 9)) + 44
    wall = np.minimum(slope, 160 + 0.0016 * (y + 60) ** 2 + 0.25 * np.logaddexp(0, -(y + 110) / 8) * 8)
    return soft((wall - np.abs(x)).astype(np.float32), 5)


def _lung(y: Plane, x: Plane, *, side: int) -> Plane:
    """One lung; ``side`` is -1 at the image's left, 1 at its right."""
    u = x * side
    lateral = 58 + 76 * np.clip((y + 152) / 230, 0, 1) ** 0.55
    medial = 21 + 10 * np.clip((y - 10) / 70, 0, 1) - 5 * np.clip((-y - 90) / 60, 0, 1)
    apex = y + 152 - 0.012 * (u - 52) ** 2
    dome = (72 if side < 0 else 82) + 0.0085 * np.maximum(u - 62, 0) ** 2 + 0.004 * np.minimum(u - 62, 0) ** 2
    edges = [soft(d.astype(np.float32), w) for d, w in
             ((lateral - u, 3.0), (u - medial, 2.5), (apex, 7.0), (dome - y, 1.6))]  # fmt: skip
    return np.asarray(edges[0] * edges[1] * edges[2] * edges[3], dtype=np.float32)


def _lungs(y: Plane, x: Plane) -> Plane:
    return np.maximum(_lung(y, x, side=-1), _lung(y, x, side=1))


def _middle(y: Plane, x: Plane) -> Plane:
    """Heart with its apex at the patient's left, aortic knob, great vessels, spine, trachea, gastric bubble."""
    heart = soft(ellipse(y, x, at=(38, 26), axes=(62, 50), turn_deg=-38), 2.0)
    atrium = soft(ellipse(y, x, at=(38, -12), axes=(42, 30)), 2.0)
    knob = soft(ellipse(y, x, at=(-62, 20), axes=(17, 15)), 2.0)
    trunk = soft(ellipse(y, x, at=(-26, 20), axes=(26, 18)), 2.5)
    column = soft((26 - np.abs(x) + 0 * y).astype(np.float32), 4) * soft((130 - np.abs(y + 20)), 20)
    above = soft((78 - y).astype(np.float32), 9)
    shadow = np.maximum.reduce([heart * above, 0.8 * atrium * above, 0.9 * knob, 0.8 * trunk, 0.85 * column])
    discs = 0.5 + 0.5 * np.cos(2 * np.pi * y / 23)
    spine = soft((17 - np.abs(x) + 0 * y).astype(np.float32), 2) * (0.16 + 0.13 * discs)
    trachea = soft((8.5 - np.abs(x + 2) + 0 * y).astype(np.float32), 1.8) * soft(-66 - y, 8) * 0.42
    belly = soft((y - 66).astype(np.float32), 8) * 0.45 * soft((150 - np.abs(x)).astype(np.float32), 12)
    bubble = soft(ellipse(y, x, at=(104, 66), axes=(13, 23), turn_deg=8), 2.0) * 0.7
    return np.asarray(np.maximum(shadow * 0.9, belly) + spine - trachea + 0.3 * belly - bubble, dtype=np.float32)


def _vessels(lungs: Plane, rng: np.random.Generator) -> Plane:
    """Vessels branching out of the hila, thinner and fainter towards the edge."""
    lines: list[tuple[list[tuple[float, float]], float]] = []

    def grow(at: tuple[float, float], angle: float, width: float, length: float) -> None:
        points = [at]
        for _ in range(6):
            angle += rng.normal(0, 0.10)
            at = (at[0] + length / 6 * np.sin(angle), at[1] + length / 6 * np.cos(angle))
            points.append(at)
        lines.append((points, width))
        if width > 5:
            for turn in (-0.42, 0.38):
                grow(at, angle + turn + rng.normal(0, 0.12), width * 0.68, length * 0.74)

    for column, facing in ((718, np.pi), (1090, 0.0)):
        for fan in np.linspace(-1.15, 1.2, 6):
            grow((960 + rng.normal(0, 25), column), facing + fan * (1 if facing == 0 else -1), 24.0, 170.0)
    return np.asarray(blur(strokes(SHAPE, lines), 4.0) * np.minimum(lungs * 1.3, 1.0), dtype=np.float32)


def _ribs(y: Plane, x: Plane) -> Plane:
    """Ribs with brighter edges (posterior ones falling outwards, anterior ones inwards), clavicles, scapulae."""
    u = np.abs(x)
    total = np.zeros(SHAPE, dtype=np.float32)
    for index in range(9):
        start = -150 + index * 26.5
        reach = 82 + 54 * min(1.0, (index + 0.6) / 5) ** 0.6
        line = start - 11 * np.sin(np.clip(u / reach, 0, 1) * 2.1) + 44 * (u / reach) ** 3
        total += 0.055 * _bone(y - line, 5.4) * soft((reach - u), 2.5) * soft((u - 18), 6)
        if index in (1, 2, 3, 4, 5):
            front = start + 40 + 30 * np.clip((reach - u) / 75, 0, 1) ** 1.4
            total += 0.032 * _bone(y - front, 6.5) * soft((reach - u), 2.5) * soft((u - 58), 12)
    collar = -137 - 9 * np.sin((u - 20) / 38) - 0.10 * (u - 30)
    total += 0.10 * _bone(y - collar, 6.0) * soft((u - 15), 2.5) * soft((128 - u), 5)
    blade = 122 + 0.16 * (y + 110)
    total += 0.05 * soft((u - blade), 2.0) * soft((y + 140), 8) * soft((-y - 8), 8) * soft((172 - u), 10)
    return total


def _bone(off: Plane, half: float) -> Plane:
    """A tube seen from the side: brighter walls; ``off`` in mm from its centre line."""
    outer = np.sqrt(np.clip(1 - (off / half) ** 2, 0, None))
    inner = np.sqrt(np.clip(1 - (off / (half * 0.72)) ** 2, 0, None))
    return np.asarray(1.7 * outer - 0.85 * inner, dtype=np.float32)
