"""Rules for derived findings, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from judge_cases import FACTS, engine, finding, inference

from radiolucent.judge.derived import derive, log_odds
from radiolucent.judge.judge import judge
from radiolucent.judge.series import judge_series, slice_score
from radiolucent.records.anatomy import AnatomyMeasures
from radiolucent.records.engine import Code, DerivedSpec, Rule
from radiolucent.records.image import ImageFacts


def rule(name: Rule, *, slope: float = 1.0, intercept: float = 0.0, **changes: object) -> DerivedSpec:
    spec = DerivedSpec(
        key=name,
        display=name,
        code=Code(scheme="99T", value=name, meaning=name),
        rank=0,
        critical=True,
        rule=name,
        base=None,
        calibration=(slope, intercept),
        threshold=0.5,
        evidence_level="adequate",
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def test_the_cardiothoracic_ratio_is_calibrated_and_speaks_of_the_view() -> None:
    spec = rule("cardiothoracic_ratio", slope=20.0, intercept=-10.0)
    got = derive(spec, {}, AnatomyMeasures(cardiothoracic_ratio=0.6), replace(FACTS, view="AP"))
    assert got.probability == pytest.approx(1 / (1 + 2.718281828**-2), rel=1e-6)
    assert any("0.60" in r for r in got.reasons)
    assert any("AP" in r for r in got.reasons)
    upright = derive(spec, {}, AnatomyMeasures(cardiothoracic_ratio=0.6), FACTS)
    assert not any("magnify" in r for r in upright.reasons)


@pytest.mark.parametrize("name", ["cardiothoracic_ratio", "mediastinal_width", "tension", "acute_edema"])
def test_what_was_not_measured_is_not_called(name: Rule) -> None:
    got = derive(rule(name), {"pneumothorax": 0.99, "edema": 0.99}, AnatomyMeasures(), FACTS)
    assert got.probability == 0.0
    assert "not measured" in got.reasons[0]


@pytest.mark.parametrize(
    ("sides", "shift", "is_tension"),
    [((0.9, 0.0), 0.20, True), ((0.9, 0.0), -0.20, False), ((0.0, 0.9), -0.20, True), ((0.2, 0.2), 0.20, False)],
)
def test_tension_wants_the_mediastinum_pushed_away(sides: tuple[float, float], shift: float, is_tension: bool) -> None:
    spec = rule("tension", slope=20.0)
    measures = AnatomyMeasures(shift=shift, sides={"pneumothorax": sides})
    got = derive(spec, {"pneumothorax": 0.9}, measures, FACTS)
    assert (got.probability >= 0.5) == is_tension
    assert got.probability <= 0.9


def test_edema_is_acute_only_in_both_lungs() -> None:
    both = AnatomyMeasures(sides={"edema": (0.5, 0.4)})
    one = AnatomyMeasures(sides={"edema": (0.9, 0.05)})
    spec, chances = rule("acute_edema"), {"edema": 0.8}
    assert derive(spec, chances, both, FACTS).probability == pytest.approx(0.8)
    assert derive(spec, chances, one, FACTS).probability == pytest.approx(0.16)


def test_traumatic_needs_a_fracture_and_blood_outside_the_brain() -> None:
    chances = {"epidural": 0.2, "subdural": 0.7, "skull_fracture": 0.6}
    assert derive(rule("traumatic"), chances, AnatomyMeasures(), FACTS).probability == pytest.approx(0.6)
    assert derive(rule("traumatic"), {"skull_fracture": 0.9}, AnatomyMeasures(), FACTS).probability == 0.0


def test_a_derived_finding_is_ranked_and_says_what_it_is() -> None:
    spec = replace(
        engine(finding("epidural", 2), finding("skull_fracture", 3)), derived=(rule("traumatic", base="epidural"),)
    )
    result = judge(inference(3.0, 2.0), spec, facts=FACTS, explanations={})
    first = result.findings[0]
    assert (first.key, first.source, first.positive, result.primary) == ("traumatic", "derived", True, "traumatic")
    assert first.logit == pytest.approx(2.0, abs=1e-5)
    assert "derived by a stated rule, not trained" in first.reasons
    assert len(result.findings) == 3


def test_an_untestable_rule_is_never_called() -> None:
    spec = replace(
        engine(finding("epidural", 2), finding("skull_fracture", 3)),
        derived=(rule("traumatic", evidence_level="insufficient"),),
    )
    got = {f.key: f for f in judge(inference(9.0, 9.0), spec, facts=FACTS, explanations={}).findings}["traumatic"]
    assert (got.positive, got.confidence) == (False, "low")
    assert "insufficient_test_data" in got.flags


def test_a_stack_holds_derived_findings_too() -> None:
    spec = replace(engine(finding("epidural", 2), finding("skull_fracture", 3)), derived=(rule("traumatic"),))
    facts = ImageFacts(stem="x", source_sha256="0", rows=8, columns=8, instance_number=1)
    got = judge_series(
        "1.2", spec, [slice_score(judge(inference(3.0, 3.0), spec, facts=facts, explanations={}))], refused=0
    )
    assert {f.key for f in got.findings} == {"epidural", "skull_fracture", "traumatic"}
    assert got.primary == "traumatic"


def test_log_odds_stay_finite() -> None:
    assert -14 < log_odds(0.0) < log_odds(0.5) == 0.0 < log_odds(1.0) < 14
