"""A comparison as JSON: ``radiolucent.comparison/1``. Its JSON Schema is in ``report/schema``."""

from __future__ import annotations

import json
import math
from importlib import resources

from radiolucent.errors import InvariantBroken
from radiolucent.records.comparison import Comparison, Figures, FindingChange
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import DISCLAIMER
from radiolucent.report.result_json import Json

COMPARISON_SCHEMA = "radiolucent.comparison/1"


def comparison_json(comparison: Comparison) -> dict[str, Json]:
    """The comparison of two results; every number is finite, and nothing names the patient.

    Raises
    ------
    InvariantBroken
        ``result_not_finite`` for a number that JSON cannot hold.
    """
    engine, registration, margins = comparison.engine, comparison.registration, comparison.margins
    return {
        "schema": COMPARISON_SCHEMA,
        "comparable": comparison.comparable,
        "reasons": [*comparison.reasons],
        "cautions": [*comparison.cautions],
        "engine": None if engine is None else {"id": engine.id, "version": engine.version, "sha256": engine.sha256},
        "prior": _image(comparison.prior),
        "current": _image(comparison.current),
        "registration": None
        if registration is None
        else {
            "by": registration.by,
            "row_scale": _finite(registration.row_scale),
            "column_scale": _finite(registration.column_scale),
        },
        "margins": {
            "area_factor": _finite(margins.area),
            "evidence_factor": _finite(margins.evidence),
            "logit_margin": _finite(margins.logit),
            "measured_on": margins.measured_on,
        },
        "findings": [_change(c) for c in comparison.changes],
        "disclaimer": DISCLAIMER,
    }


def comparison_schema() -> dict[str, Json]:
    """The JSON Schema of a comparison."""
    text = resources.files("radiolucent.report").joinpath("schema", "comparison.schema.json").read_text("utf-8")
    loaded: dict[str, Json] = json.loads(text)
    return loaded


def _image(facts: ImageFacts) -> dict[str, Json]:
    return {
        "sop_instance_uid": facts.sop_instance_uid,
        "source_sha256": facts.source_sha256,
        "frame": facts.frame_number,
        "rows": facts.rows,
        "columns": facts.columns,
        "view": facts.view,
    }


def _change(change: FindingChange) -> dict[str, Json]:
    return {
        "key": change.key,
        "display": change.display,
        "change": change.change,
        "prior_probability": _finite(change.prior_probability),
        "current_probability": _finite(change.current_probability),
        "probability_change": _finite(change.current_probability - change.prior_probability),
        "prior_positive": bool(change.prior_positive),
        "current_positive": bool(change.current_positive),
        **_figures(change.figures),
        "reasons": [*change.reasons],
        "cautions": [*change.cautions],
    }


def _figures(figures: Figures) -> dict[str, Json]:
    return {
        "logit_change": _finite(figures.logit_change),
        "prior_area": _optional(figures.prior_area),
        "current_area": _optional(figures.current_area),
        "prior_evidence": _optional(figures.prior_evidence),
        "current_evidence": _optional(figures.current_evidence),
        "overlap": _optional(figures.overlap),
        "peak_distance": _optional(figures.peak_distance),
    }


def _optional(value: float | None) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InvariantBroken(
            "result_not_finite",
            found="a number in a comparison that is not finite",
            expected="a finite number",
            action="Report this as a defect of Radiolucent.",
        )
    return number
