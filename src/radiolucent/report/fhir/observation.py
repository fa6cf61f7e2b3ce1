"""One finding of one engine."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from radiolucent.records.study import StudyFinding, StudyReport
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coded, coding, concept, identifier, number, present, ratio, text
from radiolucent.report.fhir.labels import meta
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes

_CATEGORY = {"system": systems.OBSERVATION_CATEGORY, "code": "imaging", "display": "Imaging"}


def finding_uuid(finding: StudyFinding, study_instance_uid: str) -> UUID:
    """The same for the same study, engine and finding, whatever the engine's version: a correction takes its place."""
    return name_uuid("finding", study_instance_uid, finding.engine.id, finding.key)


def finding_entry(finding: StudyFinding, scene: Scene, *, images: Sequence[Entry]) -> Entry:
    """The Observation: present or absent, how sure, by which threshold, where, and the images it rests on."""
    resource = present(
        resourceType="Observation",
        meta=meta(scene.report),
        identifier=_identifiers(finding, scene.report),
        basedOn=scene.based_on,
        status="preliminary",
        category=[concept(_CATEGORY)],
        code=_code(finding, scene.options),
        subject=scene.patient,
        effectiveDateTime=scene.effective,
        issued=scene.issued,
        valueCodeableConcept=_value(finding),
        interpretation=_interpretation(finding),
        note=_notes(finding),
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
        category=[concept(_CATEGORY)],
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
    code = codes.PRESENT if finding.positive else codes.ABSENT
    return concept(coding(code), words="Present" if finding.positive else "Absent: below its threshold")


def _interpretation(finding: StudyFinding) -> list[Resource]:
    sign = ("POS", "Positive") if finding.positive else ("NEG", "Negative")
    said = [coded(systems.INTERPRETATION, *sign)]
    if finding.positive and finding.alert:
        said.append(coded(systems.INTERPRETATION, "AA", "Critical abnormal"))
    return said


def _notes(finding: StudyFinding) -> list[Resource]:
    said = [text(reason) for reason in finding.reasons]
    if finding.flags:
        said.append(text("Flags: " + ", ".join(finding.flags)))
    if finding.change is not None:
        said.append(text(finding.change.words))
    return [{"text": words} for words in said if words]


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
        {
            "code": concept(coding(codes.CERTAINTY_OF_FINDING), words="Confidence"),
            "valueCodeableConcept": concept(coding(codes.CONFIDENCE[finding.confidence]), words=finding.confidence),
        },
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
