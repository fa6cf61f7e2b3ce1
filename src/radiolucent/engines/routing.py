"""Which engine reads an image, by DICOM attributes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from radiolucent.errors import InputRefused
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts


def _matches_body(spec: EngineSpec, body_part: str | None) -> bool:
    return body_part is not None and any(part in body_part.upper() for part in spec.population.body_parts)


def route(facts: ImageFacts, specs: Iterable[EngineSpec]) -> EngineSpec:
    """The engine made for this modality and body part; laterality alone chooses nothing.

    Raises
    ------
    InputRefused
        ``no_engine``: nothing here was made for such an image.
    """
    available = tuple(specs)
    for spec in available:
        if facts.modality in spec.population.modalities and _matches_body(spec, facts.body_part):
            return spec
    body = "an unstated body part" if facts.body_part is None else "a body part that no engine here was made for"
    made_for = sorted(f"{'/'.join(s.population.modalities)} for {s.id}" for s in available)
    raise InputRefused(
        "no_engine",
        found=f"modality {facts.modality or 'unstated'} of {body}",
        expected="; ".join(made_for) or "an installed engine",
        action="Nothing was read. Name an engine with --engine if the header is silent about the body part.",
    )


def check_engine(facts: ImageFacts, spec: EngineSpec) -> None:
    """Refuse an image that the named engine was certainly not made for; silence of the header is let pass.

    Raises
    ------
    InputRefused
        ``wrong_modality`` or ``wrong_body_part``.
    """
    population = spec.population
    if facts.modality is not None and facts.modality not in population.modalities:
        raise InputRefused(
            "wrong_modality",
            found=f"modality {facts.modality}",
            expected=" or ".join(population.modalities) + f" for {spec.id}",
            action="Choose the engine made for this modality.",
        )
    if facts.body_part is not None and not _matches_body(spec, facts.body_part):
        raise InputRefused(
            "wrong_body_part",
            found="another body part in the header",
            expected=f"one of {', '.join(population.body_parts[:6])} for {spec.id}",
            action="Choose the engine made for this body part, or mend the header.",
        )
