"""What an engine was meant to reach, beside what was measured: the card's first table.

A target names a figure: ``tumor.auc``, ``tumor[source=LGG].sensitivity_at[0.90]``, ``fracture[hardware=0].hit_rate``,
``anatomy[lung].peaks_expected``, ``kinds[source=Cheng].accuracy``, ``all.macro_auc``, ``speed.image_ms``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radiolucent.cohort.evaluation import Evaluation, FindingFigures
from radiolucent.cohort.measure import NOTHING, Interval

PATH = re.compile(r"^(?P<what>\w+)(\[(?P<part>[^\]]+)\])?\.(?P<name>\w+)(\[(?P<item>[^\]]+)\])?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure and what it was measured on, in words."""

    value: Interval
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A wanted bound on a figure, and what came of it."""

    text: str
    wanted: str
    figure: Figure
    verdict: str


NOT_THERE = Figure(value=NOTHING, on="no such data in test")


def targets(manifest: Mapping[str, Any], evaluation: Evaluation) -> list[Target]:
    """The targets of the manifest's ``[card]`` table (``text``, ``figure``, ``at_least`` or ``at_most``)."""
    out = []
    for wish in manifest.get("card", {}).get("targets", ()):
        low, high = wish.get("at_least", -math.inf), wish.get("at_most", math.inf)
        found = figure(evaluation, wish["figure"])
        bound = f"at least {low:g}" if high == math.inf else f"at most {high:g}"
        out.append(Target(text=wish["text"], wanted=bound, figure=found, verdict=_verdict(found.value, low, high)))
    return out


def _verdict(found: Interval, low: float, high: float) -> str:
    if math.isnan(found.value):
        return "not measured"
    if not low <= found.value <= high:
        return "**not met**"
    return "met" if low <= found.low and found.high <= high else "met, but the interval reaches beyond"


def figure(evaluation: Evaluation, path: str) -> Figure:
    """The figure of a path; `NOT_THERE` where test holds no such data.

    Raises
    ------
    ValueError
        A path that names nothing that is ever measured.
    """
    match = PATH.match(path)
    if match is None:
        raise ValueError(f"not a figure: {path}")
    what, part, name, item = (match[group] for group in ("what", "part", "name", "item"))
    if what == "all":
        return _overall(evaluation, name)
    if what == "speed":
        speed = evaluation.speed
        if speed is None:
            return NOT_THERE
        return Figure(value=getattr(speed, name), on=f"{speed.rounds} rounds, {speed.threads} threads")
    if what == "kinds":
        rows = [k for k in evaluation.kinds if part in (None, f"{k.by}={k.value}")]
        return Figure(value=rows[0].accuracy, on=_many(rows[0].images, rows[0].groups)) if rows else NOT_THERE
    if what == "anatomy":
        found = evaluation.anatomy.get(part or "")
        return NOT_THERE if found is None else Figure(value=getattr(found, name), on=_many(found.images, found.groups))
    return _of_finding(next(f for f in evaluation.findings if f.key == what), part, name, item)


def _many(images: int, groups: int) -> str:
    return f"{images} images of {groups} groups"


def _overall(evaluation: Evaluation, name: str) -> Figure:
    if name == "macro_auc":
        return Figure(value=evaluation.macro_auc, on=f"{evaluation.macro_findings} findings with 20 or more positives")
    trust = evaluation.trust
    if name == "warned_false":
        return Figure(value=trust.warned_false, on=f"{trust.false_calls} false calls")
    words = {"high_minus_moderate": ("high", "moderate"), "moderate_minus_low": ("moderate", "low")}[name]
    return Figure(value=getattr(trust, name), on=", ".join(f"{trust.calls[w]} calls {w}" for w in words))


def _of_finding(row: FindingFigures, part: str | None, name: str, item: str | None) -> Figure:
    if name in {"hit_rate", "mean_iou"}:
        if part is None:
            place = row.places
            return Figure(value=getattr(place, name), on=f"{place.places} places of {place.groups} groups")
        for inside in row.places.slices:
            if f"{inside.by}={inside.value}" == part:
                return Figure(value=getattr(inside, name), on=f"{inside.places} places of {inside.groups} groups")
        return NOT_THERE
    if part is not None:
        for cut in row.slices:
            if f"{cut.by}={cut.value}" == part:
                value = getattr(cut, name)
                return Figure(
                    value=value if item is None else value[item],
                    on=f"{cut.positives} of {cut.positives + cut.negatives}",
                )
        return NOT_THERE
    scores = row.scores
    on = f"{scores.positives} of {scores.images}"
    if name in {"sensitivity", "specificity", "ppv"}:
        return Figure(value=getattr(scores.points[0], name), on=on)
    value = getattr(scores, name)
    if name == "group_auc":
        return Figure(value=value, on=f"{scores.positive_groups} of {scores.groups} groups")
    return Figure(value=value if item is None else value[item], on=on)
