"""Guards: was the engine made for this patient, this view, and this picture at all?"""

from __future__ import annotations

from dataclasses import dataclass

from radiolucent.errors import InputRefused
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts, Inference

SURE = 0.8
"""A guard that may refuse does so from this probability on; from its threshold to here it flags. Another hospital's
right pictures come closer to a threshold than validation did."""

FAR = 2.0
"""An image this many times beyond the novelty limit is refused; nearer ones are flagged."""


def population_guards(facts: ImageFacts, spec: EngineSpec) -> tuple[InputRefused, ...]:
    """Everything that puts this image outside the engine's population; empty when nothing does.

    Silence of the header guards nothing here; it is flagged by `silent_facts`.
    """
    return tuple(guard for guard in (_view(facts, spec), _age(facts, spec)) if guard is not None)


def silent_facts(facts: ImageFacts, spec: EngineSpec) -> tuple[str, ...]:
    """Flags for what the header does not say although the engine's population depends on it."""
    flags = []
    if spec.population.views and facts.view is None:
        flags.append("view_not_stated")
    if (spec.population.min_age_years or spec.population.max_age_years) and facts.age_years is None:
        flags.append("age_not_stated")
    return tuple(flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the picture itself says against being read: refusals and flags, the likeliest first."""

    refusals: tuple[InputRefused, ...]
    flags: tuple[str, ...]


def content_guards(inference: Inference, spec: EngineSpec) -> Content:
    """Guards on the picture's content, from the same forward pass.

    `EngineSpec.content_guards` are small classifiers on the embedding; ``novelty`` is the embedding's squared
    Mahalanobis distance from the training set (Lee et al. 2018). Thresholds come from validation.
    """
    refusals: list[InputRefused] = []
    flags: list[str] = []
    by_chance = sorted(zip(spec.content_guards, inference.guards, strict=True), key=lambda pair: -pair[1])
    for guard, chance in by_chance:
        if chance < guard.threshold:
            continue
        flags.append(f"looks_{guard.name}")
        if guard.action == "refuse" and chance >= SURE:
            refusals.append(
                InputRefused(
                    "wrong_content",
                    found=f"{guard.found} (probability {chance:.2f})",
                    expected=f"{guard.expected} for {spec.id}",
                    action="Check the picture; if it is right, read it with --guards flag.",
                )
            )
    if spec.novelty_limit is not None and inference.novelty is not None and inference.novelty > spec.novelty_limit:
        flags.append("unlike_training")
        ratio = inference.novelty / spec.novelty_limit
        if ratio > FAR:
            refusals.append(
                InputRefused(
                    "unlike_training",
                    found=f"a picture unlike the training set ({ratio:.1f} times the limit of distance)",
                    expected=f"a picture like those {spec.id} has learned from",
                    action="Check that it is the right kind of image; if it is, read it with --guards flag.",
                )
            )
    return Content(refusals=tuple(refusals), flags=tuple(flags))


def _view(facts: ImageFacts, spec: EngineSpec) -> InputRefused | None:
    allowed = spec.population.views
    if not allowed or facts.view is None or facts.view in allowed:
        return None
    return InputRefused(
        "wrong_view",
        found=f"view {facts.view}",
        expected=" or ".join(allowed) + f" for {spec.id}",
        action="Send the frontal image of this study.",
    )


def _age(facts: ImageFacts, spec: EngineSpec) -> InputRefused | None:
    age, low, high = facts.age_years, spec.population.min_age_years, spec.population.max_age_years
    if age is None or ((low is None or age >= low) and (high is None or age <= high)):
        return None
    limits = f"{low:g} years and up" if high is None else f"{low or 0:g} to {high:g} years"
    return InputRefused(
        "outside_population",
        found="an age outside the engine's population",
        expected=f"{limits} for {spec.id}",
        action="Nothing was read: the engine has not been tested on such patients.",
    )
