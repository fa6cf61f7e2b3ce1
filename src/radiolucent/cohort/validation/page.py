"""The report of a validation as one self-contained page: every chart with its table, no script, no request."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from radiolucent.cohort.measure import NAN, Interval
from radiolucent.cohort.validation.atlas import Cell, Maps
from radiolucent.cohort.validation.charts import Line, calibration, decision, forest, heat
from radiolucent.cohort.validation.page_change import changes_of
from radiolucent.cohort.validation.page_probes import CASES, concepts_of, failures_of, shortcuts_of, stress_of
from radiolucent.cohort.validation.performance import Performance
from radiolucent.cohort.validation.records import Shift, Validation
from radiolucent.cohort.validation.subgroups import FOUND, GroupFigures, Stratum
from radiolucent.records.result import DISCLAIMER

FAR = 0.1
"""Told as another place from this distance beyond chance on; below it even a sure difference is small."""
ATLAS_ROWS = 6
PACKAGE = "radiolucent.cohort.validation"


def is_found(cell: Cell) -> bool:
    """Whether a cell looks elsewhere: beyond chance, and by enough to matter."""
    return cell.q < FOUND and cell.distance - cell.by_chance > FAR


def anchor(cell: Cell) -> str:
    """The name of a cell's section on the page of cases."""
    return hashlib.sha256(f"{cell.key}|{cell.by}|{cell.value}".encode()).hexdigest()[:10]


def render(
    found: Validation,
    names: Mapping[str, str],
    strata: Sequence[Stratum],
    maps: Maps,
    bodies: Maps,
    reference: tuple[Maps, Maps] | None,
) -> str:
    """The page.

    Parameters
    ----------
    names
        Display of every finding by key.
    strata, maps, bodies
        What `atlas.mean_maps` gave, the first stratum being all images.
    reference
        Mean maps and body of the reference cohort: ``[1, K, GRID, GRID]`` and ``[1, GRID, GRID]``.
    """
    sayable = sorted((p for p in found.findings if not p.saying), key=lambda p: -p.positive_patients)
    glance = _glance(found.findings) if found.findings else None
    shift = None if found.shift is None or reference is None else _shift(found.shift, names, maps, bodies, reference)
    sections = [("shift", "Against the reference")] if shift else []
    if glance:
        sections += [("reads", "How well it reads"), ("trust", "Probabilities"), ("groups", "For whom it reads worse")]
    sections += [("atlas", "Where it looks"), ("shortcuts", "Shortcuts"), ("concepts", "Concepts")]
    sections += [("failures", "How it fails")] if found.failures else []
    sections += [("stress", "Small changes")] if found.stress else []
    sections.append(("images", "Which images"))
    if found.change is not None:
        sections.insert(0, ("change", "Change of version"))
    groups = list(_groups(found, names))
    return _templates().get_template("validation.html.j2").render(
        v=found, names=names, shift=shift, glance=glance, sections=sections,
        headline=_headline(found, names), refused=sum(found.cohort.refused.values()),
        trusts=[_trust(p) for p in sayable], groups=groups, group_words=_group_words(found),
        atlas=list(_atlas(found, names, strata, maps, bodies)), disclaimer=DISCLAIMER,
        changes=changes_of(found, names), shortcuts=shortcuts_of(found, names), concepts=concepts_of(found),
        stress=stress_of(found), failures=failures_of(found, names), **style(),
    )  # fmt: skip


def _headline(found: Validation, names: Mapping[str, str]) -> str:
    judged = [p for p in found.findings if not p.saying]
    said = []
    if judged:
        best, worst = max(judged, key=lambda p: p.auc.value), min(judged, key=lambda p: p.auc.value)
        said.append(
            f"{len(judged)} of {len(found.findings)} findings can be judged (ten patients of each class): AUC "
            + (f"{best.auc.value:.2f}." if best is worst else _from_to(worst, best))
        )
    elif found.findings:
        said.append("No finding has ten patients of each class: nothing can be said about how well it reads.")
    else:
        said.append("No truth was given: what follows is about scores and maps alone.")
    gaps = sum(f.q < FOUND for g in found.subgroups for f in g.figures)
    if found.subgroups:
        said.append(f"{gaps} differences between groups are beyond chance.")
    elsewhere = [c for c in found.atlas if is_found(c)]
    if elsewhere:
        first = max(elsewhere, key=lambda c: c.distance - c.by_chance)
        said.append(
            f"It looks elsewhere in {len(elsewhere)} of {len(found.atlas)} cells of the atlas, most of all for "
            f"{names[first.key].lower()} where {first.by.replace('_', ' ')} is {first.value}."
        )
    return " ".join(said)


def _from_to(worst: Performance, best: Performance) -> str:
    low, high = f"{worst.auc.value:.2f} ({worst.display.lower()})", f"{best.auc.value:.2f} ({best.display.lower()})"
    return f"from {low} to {high}."


def _glance(rows: Sequence[Performance]) -> Markup:
    lines = [Line(name=p.display, said=p.auc, note=f"{p.positives} of {p.images}") for p in rows if not p.saying]
    quiet = [Line(name=p.display, said=p.auc, note=p.saying.partition(":")[0]) for p in rows if p.saying]
    return forest([*lines, *quiet], name="AUC of each finding with its 95 % interval", at=0.5)


def _trust(p: Performance) -> dict[str, Any]:
    return {
        "p": p,
        "name": f"{p.display}: calibration error {p.calibration_error.value:.2f}, Brier score {p.brier.value:.2f}",
        "calibration": calibration(p.calibration, name=f"Calibration of {p.display}"),
        "decision": decision(p.benefit, name=f"Net benefit of {p.display}", prevalence=p.prevalence),
    }


def _group_words(found: Validation) -> str:
    tests = [f for g in found.subgroups for f in g.figures if not math.isnan(f.p)]
    hits = sum(f.q < FOUND for f in tests)
    return f"{len(tests)} comparisons could be made; {hits} show a difference beyond chance."


def _groups(found: Validation, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    whole = {p.key: p for p in found.findings}
    worst = {w.key: w for w in found.worst}
    rows: dict[str, list[GroupFigures]] = {}
    for row in found.subgroups:
        rows.setdefault(row.key, []).append(row)
    judged = [key for key in rows if any(not math.isnan(r.figures[0].here.value) for r in rows[key])]
    judged.sort(key=lambda key: min((r.figures[0].q for r in rows[key] if r.figures[0].q == r.figures[0].q), default=2))
    for key in judged:
        kept = [r for r in rows[key] if any(not math.isnan(f.here.value) for f in r.figures)]
        few = len(rows[key]) - len(kept)
        lines = [
            Line(
                name=f"{r.by.replace('_', ' ')}: {r.value}",
                said=r.figures[0].here,
                note=_gap_note(r),
                mark="found" if r.figures[0].q < FOUND else "plain",
            )
            for r in kept
        ]
        w = worst.get(key)
        low = "" if w is None else f"lowest AUC {w.auc.value:.2f} where {w.by.replace('_', ' ')} is {w.value}"
        yield {
            "name": names[key],
            "summary": "; ".join(part for part in (low, _greatest_gap(kept), _few(few)) if part),
            "rows": kept,
            "chart": forest(lines, name=f"AUC of {names[key]} by group", at=whole[key].auc.value),
        }


def _few(count: int) -> str:
    return "" if count == 0 else f"{count} {'group' if count == 1 else 'groups'} too small to judge"


def _greatest_gap(rows: Sequence[GroupFigures]) -> str:
    """The greatest loss of sensitivity or specificity beyond chance, in words."""
    losses = [(f.gap, f, r) for r in rows for f in r.figures[1:] if f.q < FOUND and f.gap < 0]
    if not losses:
        return ""
    _, figure, row = min(losses, key=lambda one: one[0])
    return (
        f"{figure.figure} {figure.here.value:.2f} where {row.by.replace('_', ' ')} is {row.value} ({figure.gap:+.2f})"
    )


def _gap_note(row: GroupFigures) -> str:
    area = row.figures[0]
    if math.isnan(area.here.value):
        return "too few to say"
    return f"{row.positives} of {row.images}" + (f", {area.gap:+.2f}" if area.q < FOUND else "")


def _atlas(
    found: Validation, names: Mapping[str, str], strata: Sequence[Stratum], maps: Maps, bodies: Maps
) -> Iterator[dict[str, Any]]:
    place = {(s.by, s.value): i for i, s in enumerate(strata)}
    keys = list(dict.fromkeys(c.key for c in found.atlas))
    by_cell = {(c.key, c.by, c.value): c for c in found.atlas}
    for by in dict.fromkeys(s.by for s in strata):
        values = [s.value for s in strata if s.by == by]
        apart = {key: _most(by_cell[key, by, value] for value in values) for key in keys}
        shown = keys if by == "all" else sorted(keys, key=lambda key: -apart[key])[:ATLAS_ROWS]
        rows = []
        for key in shown:
            k = keys.index(key)
            judged = [value for value in values if not by_cell[key, by, value].saying] or values
            top = max(float(maps[place[by, value], k].max()) for value in judged)
            rows.append(
                {
                    "name": names[key],
                    "cells": [
                        _cell(by_cell[key, by, value], names[key], maps, bodies, place[by, value], k, top)
                        for value in values
                    ],
                }
            )
        yield {"by": by.replace("_", " "), "names": values, "rows": rows}


def _most(cells: Iterator[Cell]) -> float:
    return max((c.distance - c.by_chance for c in cells if not math.isnan(c.distance)), default=-1.0)


def _cell(cell: Cell, name: str, maps: Maps, bodies: Maps, at: int, k: int, top: float) -> dict[str, Any]:
    words = f"Mean map of {name}, {cell.by.replace('_', ' ')} {cell.value}, {cell.reached} images"
    return {
        "cell": cell,
        "found": is_found(cell),
        "picture": heat(maps[at, k], bodies[at], top=top, name=words),
        "href": f"{CASES}#{anchor(cell)}" if is_found(cell) and cell.cases else None,
    }


def _shift(
    shift: Shift, names: Mapping[str, str], maps: Maps, bodies: Maps, reference: tuple[Maps, Maps]
) -> dict[str, Any]:
    scores = {s.key: s for s in shift.scores}
    rows, lines = [], []
    order = sorted(range(len(shift.cells)), key=lambda k: -np.nan_to_num(shift.cells[k].distance, nan=-1.0))
    for k in order:
        cell = shift.cells[k]
        top = max(float(maps[0, k].max()), float(reference[0][0, k].max()))
        name = names[cell.key]
        rows.append(
            {
                "name": name,
                "cell": cell,
                "found": is_found(cell),
                "href": f"{CASES}#{anchor(cell)}" if is_found(cell) and cell.cases else None,
                "score": scores[cell.key],
                "here": heat(maps[0, k], bodies[0], top=top, name=f"{name} here", side=84),
                "there": heat(reference[0][0, k], reference[1][0], top=top, name=f"{name} in the reference", side=84),
            }
        )
        said = Interval(cell.distance, NAN, NAN)
        note = cell.saying or ("" if math.isnan(cell.distance) else f"chance {cell.by_chance:.2f}")
        lines.append(
            Line(name=name, said=said, note=note, mark="found" if is_found(cell) else "plain", tick=cell.by_chance)
        )
    moved = sum(is_found(c) for c in shift.cells)
    return {
        "rows": rows,
        "chart": forest(lines, name="Distance of the mean map from the reference, by finding"),
        "words": f"The maps of {moved} of {len(shift.cells)} findings lie elsewhere than in the reference "
        f"({shift.images_reference:,} images), beyond chance and by more than {FAR:.0%} of the evidence.",
    }


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(PACKAGE, "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


@lru_cache(maxsize=1)
def style() -> dict[str, str]:
    """The style sheet and the policy that allows it, pictures in the page, and nothing else."""
    css = resources.files(PACKAGE).joinpath("templates", "validation.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"css": Markup(css), "policy": policy}  # noqa: S704  our own file


def render_cases(sections: Sequence[Mapping[str, Any]], title: str) -> str:
    """The page of cases behind cells: holds patient images."""
    return _templates().get_template("cases.html.j2").render(
        sections=sections, title=title, disclaimer=DISCLAIMER, **style()
    )  # fmt: skip
