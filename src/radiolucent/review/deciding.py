"""What a decision must hold, what it means, and the signed report that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from radiolucent.errors import InputRefused
from radiolucent.records.decision import Draft, DrawnRegion, FindingDecision, Statement
from radiolucent.records.engine import Code, DisplayClass
from radiolucent.records.study import (
    Assessed,
    InstanceRef,
    Outcome,
    PersonFinding,
    Region,
    ReportState,
    StudyFinding,
    StudyReport,
    Verification,
)
from radiolucent.standards.assessment import REASONS

MOST_WORDS, MOST_POINTS, MOST_STATEMENTS = 2000, 400, 50
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image on which a person may draw."""

    image: InstanceRef
    rows: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a decision is checked against.

    Parameters
    ----------
    pictures
        By image key of the study's view.
    codes
        Every finding that the vocabulary knows, by key.
    display_classes
        Of the engines' findings, by engine and key; on one that is ``notify-only`` no place may be drawn.
    """

    pictures: Mapping[int, Picture]
    codes: Mapping[str, Code]
    display_classes: Mapping[Key, DisplayClass]


def _wrong(found: str, expected: str) -> InputRefused:
    return InputRefused("decision_incomplete", found=found, expected=expected, action="Mend the decision; sign again.")


def check(draft: Draft, report: StudyReport, known: Known) -> None:
    """Whether a decision is whole and holds together.

    Raises
    ------
    InputRefused
        ``result_superseded`` for another report than the last one, ``decision_incomplete``.
    """
    if draft.report_id != report.report_id:
        raise InputRefused(
            "result_superseded",
            found="a decision on a result that is no longer the last one",
            expected="a decision on the study's last result",
            action="Load the study anew, look at what changed, decide on that.",
        )
    said = {(f.engine.id, f.key): f for f in report.findings}
    decided = [(f.engine, f.key) for f in draft.findings]
    if len(set(decided)) != len(decided):
        raise _wrong("a finding that is decided twice", "each finding once")
    if not set(decided) <= set(said):
        raise _wrong("a finding that the result does not have", "findings of the result")
    missing = [key for key, finding in said.items() if finding.positive and key not in set(decided)]
    if missing:
        raise _wrong(f"{len(missing)} positive findings without an assessment", "every positive finding assessed")
    if len(draft.comment) > MOST_WORDS or len(draft.added) > MOST_STATEMENTS:
        raise _wrong("more than a report holds", f"{MOST_WORDS} characters, {MOST_STATEMENTS} added findings")
    for each in draft.findings:
        if each.assessment != "accepted" and not said[(each.engine, each.key)].positive:
            raise _wrong("a finding below its threshold that is rejected or modified", "it added as a missed finding")
        _check_finding(each, known)
    for statement in draft.added:
        _check_statement(statement, known)


def _check_finding(each: FindingDecision, known: Known) -> None:
    reason = None if each.reason_code is None else REASONS.get(each.reason_code)
    if each.reason_code is not None and (reason is None or each.assessment not in reason.fits):
        raise _wrong("a reason that is not of the vocabulary for this assessment", "a reason of GET /api/vocabulary")
    if each.assessment != "accepted" and reason is None:
        raise _wrong("a rejected or modified finding without a reason", "a reason of GET /api/vocabulary")
    if each.reason_code == "other" and not each.comment.strip():
        raise _wrong("the reason 'other' without a comment", "a comment that says it")
    if len(each.comment) > MOST_WORDS:
        raise _wrong("a comment that is too long", f"{MOST_WORDS} characters")
    if (each.changed is not None) != (each.assessment == "modified"):
        raise _wrong("a change without 'modified', or 'modified' without a change", "both, or neither")
    if each.changed is not None:
        _check_statement(each.changed, known)
        if each.changed.regions and known.display_classes.get((each.engine, each.key)) == "notify-only":
            raise _wrong("a place for a finding that is told without one", "no region for a notify-only finding")


def _check_statement(statement: Statement, known: Known) -> None:
    if statement.key is not None and statement.key not in known.codes:
        raise _wrong("a finding that the vocabulary does not know", "a key of GET /api/vocabulary, or words alone")
    if not statement.display.strip() or len(statement.display) > 200 or len(statement.comment) > MOST_WORDS:
        raise _wrong("a finding without words, or with too many", "1 to 200 characters")
    for region in statement.regions:
        _check_region(region, known.pictures)


def _check_region(region: DrawnRegion, pictures: Mapping[int, Picture]) -> None:
    picture = pictures.get(region.image_key)
    if picture is None:
        raise _wrong("a region on an image that the study does not have", "an image of the study")
    fewest = 2 if region.kind == "box" else 3
    count = len(region.points)
    if not fewest <= count <= MOST_POINTS or (region.kind == "box" and count != 2):
        raise _wrong(f"a {region.kind} of {count} points", "two opposite corners of a box, 3 to 400 of a polygon")
    if not all(0 <= row <= picture.rows and 0 <= column <= picture.columns for row, column in region.points):
        raise _wrong("a region that leaves the image", "points within the image")
    rows, columns = ([point[axis] for point in region.points] for axis in (0, 1))
    if min(rows) == max(rows) or min(columns) == max(columns):
        raise _wrong("a region without an area", "an area")


def outcome_of(draft: Draft) -> Outcome:
    """The word for the result as a whole.

    Something missed makes it supplemented; else all rejected: rejected; else anything touched: modified.
    """
    if draft.added:
        return "supplemented"
    assessments = {each.assessment for each in draft.findings}
    if assessments == {"rejected"}:
        return "rejected"
    return "modified" if assessments - {"accepted"} else "accepted"


def signed_report(
    report: StudyReport,
    draft: Draft,
    known: Known,
    *,
    revision: int,
    report_id: str,
    replaces: str,
    verification: Verification,
    now: datetime,
) -> StudyReport:
    """The report that a decision makes out of the engines': the same findings, assessed, and those that were missed.

    It has no objects yet.
    """
    decided = {(each.engine, each.key): each for each in draft.findings}
    findings = tuple(_assessed(f, decided.get((f.engine.id, f.key)), known) for f in report.findings)
    state: ReportState = "final" if draft.is_final else "verified"
    added = tuple(_stated(each, known) for each in draft.added)
    is_positive = bool(added) or any(f.holds or f.instead is not None for f in findings)
    return replace(
        report,
        status="positive" if is_positive else "nothing_found",
        report_id=report_id,
        revision=revision,
        state=state,
        produced_at=now,
        findings=findings,
        objects=(),
        impression=impression(findings, added, draft.comment),
        replaces=replaces,
        verification=verification,
        added=added,
    )


def _assessed(finding: StudyFinding, decision: FindingDecision | None, known: Known) -> StudyFinding:
    if decision is None:
        return finding
    reason = None if decision.reason_code is None else REASONS[decision.reason_code].concept
    changed = None if decision.changed is None else _stated(decision.changed, known)
    assessed = Assessed(assessment=decision.assessment, reason=reason, comment=decision.comment, changed=changed)
    return replace(finding, assessed=assessed)


def _stated(statement: Statement, known: Known) -> PersonFinding:
    return PersonFinding(
        key=statement.key,
        display=statement.display.strip(),
        code=None if statement.key is None else known.codes[statement.key],
        confidence=statement.confidence,
        comment=statement.comment,
        regions=tuple(
            Region(image_key=r.image_key, image=known.pictures[r.image_key].image, kind=r.kind, points=r.points)
            for r in statement.regions
        ),
    )


def impression(findings: Sequence[StudyFinding], added: Sequence[PersonFinding], comment: str) -> str:
    """The verified result in sentences: what holds, what does not, and the reader's own words last."""
    said = [_sentence(finding) for finding in findings if finding.assessed is not None]
    said += [f"{each.display}: present, found by the reader." for each in added]
    if not said:
        said = ["The reader confirms: no finding over its threshold."]
    return " ".join((*said, *([comment.strip()] if comment.strip() else [])))


def _sentence(finding: StudyFinding) -> str:
    assessed = finding.assessed
    assert assessed is not None  # asked of assessed findings alone
    if assessed.assessment == "rejected":
        return f"{finding.display}: rejected by the reader."
    if assessed.changed is not None:
        return f"{finding.display}: modified by the reader to {assessed.changed.display}."
    return f"{finding.display}: {'present' if finding.positive else 'absent'}, confirmed by the reader."
