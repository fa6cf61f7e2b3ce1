"""A stack's own result from its slices."""

from __future__ import annotations

from collections.abc import Sequence

from radiolucent.judge.impression import series_impression
from radiolucent.judge.judge import engine_ref
from radiolucent.records.engine import DerivedSpec, EngineSpec, FindingSpec
from radiolucent.records.result import ImageResult, SeriesFinding, SeriesResult, SliceScore

KEY_SLICES = 3


def slice_score(result: ImageResult) -> SliceScore:
    """What a series keeps of one slice: no pixels, no map."""
    return SliceScore(
        image=result.image,
        probabilities={f.key: f.probability for f in result.findings},
        positives=frozenset(f.key for f in result.positives),
    )


def _place(score: SliceScore) -> tuple[float, int, int]:
    image = score.image
    position = image.slice_position_mm
    return (0.0 if position is None else position, image.instance_number or 0, image.frame_number)


def judge_series(
    series_instance_uid: str, spec: EngineSpec, slices: Sequence[SliceScore], *, refused: int
) -> SeriesResult:
    """Aggregate a stack.

    A finding's probability over the stack is the highest over its slices, and it is positive when any slice is:
    the rule is stated, not learned, so the sensitivity of the stack is at least that of its slices and its false
    positives add up over the slices.

    Parameters
    ----------
    refused
        Slices of the series that were not read.
    """
    ordered = tuple(sorted(slices, key=_place))
    known: tuple[FindingSpec | DerivedSpec, ...] = (*spec.findings, *spec.derived)
    findings = sorted((_finding(f, ordered) for f in known), key=lambda p: (not p[0].positive, p[1]))
    chosen = tuple(finding for finding, _ in findings)
    return SeriesResult(
        series_instance_uid=series_instance_uid,
        engine=engine_ref(spec),
        slices=ordered,
        refused=refused,
        findings=chosen,
        primary=chosen[0].key if chosen and chosen[0].positive else None,
        impression=series_impression(chosen, len(ordered), spec),
    )


def _finding(spec: FindingSpec | DerivedSpec, slices: Sequence[SliceScore]) -> tuple[SeriesFinding, int]:
    positive = [s for s in slices if spec.key in s.positives]
    ranked = sorted(positive, key=lambda s: -s.probabilities[spec.key])[:KEY_SLICES]
    finding = SeriesFinding(
        key=spec.key,
        display=spec.display,
        code=spec.code,
        critical=spec.critical,
        probability=max((s.probabilities[spec.key] for s in slices), default=0.0),
        positive=bool(positive),
        positive_slices=len(positive),
        key_slices=tuple(ranked),
    )
    return finding, spec.rank
