"""Judge one image: every finding of the engine, sorted, with a primary one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from radiolucent.judge.confidence import confidence
from radiolucent.judge.impression import impression
from radiolucent.records.engine import EngineSpec, FindingSpec
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import EngineRef, Explanation, Finding, ImageResult, Reason


def probability(spec: FindingSpec, logit: float) -> float:
    """Calibrated probability: Platt scaling of the logit with the engine's own slope and intercept."""
    slope, intercept = spec.calibration
    value = slope * logit + intercept
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


def is_positive(spec: FindingSpec, chance: float) -> bool:
    """At or over the operating point, and tested on enough patients to be called at all."""
    return chance >= spec.threshold and spec.evidence_level != "insufficient"


def positive_indices(inference: Inference, spec: EngineSpec) -> tuple[int, ...]:
    """Positive findings."""
    pairs = enumerate(zip(spec.findings, inference.logits, strict=True))
    return tuple(k for k, (f, logit) in pairs if is_positive(f, probability(f, float(logit))))


def engine_ref(spec: EngineSpec) -> EngineRef:
    """The engine as a result names it."""
    return EngineRef(
        id=spec.id,
        title=spec.title,
        version=spec.version,
        sha256=spec.sha256,
        device_uid=spec.device_uid,
        method=spec.method,
    )


def judge(
    inference: Inference,
    spec: EngineSpec,
    *,
    facts: ImageFacts,
    explanations: Mapping[str, Explanation],
    flags: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> ImageResult:
    """Put everything known about one image into words and order.

    Parameters
    ----------
    explanations
        By finding key: of every positive finding that may be located, and of others when all maps were asked for.
    flags
        Population and guard flags that hold for the whole image.
    """
    judged = [
        _finding(f, float(inference.logits[k]), explanations.get(f.key), flags) for k, f in enumerate(spec.findings)
    ]
    by_importance = sorted(judged, key=lambda f: (not f.positive, f.rank if f.positive else 0, -f.probability))
    ordered = tuple(replace(f, rank=place) for place, f in enumerate(by_importance, start=1))
    primary = ordered[0].key if ordered and ordered[0].positive else None
    return ImageResult(
        status="processed",
        reason=None,
        engine=engine_ref(spec),
        image=facts,
        findings=ordered,
        primary=primary,
        impression=impression(ordered, spec),
        notes=notes,
    )


def _finding(spec: FindingSpec, logit: float, explanation: Explanation | None, flags: tuple[str, ...]) -> Finding:
    chance = probability(spec, logit)
    positive = is_positive(spec, chance)
    share = _share_in_region(explanation) if positive and explanation is not None else None
    own = list(flags)
    if spec.evidence_level == "insufficient":
        own.append("insufficient_test_data")
    if positive and explanation is not None and not speaks_for_it(explanation):
        own.append("no_positive_evidence")
    word, reasons = confidence(
        spec,
        probability=chance,
        positive=positive,
        explanation=explanation,
        in_region_share=share,
        flags=flags,
    )
    return Finding(
        key=spec.key,
        display=spec.display,
        code=spec.code,
        rank=spec.rank,
        critical=spec.critical,
        logit=logit,
        probability=chance,
        threshold=spec.threshold,
        positive=positive,
        confidence=word,
        reasons=reasons,
        flags=tuple(own),
        display_class=spec.display_class,
        is_localisable=spec.is_localisable,
        explanation=None if spec.display_class == "notify-only" else explanation,
    )


def speaks_for_it(explanation: Explanation) -> bool:
    """Whether any place of the image carries positive evidence."""
    return float(explanation.map[explanation.peak_row_col]) > 0.0


def _share_in_region(explanation: Explanation) -> float:
    positive = np.maximum(explanation.map, 0.0)
    total = float(positive.sum(dtype=np.float64))
    return float(positive[explanation.region].sum(dtype=np.float64)) / total if total > 0 else 0.0


def refused(reason: Reason, *, facts: ImageFacts, spec: EngineSpec | None) -> ImageResult:
    """A refusal as a result: nothing was claimed."""
    return ImageResult(
        status="refused",
        reason=reason,
        engine=None if spec is None else engine_ref(spec),
        image=facts,
        findings=(),
        primary=None,
        impression=f"Not processed: {reason.text}",
    )
