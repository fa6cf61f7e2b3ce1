"""The report that an EHR files: preliminary until a person finalises it, or withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from uuid import UUID

from radiolucent.records.study import StudyReport
from radiolucent.report.decided import assessed_words
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.conclusion import conclusion, conclusion_codes
from radiolucent.report.fhir.datatypes import Resource, coded, coding, concept, identifier, present, text
from radiolucent.report.fhir.labels import meta
from radiolucent.report.fhir.person import person, report_status
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes


def report_entry(
    scene: Scene, *, findings: Sequence[Entry], media: Sequence[tuple[Entry, str]], software: Entry
) -> Entry:
    """The DiagnosticReport: one for a study, whose versions are its revisions.

    ``media`` pairs an image with the words under it. A retraction is ``entered-in-error`` and shows no image.
    """
    report, is_retracted = scene.report, scene.report.state == "retracted"
    said = conclusion(report)
    own = identifier(systems.STUDY_REPORT, str(_uuid(report)), use="official")
    revision = identifier(systems.REPORT_REVISION, report.report_id)
    resource = present(
        resourceType="DiagnosticReport",
        meta=meta(report, by_person=report.is_signed),
        text=_narrative(report, said),
        identifier=[i for i in (own, revision) if i],
        basedOn=scene.based_on,
        status="entered-in-error" if is_retracted else report_status(report),
        category=[coded(systems.DIAGNOSTIC_SERVICE, "RAD", "Radiology")],
        code=_code(scene),
        subject=scene.patient,
        effectiveDateTime=scene.effective,
        issued=scene.issued,
        performer=[_performer(software)],
        resultsInterpreter=[person(report.verification)] if report.verification is not None else None,
        result=[finding.reference() for finding in findings],
        imagingStudy=[scene.study],
        media=None if is_retracted else [present(comment=words, link=image.reference()) for image, words in media],
        conclusion=said,
        conclusionCode=conclusion_codes(report),
    )
    return Entry(
        uuid=_uuid(report),
        resource=resource,
        found_by=condition("identifier", systems.STUDY_REPORT, str(_uuid(report))),
        is_ours=True,
    )


def _uuid(report: StudyReport) -> UUID:
    return name_uuid("report", report.context.study_instance_uid)


def _code(scene: Scene) -> Resource:
    """The imaging procedure reported on, as ordered, else by modality."""
    report = scene.report
    ordered = report.context.order.procedure if report.context.order else None
    known = codes.PROCEDURE_BY_MODALITY.get(report.modality, systems.DIAGNOSTIC_IMAGING)
    said = concept(coding(ordered, scene.options.code_systems), words=ordered.meaning) if ordered else {}
    return said or concept(coding(known), words=known.meaning)


def _performer(software: Entry) -> Resource:
    """Who made it, for people; R4 lets no Device be a performer, so it stands in the alternate-reference extension."""
    return {
        "extension": [{"url": systems.ALTERNATE_REFERENCE, "valueReference": software.reference()}],
        "display": "Radiolucent (artificial intelligence)",
    }


def _narrative(report: StudyReport, said: str) -> Resource:
    """The report as XHTML (FHIR R4 section 2.4): the words, then what is positive."""
    rows = ""
    if report.state != "retracted" and report.positives:
        rows = "".join(
            f"<li>{escape(text(f.display) or f.key)}: probability {f.probability:.2f}"
            f" (threshold {f.threshold:.2f}), {escape(f.confidence)} confidence"
            f"{escape('. ' + text(assessed_words(f, report.verification))) if f.assessed is not None else ''}</li>"
            for f in report.positives
        )
        rows = f"<ul>{rows}</ul>"
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(said)}</p>{rows}</div>',
    }
