"""What the message says in words. Nothing found, refused and not processed are three different texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from radiolucent.records.result import DISCLAIMER, Reason
from radiolucent.records.study import StudyFinding, StudyReport, StudyStatus, Verification
from radiolucent.report.decided import assessed_words, decision_words

#: HL7 tables 0085 and 0123: a machine's word is preliminary, what a person finalised final, what follows a correction.
PRELIMINARY, FINAL, CORRECTION, WRONG = "P", "F", "C", "W"
UNVERIFIED = "AI result, not verified by a person."
STATE = {
    "corrected": "CORRECTED: this replaces the earlier AI result of this study.",
    "retracted": "RETRACTED: the earlier AI result of this study is withdrawn. Do not use it.",
}
STATEMENTS: dict[StudyStatus, str] = {
    "positive": "Processed: at least one finding is above its threshold.",
    "nothing_found": "Processed: no finding is above its threshold.",
    "refused": "Refused: the images were not read, so nothing is known of what they show.",
    "not_processed": "Not processed: the engines could not run, so nothing is known of what the images show.",
}


def impression(report: StudyReport) -> str:
    """The impression, a sentence a line: what this is, what was done, what the report says, what it is worth."""
    lines = [STATE.get(report.state, ""), decision_words(report) or UNVERIFIED]
    if report.state != "retracted" and not report.is_signed:
        lines.append(STATEMENTS[report.status])
    lines.append(report.impression)
    if report.state != "retracted":
        lines += [f"Not read ({_images(count)}): {reason.text}" for reason, count in counted(report.refusals)]
    return "\n".join(line for line in (*lines, DISCLAIMER) if line)


def result_status(report: StudyReport) -> str:
    """OBR-25, and OBX-11 of a report that stands."""
    finality = "preliminary" if report.verification is None else report.verification.finality
    if finality == "preliminary":
        return PRELIMINARY
    return CORRECTION if finality == "amended" or report.state == "retracted" else FINAL


def counted(refusals: Iterable[Reason]) -> list[tuple[Reason, int]]:
    """Each reason once, in order of appearance, with how many images it holds for."""
    return list(Counter(refusals).items())


def remarks(finding: StudyFinding, made: Verification | None = None) -> str:
    """Confidence with its reasons, the place in words where the report gives one, flags, and what a person decided."""
    because = f" ({'; '.join(finding.reasons)})" if finding.reasons else ""
    parts = [f"{finding.display}: confidence {finding.confidence}{because}."]
    if finding.positive and finding.zone:
        parts.append(f"Most evidence: {finding.zone}.")
    if finding.flags:
        parts.append(f"Flags: {', '.join(finding.flags)}.")
    if finding.change is not None:
        parts.append(finding.change.words)
    if finding.assessed is not None:
        parts.append(assessed_words(finding, made))
    return " ".join(parts)


def lineage(report: StudyReport) -> str:
    """Which report this is, and which it replaces."""
    replaces = f", replaces {report.replaces}" if report.replaces else ""
    return f"Radiolucent report {report.report_id}, revision {report.revision}{replaces}."


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
