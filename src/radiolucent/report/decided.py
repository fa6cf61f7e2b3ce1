"""What a person decided, in words: the same in every report."""

from __future__ import annotations

from radiolucent.records.study import PersonFinding, StudyFinding, StudyReport, Verification


def decision_words(report: StudyReport) -> str:
    """Who decided what of the result, and whether it is final; empty where nobody has."""
    made = report.verification
    if made is None:
        return ""
    state = "final" if made.is_final else "verified, to be reported"
    return f"Decided by {made.reader_display} ({state}): AI result {made.outcome}."


def assessed_words(finding: StudyFinding, made: Verification | None) -> str:
    """What the person says of one finding, why, and what it is instead; empty where nothing was said."""
    said = finding.assessed
    if said is None:
        return ""
    by = "" if made is None else f" by {made.reader_display}"
    parts = [f"{finding.display}: {said.assessment}{by}"]
    parts += [said.reason.meaning] if said.reason is not None else []
    parts += [said.comment, "" if said.changed is None else said.changed.comment]
    parts += [f"instead: {finding.instead.display}"] if finding.instead is not None else []
    return "; ".join(each for each in parts if each) + "."


def stated_words(statement: PersonFinding, made: Verification | None) -> str:
    """A finding that the person states."""
    by = "" if made is None else f" by {made.reader_display}"
    return "; ".join(each for each in (f"{statement.display}: stated{by}", statement.comment) if each) + "."
