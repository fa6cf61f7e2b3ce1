"""Agreement where the engine was right and where it was wrong, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import fhir_cases

from radiolucent.records.decision import Decision, Draft, FindingDecision, ReaderRef, Statement
from radiolucent.records.study import Assessment, StudyFinding
from radiolucent.review.meters import FEWEST, Case, Reliance, reliance, rows

ENGINE = fhir_cases.ENGINE
CALLED = replace(fhir_cases.report().findings[0], engine=ENGINE, key="nodule", positive=True, assessed=None)
SILENT = replace(CALLED, key="mass", positive=False)


def case(
    assessment: Assessment, truth: dict[str, bool], *, added: str | None = None, findings: tuple[StudyFinding, ...] = ()
) -> Case:
    """One decision on a called nodule and a mass that was not called; ``added``: a finding that the reader adds."""
    said = Statement(key=added, display="", confidence="low", comment="", regions=())
    draft = Draft(
        idempotency_key="",
        report_id="r",
        supersedes=None,
        is_final=True,
        comment="",
        findings=(
            FindingDecision(
                engine=ENGINE.id, key="nodule", assessment=assessment, reason_code=None, comment="", changed=None
            ),
        ),
        added=() if added is None else (said,),
    )
    decision = Decision(
        decision_id="d",
        study_key="s",
        report_id="r",
        revision=2,
        reader=ReaderRef(name="ana", display="Dr Ana"),
        signed_at=datetime(2026, 1, 1, tzinfo=UTC),
        outcome="accepted",
        draft=draft,
        second_read=False,
        audit_sequence=1,
    )
    report = replace(fhir_cases.report(), findings=findings or (CALLED, SILENT))
    return Case(decision=decision, report=report, opinion=None, ready_at=0.0, truth=truth)


def counts(*cases: Case) -> dict[tuple[str, ...], tuple[int, ...]]:
    found = reliance(rows(cases), "finding", "reader")
    return {key: tuple(getattr(one, name) for name in Reliance.__slots__) for key, one in found.items()}


def test_calls_and_silences_count_against_what_turned_out_to_be_true() -> None:
    cases = (
        case("accepted", {"nodule": True, "mass": False}),  # right twice, agreed twice
        case("rejected", {"nodule": True, "mass": True}),  # right and not agreed; a miss that was passed over
        case("accepted", {"nodule": False}),  # a false alarm that was let stand
        case("rejected", {"nodule": False, "mass": True}, added="mass"),  # both mistakes seen
        case("accepted", {}),  # nothing is known
    )
    assert counts(*cases) == {
        ("nodule", "ana"): (2, 1, 2, 1, 2, 1),
        ("mass", "ana"): (1, 1, 2, 1, 0, 0),
    }
    assert [(row.finding, row.n) for row in rows(cases) if row.confidence == CALLED.confidence and row.n] == [
        ("nodule", 5)
    ]


def test_too_few_say_nothing() -> None:
    few, enough = Reliance(wrong=FEWEST - 1, wrong_agreed=3), Reliance(wrong=FEWEST, wrong_agreed=3, right=1)
    assert (few.agreed_wrong, few.agreed_right) == (None, None)
    assert enough.agreed_wrong is not None
    share, low, high = enough.agreed_wrong
    assert (round(share, 3), round(low, 3), round(high, 3)) == (0.3, 0.108, 0.603), "Wilson, by hand"
    assert (few + enough).wrong == 2 * FEWEST - 1
