"""Which rule a study falls under: ordered, first match wins, no match means that nothing runs and nothing leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radiolucent.settings import Rule

MODALITY, BODY_PART = "00080060", "00180015"
DESCRIPTIONS = ("00081030", "0008103E", "00181030")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What rules look at, gathered over all images of a study; everything in capitals but the descriptions."""

    modalities: frozenset[str]
    body_parts: frozenset[str]
    calling_aes: frozenset[str]
    descriptions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rule and why it does not hold; ``None`` where it does."""

    rule: Rule
    against: str | None


def facts_of(study_header: str, images: Iterable[tuple[str, str]]) -> StudyFacts:
    """Facts out of DICOM JSON headers: the study's, and for every image its header and calling title."""
    rows = list(images)
    headers = [json.loads(study_header), *(json.loads(header) for header, _ in rows)]
    return StudyFacts(
        modalities=_values(headers, MODALITY),
        body_parts=_values(headers, BODY_PART),
        calling_aes=frozenset(title.upper() for _, title in rows if title),
        descriptions=frozenset(text for tag in DESCRIPTIONS for text in _texts(headers, tag)),
    )


def _texts(headers: Sequence[dict[str, dict[str, list[object]]]], tag: str) -> list[str]:
    return [str(value) for h in headers for value in h.get(tag, {}).get("Value", []) if value is not None]


def _values(headers: Sequence[dict[str, dict[str, list[object]]]], tag: str) -> frozenset[str]:
    return frozenset(text.strip().upper() for text in _texts(headers, tag))


def choose(rules: Sequence[Rule], facts: StudyFacts) -> Rule | None:
    """The first rule that holds."""
    return next((t.rule for t in explain(rules, facts) if t.against is None), None)


def explain(rules: Sequence[Rule], facts: StudyFacts) -> list[Tried]:
    """Every rule up to the first that holds, and what spoke against those before it."""
    tried: list[Tried] = []
    for rule in rules:
        tried.append(Tried(rule=rule, against=_against(rule, facts)))
        if tried[-1].against is None:
            break
    return tried


def _against(rule: Rule, facts: StudyFacts) -> str | None:
    for row, wanted, found in (
        ("modality", rule.modality, facts.modalities),
        ("body_part", rule.body_part, facts.body_parts),
        ("calling_ae", rule.calling_ae, facts.calling_aes),
    ):
        if wanted and not found & {value.upper() for value in wanted}:
            return row
    pattern = rule.description
    if pattern is not None and not any(re.search(pattern, text) for text in facts.descriptions):
        return "description"
    return None
