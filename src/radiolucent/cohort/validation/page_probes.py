"""The page's sections on shortcuts and small changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from radiolucent.cohort.validation.charts import Line, forest
from radiolucent.cohort.validation.concepts import LEAST_SLOPE
from radiolucent.cohort.validation.failures import Failures, Trait
from radiolucent.cohort.validation.records import Validation

MOST_FOLLOWS, MOST_LEAKS, MOST_PULLS = 20, 24, 24
CASES = "cases.html"
NEAR = 0.05
"""A blind reader whose AUC comes this near the engine's, or passes it, is told."""


def shortcuts_of(found: Validation, names: Mapping[str, str]) -> dict[str, Any]:
    """Blind readers, what the embedding gives away, and scores that follow it."""
    lines = []
    for b in found.baselines:
        lines.append(Line(name=names[b.key], said=b.engine, note=f"n {b.images}"))
        for word, said in (("brightness alone", b.brightness), ("corners alone", b.corners)):
            near = said.low > 0.5 and said.value > b.engine.value - NEAR
            lines.append(
                Line(name=word, said=said, note="gives it away" if near else "", mark="found" if near else "quiet")
            )
    leaks = sorted(found.leaks, key=lambda leak: -leak.readable.value)
    told = [
        Line(
            name=f"{leak.by.replace('_', ' ')}: {leak.value}",
            said=leak.readable,
            note=f"n {leak.images}",
            mark="found" if leak.readable.low > 0.8 else "plain",
        )
        for leak in leaks[:MOST_LEAKS]
    ]
    suspects = sorted((f for f in found.follows if f.is_suspect), key=lambda f: -abs(f.auc.value - 0.5))
    return {
        "blind": forest(lines, name="AUC of the engine and of readers who see no patient", at=0.5) if lines else None,
        "leaks": forest(told, name="AUC with which an attribute is read from the embedding", at=0.5) if told else None,
        "follows": suspects[:MOST_FOLLOWS],
        "suspects": len(suspects),
        "asked": len(found.follows),
        "names": names,
    }


def concepts_of(found: Validation) -> dict[str, Any]:
    """How well each concept can be told, what pulls along it, and a sentence."""
    told = sorted(found.concepts.concepts, key=lambda one: -one.readable.value)
    pulls = [(one, pull) for one in told for pull in one.pulls]
    sure = sorted((pair for pair in pulls if pair[1].is_found), key=lambda pair: -abs(pair[1].derivative))
    lines = [
        Line(
            name=f"{one.by.replace('_', ' ')}: {one.value}",
            said=one.readable,
            note=f"{sum(pull.is_found for pull in one.pulls)} follow" if one.pulls else "not told",
            mark="found" if any(pull.is_found for pull in one.pulls) else "plain" if one.pulls else "quiet",
        )
        for one in told
    ]
    words = (
        f"{len(sure)} of {len(pulls)} scores follow a concept's direction, beyond random concepts and by at least "
        f"{LEAST_SLOPE} of the steepest slope."
    )
    name = "AUC with which each concept is told from the embedding"
    return {
        "all": told,
        "chart": forest(lines, name=name, at=0.5) if lines else None,
        "sure": sure[:MOST_PULLS],
        "words": words,
    }


def failures_of(found: Validation, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Groups of errors, each with a sentence and a way to its cases."""
    return [
        {
            "name": f"{names[f.key]}, {'missed' if f.kind == 'missed' else 'called though absent'}, group {f.group}",
            "size": f"{f.images} of {f.of}",
            "patients": f.patients,
            "words": "; ".join(_trait(t) for t in f.traits) or "nothing measured sets it apart",
            "href": f"{CASES}#{failure_anchor(f)}",
        }
        for f in found.failures
    ]


def failure_anchor(failure: Failures) -> str:
    """The name of a group's section on the page of cases."""
    return f"{failure.key}-{failure.kind}-{failure.group}"


def _trait(trait: Trait) -> str:
    if trait.name.endswith("of the picture") or trait.name == "distance from training":
        return f"{trait.name} {'higher' if trait.here > trait.right else 'lower'}"
    return f"{trait.name} {trait.here:.0%} ({trait.right:.0%})"


def stress_of(found: Validation) -> dict[str, Any] | None:
    """Flips by change."""
    if not found.stress:
        return None
    top = max(s.flips.high for s in found.stress)
    high = min(1.0, max(0.2, math.ceil(top * 5) / 5))
    lines = [Line(name=s.name, said=s.flips, note=f"map {s.map_agreement.value:.2f}") for s in found.stress]
    return {"chart": forest(lines, name="Share of findings that cross their threshold, by change", high=high)}
