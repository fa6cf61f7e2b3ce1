"""One finding of one engine, with what a person says of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from radiolucent.records.result import Confidence
from radiolucent.records.study import StudyFinding, StudyReport, Verification
from radiolucent.report.decided import assessed_words
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coded, coding, concept, identifier, number, present, ratio, text
from radiolucent.report.fhir.labels import meta
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.person import person, report_status
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes

CATEGORY = {"system": systems.OBSERVATION_CATEGORY, "code": "imaging", "display": "Imaging"}


def finding_uuid(finding: StudyFinding, study_instance_uid: str) -> UUID:
    """The same for the same study, engine and finding, whatever the engine's version: a correction takes its place."""
    return name_uuid("finding", study_instance_uid, finding.engine.id, finding.key)


def finding_entry(finding: StudyFinding, scene: Scene, *, images: Sequence[Entry]) -> Entry:
    """The Observation: present or absent, how sure, by which threshold, where, and the images it rests on."""
    made = scene.report.verification
    resource = present(
        resourceType="Observation",
        meta=meta(scene.report, by_person=finding.assessed is not None),
        identifier=_identifiers(finding, scene.report),
        basedOn=scene.based_on,
        status=report_status(scene.report),
        category=[concept(CATEGORY)],
        code=_code(finding, scene.options),
        subject=scene.patient,
        effectiveDateTime=scene.effective,
        issued=scene.issued,
        performer=[person(made)] if finding.assessed is not None and made is not None else None,
        valueCodeableConcept=_value(finding),
        interpretation=_interpretation(finding),
        note=_notes(finding, made),
        bodySite={"text": text(finding.zone)} if finding.zone and text(finding.zone) else None,
        device=scene.device(finding.engine),
        derivedFrom=[scene.study, *(image.reference() for image in images)],
        component=_components(finding),
    )
    return _entry(finding, scene.report, resource)


def withdrawn_entry(finding: StudyFinding, *, report: StudyReport, options: FhirOptions, patient: Resource) -> Entry:
    """A finding that was sent and no longer holds.

    It keeps its identity and loses its value, so that a reader who looks past ``status`` reads no finding in it.
    """
    resource = present(
        resourceType="Observation",
        meta=meta(report),
        identifier=_identifiers(finding, report),
        status="entered-in-error",
        category=[concept(CATEGORY)],
        code=_code(finding, options),
        subject=patient,
        dataAbsentReason=coded(systems.DATA_ABSENT, "error", "Error", "Withdrawn"),
        note=[{"text": "Withdrawn: this AI finding no longer holds. Do not use it."}],
    )
    return _entry(finding, report, resource)


def _entry(finding: StudyFinding, report: StudyReport, resource: Resource) -> Entry:
    uuid = finding_uuid(finding, report.context.study_instance_uid)
    return Entry(
        uuid=uuid,
        resource=resource,
        found_by=condition("identifier", systems.FINDING, str(uuid)),
        is_ours=True,
    )


def _identifiers(finding: StudyFinding, report: StudyReport) -> list[Resource]:
    return [identifier(systems.FINDING, str(finding_uuid(finding, report.context.study_instance_uid)))]


def _code(finding: StudyFinding, options: FhirOptions) -> Resource:
    return concept(coding(finding.code, options.code_systems), words=text(finding.display) or finding.key)


def _value(finding: StudyFinding) -> Resource:
    if finding.holds:
        return concept(coding(codes.PRESENT), words="Present")
    words = "Absent: below its threshold" if not finding.positive else "Absent: so a person decided"
    return concept(coding(codes.ABSENT), words=words)


def _interpretation(finding: StudyFinding) -> list[Resource]:
    sign = ("POS", "Positive") if finding.holds else ("NEG", "Negative")
    said = [coded(systems.INTERPRETATION, *sign)]
    if finding.holds and finding.alert:
        said.append(coded(systems.INTERPRETATION, "AA", "Critical abnormal"))
    return said


def _notes(finding: StudyFinding, made: Verification | None) -> list[Resource]:
    said = [text(reason) for reason in finding.reasons]
    if finding.flags:
        said.append(text("Flags: " + ", ".join(finding.flags)))
    if finding.change is not None:
        said.append(text(finding.change.words))
    if finding.assessed is not None:
        said.append(text(assessed_words(finding, made)))
    return [{"text": words} for words in said if words]


def certainty(confidence: Confidence) -> Resource:
    """The component that says how sure."""
    return {
        "code": concept(coding(codes.CERTAINTY_OF_FINDING), words="Confidence"),
        "valueCodeableConcept": concept(coding(codes.CONFIDENCE[confidence]), words=confidence),
    }


def _components(finding: StudyFinding) -> list[Resource]:
    parts: list[Resource] = [
        {
            "code": concept(coding(codes.PROBABILITY), words="Probability"),
            "valueQuantity": ratio(finding.probability),
        },
        {
            "code": coded(systems.COMPONENT, "threshold", "Threshold", "Threshold: positive from this probability on"),
            "valueQuantity": ratio(finding.threshold),
        },
        certainty(finding.confidence),
    ]
    if finding.in_expected_region is not None:
        share = {
            "system": systems.COMPONENT,
            "code": "evidence-in-expected-region",
            "display": "Evidence in expected region",
        }
        parts.append(
            {
                "code": concept(share, words="Share of the evidence that lies in the expected anatomy"),
                "valueQuantity": ratio(number(finding.in_expected_region)),
            }
        )
    return parts
