"""How far a score can be trusted, in three words and with reasons."""

from __future__ import annotations

from radiolucent.records.engine import FindingSpec
from radiolucent.records.result import Confidence, Explanation

ORDER: tuple[Confidence, ...] = ("low", "moderate", "high")
CONCENTRATED = 0.35


def confidence(
    spec: FindingSpec,
    *,
    probability: float,
    positive: bool,
    explanation: Explanation | None,
    in_region_share: float | None,
    flags: tuple[str, ...],
) -> tuple[Confidence, tuple[str, ...]]:
    """``(word, reasons)``.

    The word starts from how far the calibrated probability lies from the threshold, and is lowered by thin test
    evidence, by a scattered map, and by population flags. ``in_region_share`` is the share of positive evidence
    inside the finding's region.
    """
    level, reasons = _from_probability(spec, probability, positive)
    cap = 2
    if spec.evidence_level != "adequate":
        cap = 0 if spec.evidence_level == "insufficient" else 1
        reasons.append(f"tested on few positive cases ({spec.test_positives} images): {spec.evidence_level} evidence")
    if positive and spec.is_localisable and in_region_share is not None and in_region_share < CONCENTRATED:
        cap = min(cap, 1)
        reasons.append(f"the map is scattered: {in_region_share:.0%} of the evidence lies in the marked region")
    if positive and explanation is not None and float(explanation.map[explanation.peak_row_col]) <= 0.0:
        cap = 0
        reasons.append("no place in the image speaks for it: its evidence is negative everywhere")
    if spec.evidence_level == "insufficient" and probability >= spec.threshold:
        reasons.append("over its threshold, but not called: too few patients were there to test it")
    if positive and not spec.is_localisable:
        reasons.append("a diffuse finding: its map is not a location")
    if explanation is not None and explanation.in_expected_region is None and positive:
        reasons.append("agreement with anatomy was not checked: this engine has no anatomy output")
    if flags:
        cap = min(cap, 1)
        reasons.append("outside or possibly outside what the engine was made for: " + ", ".join(flags))
    return ORDER[min(level, cap)], tuple(reasons)


def _from_probability(spec: FindingSpec, probability: float, positive: bool) -> tuple[int, list[str]]:
    threshold = spec.threshold
    if positive:
        share = (probability - threshold) / (1.0 - threshold)
        side = f"{share:.0%} of the way from the threshold {threshold:.2f} to certainty"
    else:
        share = (threshold - probability) / threshold
        side = f"{share:.0%} of the way from the threshold {threshold:.2f} down to zero"
    return (2 if share >= 0.5 else 1 if share >= 0.2 else 0), [f"probability {probability:.2f}, {side}"]
