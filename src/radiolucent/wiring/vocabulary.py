"""The words that a reader may choose from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from radiolucent.records.engine import DerivedSpec, EngineSpec, FindingSpec
from radiolucent.standards.assessment import REASONS


def vocabulary(specs: Iterable[EngineSpec]) -> dict[str, Any]:
    """Reasons, findings of all engines, words of confidence."""
    known: list[tuple[str, FindingSpec | DerivedSpec]] = []
    for spec in specs:
        known += [(spec.id, each) for each in spec.findings]
        known += [(spec.id, each) for each in spec.derived]
    return {
        "reasons": [
            {"code": each.code, "display": each.display, "for": sorted(each.fits)} for each in REASONS.values()
        ],
        "findings": [_finding(engine, each) for engine, each in known],
        "confidences": ["high", "moderate", "low"],
    }


def _finding(engine: str, found: FindingSpec | DerivedSpec) -> dict[str, Any]:
    code = found.code
    return {
        "key": found.key,
        "display": found.display,
        "code": {"scheme": code.scheme, "value": code.value, "meaning": code.meaning},
        "engine": engine,
    }
