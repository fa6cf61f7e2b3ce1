"""Judge one image: every finding of the engine, sorted, with a primary one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from radiolucent.judge.confidence import (
    from_probability,
    weigh_evidence_level,
    weigh_flags,
    weigh_map,
    weigh_uncertainty,
)
from radiolucent.judge.derived import Derived, derive, log_odds
from radiolucent.judge.impression import impression
from radiolucent.records.anatomy import NO_MEASURES, AnatomyMeasures
from radiolucent.records.engine import Anatomy, DerivedSpec, EngineSpec, FindingSpec
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import EngineRef, Explanation, Finding, ImageResult, Reason

ALERT = 1 / 3


def probability(spec: FindingSpec, logit: float) -> float:
    """Calibrated probability: Platt scaling of the logit with the engine's own slope and intercept."""
    slope, intercept = spec.calibration
    value = slope * logit + intercept
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


def is_positive(spec: FindingSpec | DerivedSpec, chance: float) -> bool:
    """At or over the operating point, and tested on enough patients to be called at all."""
    return chance >= spec.threshold and spec.evidence_level != "insufficient"


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


def called(
    inference: Inference, spec: EngineSpec, *, facts: ImageFacts, measures: AnatomyMeasures = NO_MEASURES
) -> tuple[str, ...]:
    """Keys of the findings that `judge` will call positive, without its words: what is to be explained first."""
    chances = {f.key: probability(f, float(inference.logits[k])) for k, f in enumerate(spec.findings)}
    trained = [f.key for f in spec.findings if is_positive(f, chances[f.key])]
    derived = ((d, derive(d, chances, measures, facts).probability) for d in spec.derived)
    return (*trained, *(d.key for d, chance in derived if is_positive(d, chance)))


def judge(
    inference: Inference,
    spec: EngineSpec,
    *,
    facts: ImageFacts,
    explanations: Mapping[str, Explanation],
    measures: AnatomyMeasures = NO_MEASURES,
    flags: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> ImageResult:
    """Put everything known about one image into words and order.

    Parameters
    ----------
    explanations
        By finding key: of every positive finding that may be located, and of others when all maps were asked for. A
        derived finding's is that of its base.
    measures
        What the drawn regions measure, for the derived findings.
    flags
        Population and guard flags that hold for the whole image.
    """
    judged = [
        _finding(f, float(inference.logits[k]), explanations.get(f.key), flags, spec.anatomy)
        for k, f in enumerate(spec.findings)
    ]
    chances = {f.key: f.probability for f in judged}
    judged += [
        _derived(d, derive(d, chances, measures, facts), explanations.get(d.key), flags, spec) for d in spec.derived
    ]
    by_importance = sorted(judged, key=_importance)
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


def _finding(
    spec: FindingSpec,
    logit: float,
    explanation: Explanation | None,
    flags: tuple[str, ...],
    anatomy: Anatomy | None,
) -> Finding:
    chance = probability(spec, logit)
    positive = is_positive(spec, chance)
    trust = from_probability(chance, spec.threshold, positive=positive)
    weigh_evidence_level(trust, spec.evidence_level, spec.test_positives, over=chance >= spec.threshold)
    weigh_uncertainty(trust, spec, chance)
    if positive and spec.ppv is not None:
        trust.reasons.append(f"of such calls in the test part {spec.ppv:.0%} were right")
    if positive and not spec.is_localisable:
        trust.reasons.append("a diffuse finding: its map is not a location")
    if positive and explanation is not None:
        weigh_map(trust, spec, explanation, _share_in_region(explanation), anatomy)
    weigh_flags(trust, flags)
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
        confidence=trust.word,
        reasons=tuple(trust.reasons),
        flags=(*flags, *trust.flags),
        display_class=spec.display_class,
        is_localisable=spec.is_localisable,
        map_status=spec.map_status,
        alert=is_alert(critical=spec.critical, positive=positive, chance=chance),
        explanation=None if spec.display_class == "notify-only" else explanation,
    )


def _derived(
    spec: DerivedSpec, got: Derived, explanation: Explanation | None, flags: tuple[str, ...], engine: EngineSpec
) -> Finding:
    over, positive = got.probability >= spec.threshold, is_positive(spec, got.probability)
    trust = from_probability(got.probability, spec.threshold, positive=positive)
    trust.reasons += ["derived by a stated rule, not trained", *got.reasons]
    weigh_evidence_level(trust, spec.evidence_level, spec.test_positives, over=over)
    weigh_flags(trust, flags)
    base = None if spec.base is None else engine.finding(spec.base)
    if positive and explanation is not None and base is not None:
        trust.reasons.append(f"the map is that of {base.display.lower()}")
    return Finding(
        key=spec.key,
        display=spec.display,
        code=spec.code,
        rank=spec.rank,
        critical=spec.critical,
        logit=log_odds(got.probability),
        probability=got.probability,
        threshold=spec.threshold,
        positive=positive,
        confidence=trust.word,
        reasons=tuple(trust.reasons),
        flags=(*flags, *trust.flags),
        display_class="locate" if base is None else base.display_class,
        is_localisable=False,
        source="derived",
        map_status="unmeasured" if base is None else base.map_status,
        alert=is_alert(critical=spec.critical, positive=positive, chance=got.probability),
        explanation=None if base is None or base.display_class == "notify-only" else explanation,
    )


def _importance(finding: Finding) -> tuple[int, int, float]:
    """Alerts by criticality, then the other positives by probability, then the rest by probability."""
    if finding.alert:
        return 0, finding.rank, -finding.probability
    return (1 if finding.positive else 2), 0, -finding.probability


def is_alert(*, critical: bool, positive: bool, chance: float) -> bool:
    """The alert budget: a critical call interrupts only where at most two in three such calls should be false."""
    return critical and positive and chance >= ALERT


def _share_in_region(explanation: Explanation) -> float:
    positive = np.maximum(explanation.map, 0.0)
    total = float(positive.sum(dtype=np.float64))
    row, column, height, width = explanation.region_box
    box = np.s_[row : row + height, column : column + width]
    return float(positive[box][explanation.region[box]].sum(dtype=np.float64)) / total if total > 0 else 0.0


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
