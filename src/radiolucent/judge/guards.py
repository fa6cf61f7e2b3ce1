"""Population guards: was the engine made for this patient and this view?"""

from __future__ import annotations

from radiolucent.errors import InputRefused
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts


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
