"""The impression: plain words that never say more than the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import Confidence, Finding, SeriesFinding

LIKELY: dict[Confidence, str] = {"high": "likely", "moderate": "suspected", "low": "possible"}


def impression(findings: Sequence[Finding], spec: EngineSpec) -> str:
    """One or two sentences about one image; ``findings`` most important first."""
    positive = [f for f in findings if f.positive]
    if not positive:
        return f"Processed by {spec.id} {spec.version}: no finding above its threshold."
    first, rest = positive[0], positive[1:]
    sure = f"probability {first.probability:.2f}, {first.confidence} confidence"
    words = f"{first.display} {LIKELY[first.confidence]} ({sure})"
    place = first.shown
    if place is not None and first.is_localisable and "no_positive_evidence" not in first.flags:
        words += f", most evidence in the {place.zone}"
    if rest:
        words += ". Also above threshold: " + ", ".join(f"{f.display.lower()} ({f.probability:.2f})" for f in rest)
    return words + "."


def series_impression(findings: Sequence[SeriesFinding], slices: int, spec: EngineSpec) -> str:
    """One or two sentences about a stack."""
    positive = [f for f in findings if f.positive]
    if not positive:
        many = "1 slice" if slices == 1 else f"{slices} slices"
        return f"{many} processed by {spec.id} {spec.version}: no finding above its threshold."
    parts = [f"{f.display} suspected on {f.positive_slices} of {slices} slices" for f in positive]
    return "; ".join(parts) + "."
