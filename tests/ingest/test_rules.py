"""Which rule a study falls under."""

from __future__ import annotations

import json

import pytest

from radiolucent.ingest.rules import StudyFacts, choose, explain, facts_of
from radiolucent.settings import Rule

CHEST = Rule(name="chest", modality=("CR", "dx"), body_part=("CHEST",))
TRAUMA = Rule(name="trauma", description="(?i)trauma|polytr", calling_ae=("Er_Room",), priority="stat")
REST = Rule(name="rest")


def element(vr: str, *values: object) -> dict[str, object]:
    return {"vr": vr, "Value": list(values)}


def facts(**changes: object) -> StudyFacts:
    given = {"modalities": {"CR"}, "body_parts": {"CHEST"}, "calling_aes": {"CT1"}, "descriptions": {"Thorax"}}
    return StudyFacts(**{name: frozenset(v) for name, v in (given | changes).items()})  # type: ignore[arg-type]


def test_facts_are_gathered_over_all_images() -> None:
    study = json.dumps({"00081030": element("LO", "Polytrauma")})
    one = json.dumps({"00080060": element("CS", "CR"), "00180015": element("CS", "chest")})
    two = json.dumps(
        {
            "00080060": element("CS", " ct "),
            "0008103E": element("LO", "Head axial"),
            "00181030": element("LO", None),
            "00180015": {"vr": "CS"},
        }
    )
    assert facts_of(study, [(one, "ct_one"), (two, "")]) == StudyFacts(
        modalities=frozenset({"CR", "CT"}),
        body_parts=frozenset({"CHEST"}),
        calling_aes=frozenset({"CT_ONE"}),
        descriptions=frozenset({"Polytrauma", "Head axial"}),
    )


def test_a_study_without_anything_has_no_facts() -> None:
    assert facts_of("{}", []) == facts(modalities=(), body_parts=(), calling_aes=(), descriptions=())


@pytest.mark.parametrize(
    ("seen", "against"),
    [
        (facts(), None),
        (facts(modalities={"DX", "CT"}), None),
        (facts(modalities={"CT"}), "modality"),
        (facts(modalities=()), "modality"),
        (facts(body_parts={"HEAD"}), "body_part"),
    ],
)
def test_all_conditions_must_hold_whatever_their_case(seen: StudyFacts, against: str | None) -> None:
    assert [tried.against for tried in explain([CHEST], seen)] == [against]


@pytest.mark.parametrize(
    ("seen", "against"),
    [
        (facts(descriptions={"Head", "POLYTRAUMA"}, calling_aes={"ER_ROOM"}), None),
        (facts(descriptions={"Head"}, calling_aes={"ER_ROOM"}), "description"),
        (facts(descriptions=(), calling_aes={"ER_ROOM"}), "description"),
        (facts(descriptions={"Trauma"}, calling_aes={"OTHER"}), "calling_ae"),
    ],
)
def test_descriptions_are_searched_for_an_expression(seen: StudyFacts, against: str | None) -> None:
    assert [tried.against for tried in explain([TRAUMA], seen)] == [against]


def test_the_first_that_holds_wins_and_those_before_say_why_not() -> None:
    tried = explain([TRAUMA, CHEST, REST], facts())
    assert [(t.rule.name, t.against) for t in tried] == [("trauma", "calling_ae"), ("chest", None)]
    assert choose([REST, CHEST], facts()) is REST


def test_no_rule_holds_for_nothing() -> None:
    assert choose([CHEST], facts(modalities={"MR"})) is None
    assert choose([], facts()) is None
    assert choose([REST], facts(modalities=(), body_parts=(), calling_aes=(), descriptions=())) is REST
