"""OBX segments of a report (HL7 v2.5.1 section 7.4.2).

Coded values are ``CE``: its components are the first six of ``CWE``, which table 0125 of v2.5.1 lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from radiolucent.records.engine import Code
from radiolucent.records.result import Confidence, EngineRef
from radiolucent.records.study import StudyFinding, StudyReport
from radiolucent.report.decided import stated_words
from radiolucent.report.hl7 import words
from radiolucent.report.hl7.fields import coded, person, timestamp
from radiolucent.standards import codes
from radiolucent.standards.hl7_text import Value, segment

LOCAL = "99RADIOLUCENT"
#: PS3.16 CID 6047, for studies of which some images were refused.
_PARTLY_WITHOUT_FINDINGS = Code(scheme="DCM", value="111243", meaning="Not all algorithms succeeded; without findings")
_PARTLY_WITH_FINDINGS = Code(scheme="DCM", value="111244", meaning="Not all algorithms succeeded; with findings")
_STUDY_INSTANCE_UID = Code(scheme="DCM", value="110180", meaning="Study Instance UID")


def observations(report: StudyReport) -> Iterator[str]:
    """The segments, OBX-1 counting from 1: impression, summary, study, reasons of refusals, findings with remarks."""
    lines = (*_about_the_study(report), *_findings(report), *_stated(report))
    for number, (fields, note) in enumerate(lines, 1):
        yield segment("OBX", {**_common(report), **fields, 1: str(number)})
        if note:
            yield segment("NTE", {1: "1", 2: "L", 3: note})


Line = tuple[Mapping[int, Value], str]


def _common(report: StudyReport) -> Mapping[int, Value]:
    """Status, time of the examination, who answers for it, time of the analysis.

    OBX-11 (HL7 table 0085) is ``P`` as long as no person has finalised, also for a correction: ``C`` would say that a
    final result is replaced. ``W``: posted as wrong.
    """
    return {
        11: words.WRONG if report.state == "retracted" else words.result_status(report),
        14: timestamp(report.context.started),
        16: person(report.verification),
        19: timestamp(report.produced_at),
    }


def _about_the_study(report: StudyReport) -> Iterator[Line]:
    yield {2: "FT", 3: coded(codes.IMPRESSION), 5: words.impression(report)}, ""
    status = (report.status, words.STATEMENTS[report.status].split(":")[0], LOCAL)
    yield {2: "CE", 3: coded(codes.PROCESSING_SUMMARY), 5: (*coded(_summary(report)), *status)}, ""
    yield {2: "ST", 3: coded(_STUDY_INSTANCE_UID), 5: report.context.study_instance_uid}, ""
    for number, (reason, _) in enumerate(words.counted(report.refusals), 1):
        yield {2: "CE", 3: coded(codes.COMMENT), 4: f"R{number}", 5: (reason.code, reason.text, LOCAL)}, ""


def _summary(report: StudyReport) -> Code:
    if report.status == "positive":
        return _PARTLY_WITH_FINDINGS if report.refusals else codes.SUCCEEDED_WITH_FINDINGS
    if report.status == "nothing_found":
        return _PARTLY_WITHOUT_FINDINGS if report.refusals else codes.SUCCEEDED_WITHOUT_FINDINGS
    return codes.NOT_PROCESSED


def _findings(report: StudyReport) -> Iterator[Line]:
    """Per finding: present or absent, probability in percent, certainty; in the report's order.

    OBX-4 goes by engine and key, not by that order, so that a later message means the same finding by the same number.
    """
    places = sorted((finding.engine.id, finding.key) for finding in report.findings)
    for finding in report.findings:
        place = str(places.index((finding.engine.id, finding.key)) + 1)
        who: dict[int, Value] = {17: _method(finding.engine), 18: _device(finding.engine)}
        presence = codes.PRESENT if finding.holds else codes.ABSENT
        yield (
            {2: "CE", 3: coded(finding.code), 4: place, 5: coded(presence), 8: _abnormal(finding, report), **who},
            words.remarks(finding, report.verification),
        )
        yield {2: "NM", 3: coded(codes.PROBABILITY), 4: f"{place}.1", **_probability(finding), **who}, ""
        certainty = coded(codes.CONFIDENCE[_confidence(finding)])
        yield {2: "CE", 3: coded(codes.CERTAINTY_OF_FINDING), 4: f"{place}.2", 5: certainty, **who}, ""


def _confidence(finding: StudyFinding) -> Confidence:
    """The person's, where one was given."""
    changed = None if finding.assessed is None or finding.instead is not None else finding.assessed.changed
    return (None if changed is None else changed.confidence) or finding.confidence


def _stated(report: StudyReport) -> Iterator[Line]:
    """What a person states and no engine did; OBX-4 ``S1`` and so on."""
    for number, each in enumerate(report.stated, 1):
        name: Value = ("", each.display) if each.code is None else coded(each.code)
        note = stated_words(each, report.verification)
        yield {2: "CE", 3: name, 4: f"S{number}", 5: coded(codes.PRESENT), 8: "A"}, note
        if each.confidence is not None:
            certainty = coded(codes.CONFIDENCE[each.confidence])
            yield {2: "CE", 3: coded(codes.CERTAINTY_OF_FINDING), 4: f"S{number}.2", 5: certainty}, ""


def _probability(finding: StudyFinding) -> Mapping[int, Value]:
    """Value, unit, and as reference range what is below the threshold."""
    return {
        5: f"{100 * finding.probability:.2f}",
        6: coded(codes.PERCENT),
        7: f"<{100 * finding.threshold:.2f}",
    }


def _abnormal(finding: StudyFinding, report: StudyReport) -> str:
    """OBX-8 (HL7 table 0078): AA for an alert, A for another positive. A negative is not called normal (N)."""
    if not finding.holds or report.state == "retracted":
        return ""
    return "AA" if finding.alert else "A"


def _method(engine: EngineRef) -> Value:
    """OBX-17: artificial intelligence, and which; its name and version as the local code."""
    return (*coded(codes.ARTIFICIAL_INTELLIGENCE), f"{engine.id} {engine.version}", engine.title, LOCAL)


def _device(engine: EngineRef) -> Value:
    """OBX-18: the engine as an entity, by the UID that the DICOM objects give it too."""
    return (f"{engine.id} {engine.version}", LOCAL, engine.device_uid, "ISO")
