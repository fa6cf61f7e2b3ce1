"""From scores to words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.judge.guards import population_guards, silent_facts
from radiolucent.judge.judge import judge, positive_indices, probability, refused
from radiolucent.judge.series import judge_series, slice_score
from radiolucent.records.engine import (
    ChannelSpec,
    Code,
    EngineSpec,
    FindingSpec,
    InputSpec,
    Population,
)
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import Explanation, Reason


def finding(key: str, rank: int, **changes: object) -> FindingSpec:
    spec = FindingSpec(
        key=key,
        display=key.title(),
        code=Code(scheme="99T", value=key, meaning=key),
        rank=rank,
        critical=rank == 1,
        is_localisable=True,
        expected_regions=(),
        display_class="locate",
        bias=0.0,
        calibration=(1.0, 0.0),
        threshold=0.5,
        map_scale=1.0,
        region_fraction=0.5,
        evidence_level="adequate",
        test_positives=40,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def engine(*findings: FindingSpec) -> EngineSpec:
    return EngineSpec(
        id="e",
        title="E",
        version="1",
        sha256="0",
        license="x",
        method="m",
        population=Population(
            modalities=("CR",), body_parts=("CHEST",), views=("PA", "AP"), min_age_years=18, intended_use="Adults."
        ),
        input=InputSpec(rows=8, columns=8, channels=(ChannelSpec(source="voi"),), mean=0.0, std=1.0),
        findings=findings,
        zones="chest",
        device_uid="2.25.1",
    )


FACTS = ImageFacts(stem="x", source_sha256="0", rows=8, columns=8, view="PA", age_years=40, modality="CR")


def inference(*logits: float) -> Inference:
    return Inference(
        logits=np.array(logits, dtype=np.float32),
        evidence=np.zeros((len(logits), 2, 2), dtype=np.float32),
        embedding=np.zeros(3, dtype=np.float32),
    )


def explanation(map_: np.ndarray, region: np.ndarray) -> Explanation:
    return Explanation(
        map=map_.astype(np.float32),
        scale=1.0,
        peak_row_col=(0, 0),
        region=region,
        region_box=(0, 0, 1, 1),
        zone="left lower zone",
        in_expected_region=None,
        completeness_error=0.0,
    )


def test_platt_by_hand() -> None:
    spec = finding("a", 1, calibration=(2.0, -1.0))
    assert probability(spec, 0.5) == pytest.approx(0.5)
    assert probability(spec, 1.5) == pytest.approx(1 / (1 + math.exp(-2)))


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 20), st.floats(-20, 20))
def test_calibration_keeps_order_and_range(a: float, b: float, slope: float, intercept: float) -> None:
    spec = finding("a", 1, calibration=(slope, intercept))
    low, high = sorted((a, b))
    assert 0.0 <= probability(spec, low) <= probability(spec, high) <= 1.0


def test_critical_positives_come_first_whatever_their_probability() -> None:
    spec = engine(finding("mild", 9), finding("worst", 1), finding("quiet", 2))
    result = judge(inference(4.0, 0.2, -3.0), spec, facts=FACTS, explanations={})
    assert [f.key for f in result.findings] == ["worst", "mild", "quiet"]
    assert [f.rank for f in result.findings] == [1, 2, 3]
    assert result.primary == "worst"
    assert result.impression.startswith("Worst suspected (probability 0.55")
    assert "mild (0.98)" in result.impression


def test_nothing_found_is_a_result() -> None:
    result = judge(inference(-5.0), engine(finding("a", 1)), facts=FACTS, explanations={})
    assert (result.status, result.primary) == ("processed", None)
    assert "no finding above its threshold" in result.impression
    assert len(result.findings) == 1


@pytest.mark.parametrize(("logit", "word"), [(3.0, "high"), (0.7, "moderate"), (0.05, "low"), (-3.0, "high")])
def test_confidence_follows_the_distance_from_the_threshold(logit: float, word: str) -> None:
    result = judge(inference(logit), engine(finding("a", 1)), facts=FACTS, explanations={})
    assert result.findings[0].confidence == word


def test_thin_test_evidence_lowers_confidence() -> None:
    spec = engine(finding("a", 1, evidence_level="limited", test_positives=3))
    got = judge(inference(5.0), spec, facts=FACTS, explanations={}).findings[0]
    assert got.confidence == "moderate"
    assert any("few positive cases (3 images)" in r for r in got.reasons)


def test_a_finding_that_could_not_be_tested_is_never_called() -> None:
    spec = engine(finding("a", 1, evidence_level="insufficient", test_positives=3))
    result = judge(inference(5.0), spec, facts=FACTS, explanations={})
    got = result.findings[0]
    assert (got.positive, got.confidence, result.primary) == (False, "low", None)
    assert "insufficient_test_data" in got.flags
    assert any("not called" in r for r in got.reasons)
    assert positive_indices(inference(5.0), spec) == ()


def test_a_positive_without_positive_evidence_claims_no_place() -> None:
    nowhere = explanation(-np.ones((4, 4)), np.ones((4, 4), dtype=bool))
    result = judge(inference(5.0), engine(finding("a", 1)), facts=FACTS, explanations={"a": nowhere})
    assert result.findings[0].confidence == "low"
    assert "no_positive_evidence" in result.findings[0].flags
    assert "zone" not in result.impression


def test_a_scattered_map_lowers_confidence() -> None:
    scattered, region = np.ones((4, 4)), np.zeros((4, 4), dtype=bool)
    region[0, 0] = True
    spec = engine(finding("a", 1))
    got = judge(inference(5.0), spec, facts=FACTS, explanations={"a": explanation(scattered, region)}).findings[0]
    assert got.confidence == "moderate"
    assert any("scattered: 6%" in r for r in got.reasons)
    whole = explanation(scattered, np.ones((4, 4), dtype=bool))
    assert judge(inference(5.0), spec, facts=FACTS, explanations={"a": whole}).findings[0].confidence == "high"


def test_population_flags_lower_confidence_and_are_named() -> None:
    got = judge(inference(5.0), engine(finding("a", 1)), facts=FACTS, explanations={}, flags=("age_not_stated",))
    assert got.findings[0].confidence == "moderate"
    assert got.findings[0].flags == ("age_not_stated",)


def test_a_notify_only_finding_is_never_located() -> None:
    spec = engine(finding("a", 1, display_class="notify-only"))
    known = {"a": explanation(np.ones((4, 4)), np.ones((4, 4), dtype=bool))}
    got = judge(inference(5.0), spec, facts=FACTS, explanations=known)
    assert got.findings[0].explanation is None
    assert "zone" not in got.impression


def test_a_diffuse_finding_says_that_its_map_is_not_a_location() -> None:
    spec = engine(finding("a", 1, is_localisable=False))
    assert any(
        "not a location" in r for r in judge(inference(5.0), spec, facts=FACTS, explanations={}).findings[0].reasons
    )


def test_only_positives_are_to_be_explained() -> None:
    assert positive_indices(inference(-1.0, 2.0, 0.0), engine(*(finding(k, 1) for k in "abc"))) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"view": "LATERAL"}, "wrong_view"),
        ({"age_years": 4}, "outside_population"),
        ({"age_years": 17.9}, "outside_population"),
    ],
)
def test_guards_name_what_is_outside(changes: dict[str, object], code: str) -> None:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]
    guards = population_guards(facts, engine(finding("a", 1)))
    assert [g.code for g in guards] == [code]
    assert "4" not in guards[0].found


def test_silence_is_flagged_not_refused() -> None:
    facts = replace(FACTS, view=None, age_years=None)
    assert population_guards(facts, engine(finding("a", 1))) == ()
    assert silent_facts(facts, engine(finding("a", 1))) == ("view_not_stated", "age_not_stated")


def test_a_refusal_claims_nothing() -> None:
    result = refused(Reason(code="wrong_view", text="Found a lateral view."), facts=FACTS, spec=None)
    assert result.status == "refused"
    assert result.findings == ()
    assert result.reason is not None
    assert result.reason.code == "wrong_view"


def test_a_stack_takes_its_worst_slice_and_names_key_slices() -> None:
    spec = engine(finding("bleed", 1), finding("other", 2))
    scores = []
    for number, logit in enumerate((-2.0, 1.0, 3.0, -1.0), start=1):
        facts = replace(FACTS, instance_number=number, slice_position_mm=float(-number))
        scores.append(slice_score(judge(inference(logit, -9.0), spec, facts=facts, explanations={})))
    got = judge_series("1.2.3", spec, scores, refused=1)
    assert [s.image.instance_number for s in got.slices] == [4, 3, 2, 1]
    bleed = got.findings[0]
    assert (bleed.key, bleed.positive, bleed.positive_slices) == ("bleed", True, 2)
    assert [s.image.instance_number for s in bleed.key_slices] == [3, 2]
    assert bleed.probability == pytest.approx(1 / (1 + math.exp(-3)))
    assert got.impression == "Bleed suspected on 2 of 4 slices."
    assert got.refused == 1
    assert not got.findings[1].positive
