"""Charts as SVG: each is a picture with a name in words, and the page puts its table beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from markupsafe import Markup
from numpy.typing import NDArray

from radiolucent.cohort.measure import Interval
from radiolucent.cohort.validation.performance import Benefit, Bin
from radiolucent.report.colour import table as colours
from radiolucent.report.html import data_uri

ROW, LEFT, PLOT, RIGHT = 22, 220, 360, 130
SIDE, PAD, TOP = 260, 40, 26
BODY_AT = 0.5
Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a forest plot; ``mark``: ``plain`` or ``found`` (beyond chance); ``tick`` is drawn beside it."""

    name: str
    said: Interval
    note: str = ""
    mark: str = "plain"
    tick: float = math.nan


def _svg(width: float, height: float, name: str, body: Sequence[str]) -> Markup:
    head = Markup('<svg class="chart" viewBox="0 0 {w:g} {h:g}" width="{w:g}" role="img" aria-label="{n}">').format(
        w=width, h=height, n=name
    )
    return head + Markup("".join(body)) + Markup("</svg>")  # noqa: S704  made below of numbers and escaped text


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return str(
        Markup('<text x="{x:.1f}" y="{y:.1f}" class="{k}" text-anchor="{a}">{t}</text>').format(
            x=x, y=y, k=kind, a=anchor, t=words
        )
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def forest(lines: Sequence[Line], *, name: str, low: float = 0.0, high: float = 1.0, at: float | None = None) -> Markup:
    """Estimates with their intervals, one a row; a line stands at ``at``."""
    height = ROW * len(lines) + 34
    scale: Scale = lambda v: LEFT + (min(max(v, low), high) - low) / (high - low) * PLOT  # noqa: E731
    out = []
    for tick in np.linspace(low, high, 5):
        out.append(_line(scale(tick), 8, scale(tick), height - 24, "grid"))
        out.append(_text(scale(tick), height - 8, f"{tick:.2f}".rstrip("0").rstrip(".") or "0", "tick", "middle"))
    if at is not None:
        out.append(_line(scale(at), 8, scale(at), height - 24, "rule"))
    for i, line in enumerate(lines):
        y = 8 + ROW * (i + 0.5)
        out.append(_text(LEFT - 12, y + 4, line.name, "name", "end"))
        if math.isnan(line.said.value):
            out.append(_text(scale(low) + 4, y + 4, line.note or "too few to say", "quiet"))
            continue
        if not math.isnan(line.said.low):
            out.append(_line(scale(line.said.low), y, scale(line.said.high), y, f"bar {line.mark}"))
        out.append(f'<circle cx="{scale(line.said.value):.1f}" cy="{y:.1f}" r="4.5" class="dot {line.mark}"/>')
        if not math.isnan(line.tick):
            out.append(_line(scale(line.tick), y - 6, scale(line.tick), y + 6, "tick-mark"))
        out.append(_text(LEFT + PLOT + 12, y + 4, line.note, "note"))
    return _svg(LEFT + PLOT + RIGHT, height, name, out)


def _square(name: str, x_title: str, y_title: str, ticks: Sequence[tuple[float, str]], body: Sequence[str]) -> Markup:
    out = []
    for share, words in ticks:
        x, y = PAD + share * SIDE, TOP + (1 - share) * SIDE
        out += [_line(x, TOP, x, TOP + SIDE, "grid"), _text(x, TOP + SIDE + 16, words, "tick", "middle")]
        out += [_line(PAD, y, PAD + SIDE, y, "grid"), _text(PAD - 6, y + 4, words, "tick", "end")]
    out.append(_text(PAD + SIDE / 2, TOP + SIDE + 34, x_title, "axis", "middle"))
    out.append(_text(PAD, 14, y_title, "axis"))
    return _svg(PAD + SIDE + 16, TOP + SIDE + 42, name, [*out, *body])


TICKS = tuple((i / 4, f"{i / 4:g}") for i in range(5))


def calibration(bins: Sequence[Bin], *, name: str) -> Markup:
    """Share of positives against the probability said, with the line on which both agree."""
    body = [_line(PAD, TOP + SIDE, PAD + SIDE, TOP, "rule")]
    points = []
    for b in bins:
        x = PAD + b.predicted * SIDE
        low, high, middle = (TOP + (1 - v) * SIDE for v in (b.observed.low, b.observed.high, b.observed.value))
        body.append(_line(x, low, x, high, "bar plain"))
        points.append((x, middle))
    body.append('<polyline class="curve" points="{}"/>'.format(" ".join(f"{x:.1f},{y:.1f}" for x, y in points)))
    body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot plain"/>' for x, y in points]
    return _square(name, "probability said", "share that is positive", TICKS, body)


def decision(curve: Sequence[Benefit], *, name: str, prevalence: float) -> Markup:
    """Net benefit of the engine and of calling everyone; calling nobody is the line at 0."""
    top = max(prevalence, 0.01)
    bottom = -0.25 * top

    def at(threshold: float, value: float) -> tuple[float, float]:
        share = (min(max(value, bottom), top) - bottom) / (top - bottom)
        return PAD + threshold / 0.8 * SIDE, TOP + (1 - share) * SIDE

    def curve_of(values: Sequence[tuple[float, float]], kind: str) -> str:
        return '<polyline class="{}" points="{}"/>'.format(kind, " ".join(f"{x:.1f},{y:.1f}" for x, y in values))

    zero = at(0, 0)[1]
    body = [_line(PAD, zero, PAD + SIDE, zero, "rule")]
    for tick in (0.0, top / 2, top):
        body.append(_text(PAD - 6, at(0, tick)[1] + 4, f"{tick:.2f}", "tick", "end"))
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8):
        x = at(tick, 0)[0]
        body += [_line(x, TOP, x, TOP + SIDE, "grid"), _text(x, TOP + SIDE + 16, f"{tick:g}", "tick", "middle")]
    body.append(curve_of([at(b.threshold, b.everyone) for b in curve], "curve quiet"))
    body.append(curve_of([at(b.threshold, b.engine) for b in curve], "curve"))
    return _square(name, "threshold probability", "net benefit (grey: call everyone)", (), body)


def heat(values: NDArray[np.float32], body: NDArray[np.float32], *, top: float, name: str, side: int = 96) -> Markup:
    """A mean map ``[GRID, GRID]`` on a scale up to ``top``, with the outline of the mean body."""
    share = np.clip(values / top if top > 0 else values, 0.0, 1.0)
    pixels = colours()[np.rint(share * 255).astype(int)]
    ground = np.array([18, 22, 27])
    shade = np.sqrt(share)[..., None]
    mixed = np.rint(pixels * shade + ground * (1 - shade)).astype(np.uint8)
    cells = values.shape[0]
    lines = contour_generator(z=np.asarray(body, dtype=np.float64)).lines(BODY_AT)
    drawn = (" ".join(f"{x + 0.5:.2f},{y + 0.5:.2f}" for x, y in np.asarray(line)) for line in lines or ())
    paths = "".join(f'<polyline class="body" points="{points}"/>' for points in drawn)
    image = f'<image href="{data_uri(mixed, quality=None)}" width="{cells}" height="{cells}"/>'
    head = Markup(
        '<svg class="map" viewBox="0 0 {c} {c}" width="{s}" height="{s}" role="img" aria-label="{n}">'
    ).format(c=cells, s=side, n=name)
    return head + Markup(image + paths) + Markup("</svg>")  # noqa: S704  made of numbers
