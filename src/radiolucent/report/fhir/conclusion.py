"""What a report says in words and in codes; each of the four outcomes, and a retraction, says something else."""

from __future__ import annotations

from radiolucent.records.engine import Code
from radiolucent.records.result import DISCLAIMER
from radiolucent.records.study import StudyReport
from radiolucent.report.decided import decision_words
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coding, concept, text, token
from radiolucent.standards import codes

_LABELS = {
    "positive": "Processed, with findings",
    "nothing_found": "Processed, nothing found",
    "refused": "Refused: the images were not read",
    "not_processed": "Not processed: no engine ran",
}
RETRACTED = "RETRACTED: this AI result was withdrawn. Do not use it."


def conclusion(report: StudyReport) -> str:
    """The report in sentences; how it came about comes first, what it is not last."""
    if report.state == "retracted":
        return RETRACTED
    outcome = text(report.impression) if report.is_signed else _outcome(report)
    return " ".join(s for s in (_standing(report), outcome, _unread(report), DISCLAIMER) if s)


def conclusion_codes(report: StudyReport) -> list[Resource]:
    """The outcome in our own code and in DICOM's, then why images were not read.

    Findings are not repeated here: a receiver may take these codes for a diagnosis.
    """
    if report.state == "retracted":
        return [concept({"system": systems.STUDY_STATUS, "code": "retracted", "display": "Retracted"})]
    own = {"system": systems.STUDY_STATUS, "code": report.status, "display": _LABELS[report.status]}
    reasons = [_reason(r.code, r.text) for r in report.refusals]
    return [concept(own, coding(_summary(report)), words=_LABELS[report.status]), *(r for r in reasons if r)]


def _reason(code: str, words: str) -> Resource:
    known = token(code)
    return concept({"system": systems.REFUSAL, "code": known} if known else {}, words=words)


def _summary(report: StudyReport) -> Code:
    """PS3.16 CID 6047."""
    if report.status in ("refused", "not_processed"):
        return codes.NOT_PROCESSED
    if report.refusals:
        return systems.PARTLY_WITH_FINDINGS if report.status == "positive" else systems.PARTLY_WITHOUT_FINDINGS
    return codes.SUCCEEDED_WITH_FINDINGS if report.status == "positive" else codes.SUCCEEDED_WITHOUT_FINDINGS


def _standing(report: StudyReport) -> str:
    if report.is_signed:
        return text(decision_words(report))
    if report.state == "corrected":
        return (
            f"CORRECTED PRELIMINARY AI RESULT (revision {report.revision}), not verified by a person; "
            "it takes the place of the one before."
        )
    return "PRELIMINARY AI RESULT, not verified by a person."


def _outcome(report: StudyReport) -> str:
    said = text(report.impression)
    if report.status == "positive":
        return said
    if report.status == "nothing_found":
        return f"Processed, nothing found above its threshold; this does not exclude disease. {said}".strip()
    reasons = " ".join(dict.fromkeys(text(r.text) for r in report.refusals if r.text))
    if report.status == "refused":
        return f"NOT READ: the images were refused. {reasons}".strip()
    return f"NOT PROCESSED: no engine ran, and nothing is said about the images. {reasons}".strip()


def _unread(report: StudyReport) -> str:
    if report.status in ("refused", "not_processed") or not report.refusals:
        return ""
    reasons = " ".join(dict.fromkeys(text(r.text) for r in report.refusals if r.text))
    return f"Some images were not read. {reasons}".strip()
