"""Results as JSON: ``radiolucent.result/1`` for an image, ``radiolucent.series/1`` for a stack.

The two JSON Schemas (draft 2020-12) travel with the package, in ``report/schema``; `docs/result-schema.md` explains
every field. Of the patient, a result holds age and sex, and no name, identifier or date.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Literal, TypeAlias

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import (
    DISCLAIMER,
    EngineRef,
    Explanation,
    Finding,
    ImageResult,
    SeriesFinding,
    SeriesResult,
    SliceScore,
)

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
RESULT_SCHEMA = "radiolucent.result/1"
SERIES_SCHEMA = "radiolucent.series/1"


def to_json(
    result: ImageResult,
    *,
    timing_ms: Mapping[str, float],
    objects: Sequence[str] = (),
    evidence_paths: Mapping[str, str] | None = None,
    overlay_paths: Mapping[str, str] | None = None,
    anatomy: tuple[str, Sequence[str]] | None = None,
) -> dict[str, Json]:
    """The result file of one image.

    Parameters
    ----------
    timing_ms
        Milliseconds by step.
    objects
        Paths of the DICOM objects written, relative to the result file.
    evidence_paths, overlay_paths
        By finding key: path of the written map and overlay, relative to the result file.
    anatomy
        Path of the written regions, relative to the result file, and their names.

    Raises
    ------
    InvariantBroken
        ``result_not_finite`` for a number that JSON cannot hold, ``result_incoherent`` for a result that contradicts
        itself (refused without a reason, a location for a finding that must not be located ...).
    """
    _check(result)
    maps, overlays = evidence_paths or {}, overlay_paths or {}
    return {
        "schema": RESULT_SCHEMA,
        "status": result.status,
        "reason": None if result.reason is None else {"code": result.reason.code, "text": result.reason.text},
        "engine": None if result.engine is None else _engine(result.engine),
        "image": _image(result.image),
        "findings": [_finding(f, map_=maps.get(f.key), overlay=overlays.get(f.key)) for f in result.findings],
        "primary": result.primary,
        "impression": result.impression,
        "anatomy": None if anatomy is None else {"map": anatomy[0], "regions": [*anatomy[1]]},
        "notes": [*result.notes],
        "timing_ms": {step: _finite(ms, "timing_ms") for step, ms in timing_ms.items()},
        "objects": [*objects],
        "disclaimer": DISCLAIMER,
    }


def series_json(result: SeriesResult) -> dict[str, Json]:
    """The result file of one stack.

    Raises
    ------
    InvariantBroken
        ``result_not_finite``.
    """
    return {
        "schema": SERIES_SCHEMA,
        "series_instance_uid": result.series_instance_uid,
        "engine": _engine(result.engine),
        "slices": {
            "count": len(result.slices),
            "refused": result.refused,
            "order": [_slice(s) for s in result.slices],
        },
        "findings": [_series_finding(f, result.slices) for f in result.findings],
        "primary": result.primary,
        "impression": result.impression,
        "disclaimer": DISCLAIMER,
    }


def dumps(value: Mapping[str, Json]) -> str:
    """The text of a result file: UTF-8, indented, one newline at its end, no NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def schema(of: Literal["result", "series"]) -> dict[str, Json]:
    """A JSON Schema that travels with the package."""
    text = resources.files("radiolucent.report").joinpath("schema", f"{of}.schema.json").read_text("utf-8")
    loaded: dict[str, Json] = json.loads(text)
    return loaded


def _check(result: ImageResult) -> None:
    """What no result may be."""
    refused = result.status == "refused"
    keys = [f.key for f in result.findings]
    wrong = {
        "a refused image without a reason": refused and result.reason is None,
        "a refused image with findings": refused and bool(result.findings),
        "a processed image with a reason for refusal": not refused and result.reason is not None,
        "a processed image without an engine": not refused and result.engine is None,
        "a finding named twice": len(keys) != len(set(keys)),
        "a primary finding that is not positive": result.primary is not None
        and result.primary not in {f.key for f in result.positives},
        "a location for a notify-only finding": any(
            f.display_class == "notify-only" and f.explanation is not None for f in result.findings
        ),
    }
    for found, is_so in wrong.items():
        if is_so:
            raise InvariantBroken(
                "result_incoherent",
                found=found,
                expected="a result that does not contradict itself",
                action="Report this as a defect of Radiolucent.",
            )


def _finite(value: float, name: str) -> float:
    """A plain float that JSON can hold."""
    number = float(value)
    if not math.isfinite(number):
        raise InvariantBroken(
            "result_not_finite",
            found=f"{name} that is not a finite number",
            expected="a finite number",
            action="Report this as a defect of Radiolucent.",
        )
    return number


def _optional(value: float | None, name: str) -> float | None:
    return None if value is None else _finite(value, name)


def _code(code: Code) -> dict[str, Json]:
    return {"scheme": code.scheme, "value": code.value, "meaning": code.meaning}


def _engine(engine: EngineRef) -> dict[str, Json]:
    return {
        "id": engine.id,
        "title": engine.title,
        "version": engine.version,
        "sha256": engine.sha256,
        "device_uid": engine.device_uid,
        "method": engine.method,
    }


def _image(facts: ImageFacts) -> dict[str, Json]:
    spacing = facts.pixel_spacing_mm
    return {
        "sop_instance_uid": facts.sop_instance_uid,
        "series_instance_uid": facts.series_instance_uid,
        "study_instance_uid": facts.study_instance_uid,
        "source_sha256": facts.source_sha256,
        "instance_number": facts.instance_number,
        "frame": facts.frame_number,
        "frames": facts.number_of_frames,
        "rows": facts.rows,
        "columns": facts.columns,
        "pixel_spacing_mm": None if spacing is None else [_finite(v, "pixel_spacing_mm") for v in spacing],
        "patient_left_at": facts.patient_left_at,
        "view": facts.view,
        "laterality": facts.laterality,
        "age_years": _optional(facts.age_years, "age_years"),
        "sex": facts.sex,
        "modality": facts.modality,
        "body_part": facts.body_part,
    }


def _finding(finding: Finding, *, map_: str | None, overlay: str | None) -> dict[str, Json]:
    explanation = finding.explanation
    return {
        "key": finding.key,
        "display": finding.display,
        "code": _code(finding.code),
        "rank": int(finding.rank),
        "critical": bool(finding.critical),
        "logit": _finite(finding.logit, "logit"),
        "probability": _finite(finding.probability, "probability"),
        "threshold": _finite(finding.threshold, "threshold"),
        "positive": bool(finding.positive),
        "confidence": finding.confidence,
        "reasons": [*finding.reasons],
        "flags": [*finding.flags],
        "display_class": finding.display_class,
        "is_localisable": bool(finding.is_localisable),
        "source": finding.source,
        "map_status": finding.map_status,
        "alert": bool(finding.alert),
        "explanation": None if explanation is None else _explanation(explanation, map_=map_, overlay=overlay),
    }


def _explanation(explanation: Explanation, *, map_: str | None, overlay: str | None) -> dict[str, Json]:
    row, column = (int(v) for v in explanation.peak_row_col)
    return {
        "map": map_,
        "overlay": overlay,
        "scale": _finite(explanation.scale, "scale"),
        "peak_evidence": _finite(explanation.map[row, column], "peak_evidence"),
        "peak_row_col": [row, column],
        "region_box": [int(v) for v in explanation.region_box],
        "zone": explanation.zone,
        "region_shares": {name: _finite(share, "region_shares") for name, share in explanation.region_shares.items()},
        "in_expected_region": _optional(explanation.in_expected_region, "in_expected_region"),
        "completeness_error": _finite(explanation.completeness_error, "completeness_error"),
    }


def _slice(score: SliceScore) -> dict[str, Json]:
    return {
        "sop_instance_uid": score.image.sop_instance_uid,
        "instance_number": score.image.instance_number,
        "frame": score.image.frame_number,
    }


def _series_finding(finding: SeriesFinding, slices: Sequence[SliceScore]) -> dict[str, Json]:
    def probability(score: SliceScore) -> float:
        return _finite(score.probabilities[finding.key], "probability")

    return {
        "key": finding.key,
        "display": finding.display,
        "code": _code(finding.code),
        "critical": bool(finding.critical),
        "probability": _finite(finding.probability, "probability"),
        "positive": bool(finding.positive),
        "positive_slices": int(finding.positive_slices),
        "slice_probabilities": [probability(s) for s in slices],
        "key_slices": [{**_slice(s), "probability": probability(s)} for s in finding.key_slices],
    }
