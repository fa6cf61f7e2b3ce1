"""What a whole study says: the findings of its images and stacks put together, most critical first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from radiolucent.records.result import EngineRef, Reason
from radiolucent.records.study import InstanceRef, StudyFinding, StudyStatus

MOST_IMAGES, MOST_SENTENCES = 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReading:
    """One image or frame: what it says, or why it was not read. Each finding names this one image."""

    image: InstanceRef
    engine: EngineRef | None
    reason: Reason | None
    findings: tuple[StudyFinding, ...]
    impression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReading:
    """One stack's own word on each finding: ``(probability, positive)`` by key."""

    series_instance_uid: str
    engine_id: str
    findings: Mapping[str, tuple[float, bool]]
    impression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """A study put together."""

    status: StudyStatus
    engines: tuple[EngineRef, ...]
    findings: tuple[StudyFinding, ...]
    refusals: tuple[Reason, ...]
    impression: str


def judge_study(images: Sequence[ImageReading], stacks: Sequence[StackReading]) -> StudyReading:
    """Put images and stacks together.

    A finding of a stack has the stack's probability and sign; of several stacks or single images the most plain one
    speaks, and it is positive if it is positive anywhere.
    """
    stacked = {(s.series_instance_uid, s.engine_id): s for s in stacks}
    by_series: dict[tuple[str, str], list[StudyFinding]] = {}
    for image in images:
        for finding in image.findings:
            place = (image.image.series_instance_uid, finding.engine.id)
            own = place if place in stacked else (image.image.sop_instance_uid, finding.engine.id)
            by_series.setdefault(own, []).append(finding)
    spoken: dict[tuple[str, str], list[StudyFinding]] = {}
    for place, found in by_series.items():
        for key, group in _by_key(found).items():
            merged = _merge(group)
            stack = stacked.get(place)
            if stack is not None and key in stack.findings:
                probability, positive = stack.findings[key]
                merged = replace(merged, probability=probability, positive=positive)
            spoken.setdefault((merged.engine.id, key), []).append(merged)
    findings = sorted((_merge(group) for group in spoken.values()), key=_order)
    engines = {i.engine.id: i.engine for i in images if i.engine is not None and i.reason is None}
    return StudyReading(
        status=_status(images, findings),
        engines=tuple(engines[name] for name in sorted(engines)),
        findings=tuple(findings),
        refusals=_once(i.reason for i in images if i.reason is not None),
        impression=_impression(images, stacks, stacked),
    )


def _by_key(findings: Iterable[StudyFinding]) -> dict[str, list[StudyFinding]]:
    out: dict[str, list[StudyFinding]] = {}
    for finding in findings:
        out.setdefault(finding.key, []).append(finding)
    return out


def _merge(group: Sequence[StudyFinding]) -> StudyFinding:
    """The most plain one, with the images of all that agree with its sign."""
    ranked = sorted(group, key=lambda f: (not f.positive, -f.probability))
    first = ranked[0]
    agreeing = [image for f in ranked if f.positive == first.positive for image in f.images]
    return replace(first, alert=any(f.alert for f in group), images=tuple(agreeing[:MOST_IMAGES]))


def _order(finding: StudyFinding) -> tuple[bool, bool, bool, float, str]:
    """Positives first, alerts before others, critical before others, then by probability."""
    return (not finding.positive, not finding.alert, not finding.critical, -finding.probability, finding.key)


def _status(images: Sequence[ImageReading], findings: Sequence[StudyFinding]) -> StudyStatus:
    if any(f.positive for f in findings):
        return "positive"
    return "nothing_found" if any(i.reason is None for i in images) else "refused"


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({reason.code: reason for reason in reasons}.values())


def _impression(
    images: Sequence[ImageReading], stacks: Sequence[StackReading], stacked: Mapping[tuple[str, str], StackReading]
) -> str:
    """The stacks' sentences, then those of single images; each once."""
    single = [
        image
        for image in images
        if image.engine is None or (image.image.series_instance_uid, image.engine.id) not in stacked
    ]
    ranked = sorted(single, key=lambda i: (not any(f.positive for f in i.findings), i.reason is not None))
    sentences = dict.fromkeys([*(s.impression for s in stacks), *(i.impression for i in ranked)])
    kept = [s for s in sentences if s][:MOST_SENTENCES]
    more = len(sentences) - len(kept)
    return " ".join([*kept, *([f"And {more} more."] if more > 0 else [])])
