"""Critical findings by stated rules, from trained findings and what the regions measure.

| Rule | Probability |
|---|---|
| cardiothoracic_ratio | sigmoid(slope * ratio + intercept), calibrated against films read as cardiomegaly |
| mediastinal_width | sigmoid(slope * ratio + intercept) |
| tension | P(pneumothorax) * sigmoid(2 * (z - 2)); z = how many deviations of normal films the mediastinum lies away |
| acute_edema | P(edema) * min(1, smaller lung's share of evidence / 0.25): edema of both lungs |
| traumatic | the smaller of P(skull fracture) and the greater of P(epidural), P(subdural) |

A rule whose parts cannot be had in an image gives probability 0 and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from radiolucent.records.anatomy import AnatomyMeasures
from radiolucent.records.engine import DerivedSpec
from radiolucent.records.image import ImageFacts

SHIFT_SD, BOTH_LUNGS, ONE_SIDE = 2.0, 0.25, 0.5
LEAST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What a rule gave: ``probability`` in [0, 1] and the figures behind it in words."""

    probability: float
    reasons: tuple[str, ...]


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(value, -50.0), 50.0)))


def log_odds(probability: float) -> float:
    """Logit of a probability, held within what float can invert."""
    held = min(max(probability, LEAST), 1 - LEAST)
    return math.log(held / (1 - held))


def _linear(spec: DerivedSpec, value: float) -> float:
    slope, intercept = spec.calibration
    return slope * value + intercept


def _unmeasured(what: str) -> Derived:
    return Derived(probability=0.0, reasons=(f"not measured: {what} in this image",))


def _cardiothoracic(spec: DerivedSpec, _: Mapping[str, float], measures: AnatomyMeasures, facts: ImageFacts) -> Derived:
    ratio = measures.cardiothoracic_ratio
    if ratio is None:
        return _unmeasured("the heart and both lungs were not drawn")
    reasons = [f"cardiothoracic ratio {ratio:.2f} (up to 0.50 is usual on a PA film of an adult)"]
    if facts.view != "PA":
        reasons.append("not known to be a PA film: AP and supine films magnify the heart")
    return Derived(probability=_sigmoid(_linear(spec, ratio)), reasons=tuple(reasons))


def _mediastinum(spec: DerivedSpec, _: Mapping[str, float], measures: AnatomyMeasures, facts: ImageFacts) -> Derived:
    ratio = measures.mediastinal_ratio
    if ratio is None:
        return _unmeasured("the lungs' inner edges were not found at the height of the aortic arch")
    reasons = [f"mediastinal width {ratio:.2f} of the chest's width at the height of the aortic arch"]
    if facts.view != "PA":
        reasons.append("not known to be a PA film: AP and supine films widen the mediastinum")
    reasons.append("if it is widened, aortic dissection is one of its causes: a film cannot tell, CT angiography can")
    return Derived(probability=_sigmoid(_linear(spec, ratio)), reasons=tuple(reasons))


def _tension(spec: DerivedSpec, chances: Mapping[str, float], measures: AnatomyMeasures, _: ImageFacts) -> Derived:
    chance, sides = chances.get("pneumothorax", 0.0), measures.sides.get("pneumothorax")
    if measures.shift is None or sides is None:
        return _unmeasured("the mediastinum's place or the pneumothorax' side")
    right, left = sides
    if max(right, left) < ONE_SIDE:
        return Derived(
            probability=0.0, reasons=(f"evidence for pneumothorax on no side: right {right:.0%}, left {left:.0%}",)
        )
    deviations = _linear(spec, measures.shift)
    away = deviations if right > left else -deviations
    side = "right" if right > left else "left"
    way = "away from" if away > 0 else "towards"
    return Derived(
        probability=chance * _sigmoid(2 * (away - SHIFT_SD)),
        reasons=(
            f"pneumothorax {chance:.2f} on the {side}",
            f"mediastinum {abs(away):.1f} deviations of normal films {way} that side",
        ),
    )


def _edema(_: DerivedSpec, chances: Mapping[str, float], measures: AnatomyMeasures, __: ImageFacts) -> Derived:
    chance, sides = chances.get("edema", 0.0), measures.sides.get("edema")
    if sides is None:
        return _unmeasured("in which lungs the evidence for edema lies")
    return Derived(
        probability=chance * min(1.0, min(sides) / BOTH_LUNGS),
        reasons=(f"pulmonary edema {chance:.2f}; its evidence: right lung {sides[0]:.0%}, left lung {sides[1]:.0%}",),
    )


def _traumatic(_: DerivedSpec, chances: Mapping[str, float], __: AnatomyMeasures, ___: ImageFacts) -> Derived:
    outside = max(chances.get("epidural", 0.0), chances.get("subdural", 0.0))
    fracture = chances.get("skull_fracture", 0.0)
    return Derived(
        probability=min(outside, fracture),
        reasons=(f"bleeding outside the brain {outside:.2f}, skull fracture {fracture:.2f}",),
    )


_RULES: dict[str, Callable[[DerivedSpec, Mapping[str, float], AnatomyMeasures, ImageFacts], Derived]] = {
    "cardiothoracic_ratio": _cardiothoracic,
    "mediastinal_width": _mediastinum,
    "tension": _tension,
    "acute_edema": _edema,
    "traumatic": _traumatic,
}


def derive(spec: DerivedSpec, chances: Mapping[str, float], measures: AnatomyMeasures, facts: ImageFacts) -> Derived:
    """Apply the rule of ``spec``; ``chances`` are calibrated probabilities by finding key."""
    return _RULES[spec.rule](spec, chances, measures, facts)
