"""From scores to words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_cases import FACTS, engine, explanation, finding, inference

from radiolucent.judge.guards import content_guards, population_guards, silent_facts
from radiolucent.judge.judge import judge, probability, refused
from radiolucent.judge.series import judge_series, slice_score
from radiolucent.records.engine import ContentGuard, EvidenceLevel
from radiolucent.records.result import Finding, Reason


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


def test_an_unlikely_critical_finding_does_not_push_a_likely_one_from_the_top() -> None:
    spec = engine(finding("worst", 1, threshold=0.05), finding("mild", 9))
    result = judge(inference(-2.0, 2.0), spec, facts=FACTS, explanations={})
    assert [(f.key, f.positive, f.alert) for f in result.findings] == [("mild", True, False), ("worst", True, False)]
    assert result.primary == "mild"


def test_nothing_found_is_a_result() -> None:
    result = judge(inference(-5.0), engine(finding("a", 1)), facts=FACTS, explanations={})
    assert (result.status, result.primary) == ("processed", None)
    assert "no finding above its threshold" in result.impression
    assert len(result.findings) == 1


@pytest.mark.parametrize(("logit", "word"), [(3.0, "high"), (0.7, "moderate"), (-0.05, "low"), (-3.0, "high")])
def test_confidence_follows_the_calibrated_probability(logit: float, word: str) -> None:
    result = judge(inference(logit), engine(finding("a", 1)), facts=FACTS, explanations={})
    assert result.findings[0].confidence == word


def test_a_call_that_is_more_likely_wrong_than_right_has_low_confidence() -> None:
    got = judge(inference(-1.0), engine(finding("a", 1, threshold=0.1)), facts=FACTS, explanations={}).findings[0]
    assert (got.positive, got.confidence, got.alert) == (True, "low", False)


def test_the_alert_budget_holds_back_unlikely_critical_calls_only() -> None:
    spec = engine(finding("a", 1, threshold=0.1), finding("b", 2, threshold=0.1))
    likely = judge(inference(0.0, 5.0), spec, facts=FACTS, explanations={})
    assert {f.key: f.alert for f in likely.findings} == {"a": True, "b": False}


def test_between_both_answers_means_low_confidence() -> None:
    spec = engine(finding("a", 1, uncertain=(0.4, 0.9)))
    got = judge(inference(2.0), spec, facts=FACTS, explanations={}).findings[0]
    assert (got.positive, got.confidence, "uncertain" in got.flags) == (True, "low", True)


def test_an_engine_that_was_not_measured_here_is_called_with_low_confidence() -> None:
    got = judge(inference(5.0), engine(finding("a", 1, evidence_level="untested")), facts=FACTS, explanations={})
    assert (got.findings[0].positive, got.findings[0].confidence) == (True, "low")
    assert "not_validated_here" in got.findings[0].flags


def test_evidence_outside_its_place_is_flagged_whatever_the_probability() -> None:
    spec = engine(finding("a", 1, expected_regions=("lung",)))
    whole = explanation(np.ones((4, 4)), np.ones((4, 4), dtype=bool))
    inside = replace(whole, in_expected_region=0.9, region_shares={"left_lung": 0.8, "right_lung": 0.1})
    outside = replace(whole, in_expected_region=0.2, region_shares={"left_lung": 0.1})
    good = judge(inference(9.0), spec, facts=FACTS, explanations={"a": inside}).findings[0]
    bad = judge(inference(9.0), spec, facts=FACTS, explanations={"a": outside}).findings[0]
    assert (good.confidence, good.flags) == ("high", ())
    assert any("90% of the evidence lies in the expected region (lung): left lung 80%" in r for r in good.reasons)
    assert (bad.confidence, bad.flags) == ("low", ("outside_expected_region",))
    assert any("20%" in r and "artefact" in r for r in bad.reasons)


def test_a_marker_under_the_peak_is_flagged() -> None:
    marked = replace(explanation(np.ones((4, 4)), np.ones((4, 4), dtype=bool)), marker_under_peak=True)
    got = judge(inference(5.0), engine(finding("a", 1)), facts=FACTS, explanations={"a": marked}).findings[0]
    assert (got.confidence, got.flags) == ("low", ("marker_under_peak",))


def test_a_map_that_was_not_validated_is_kept_but_not_shown() -> None:
    spec = engine(finding("a", 1, map_status="not_validated"))
    known = {"a": explanation(np.ones((4, 4)), np.ones((4, 4), dtype=bool))}
    got = judge(inference(5.0), spec, facts=FACTS, explanations=known)
    first = got.findings[0]
    assert first.explanation is not None
    assert first.shown is None
    assert "map_not_validated" in first.flags
    assert "zone" not in got.impression


GUARDS = (
    ContentGuard(name="lateral", threshold=0.5, action="refuse", found="a lateral film", expected="a frontal one"),
    ContentGuard(name="child", threshold=0.5, action="flag", found="a child", expected="an adult"),
)


@pytest.mark.parametrize(
    ("guards", "novelty", "codes", "flags"),
    [
        ((0.1, 0.1), 1.0, [], ()),
        ((0.9, 0.1), 1.0, ["wrong_content"], ("looks_lateral",)),
        ((0.79, 0.1), 1.0, [], ("looks_lateral",)),
        ((0.1, 0.9), 1.0, [], ("looks_child",)),
        ((0.1, 0.1), 15.0, [], ("unlike_training",)),
        ((0.9, 0.1), 25.0, ["wrong_content", "unlike_training"], ("looks_lateral", "unlike_training")),
    ],
)
def test_content_guards(guards: tuple[float, ...], novelty: float, codes: list[str], flags: tuple[str, ...]) -> None:
    spec = replace(engine(finding("a", 1)), content_guards=GUARDS, novelty_limit=10.0)
    got = content_guards(replace(inference(0.0), guards=guards, novelty=novelty), spec)
    assert [r.code for r in got.refusals] == codes
    assert got.flags == flags


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


def test_a_faint_map_lowers_confidence_and_says_so() -> None:
    spec, region = engine(finding("a", 1)), np.ones((4, 4), dtype=bool)

    def said(peak: float, evidence_level: EvidenceLevel = "adequate") -> Finding:
        found = replace(spec.findings[0], evidence_level=evidence_level)
        known = {"a": explanation(np.full((4, 4), peak), region)}
        return judge(inference(5.0), replace(spec, findings=(found,)), facts=FACTS, explanations=known).findings[0]

    assert said(0.31).confidence == "high"
    faint = said(0.29)
    assert faint.confidence == "moderate"
    assert faint.flags == ("faint_evidence",)
    assert any("29% of what is usual" in reason for reason in faint.reasons)
    assert "faint_evidence" not in said(0.29, "untested").flags, "an imported engine's scale is not measured"


def test_population_flags_lower_confidence_and_are_named() -> None:
    def said(*flags: str) -> Finding:
        return judge(inference(5.0), engine(finding("a", 1)), facts=FACTS, explanations={}, flags=flags).findings[0]

    assert said().confidence == "high"
    assert said("outside_population").confidence == "moderate"
    assert said("looks_lateral", "age_not_stated").confidence == "low"
    silent = said("age_not_stated")
    assert silent.confidence == "high", "the words were measured on pictures that state no age either"
    assert silent.flags == ("age_not_stated",)
    assert silent.reasons[-1] == "not known to be of the engine's population: age not stated"


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
