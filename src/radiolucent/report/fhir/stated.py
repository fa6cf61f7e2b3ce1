"""Findings that a person states and no engine did: each an Observation of its own, asserted by a clinician."""

from __future__ import annotations

from uuid import UUID

from radiolucent.records.study import PersonFinding, StudyReport, Verification
from radiolucent.report.decided import stated_words
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coded, coding, concept, identifier, present, text
from radiolucent.report.fhir.labels import meta
from radiolucent.report.fhir.observation import CATEGORY, certainty
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.person import person, report_status
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes


def stated_entries(scene: Scene) -> list[Entry]:
    """What a person states and no engine did, each an Observation of its own; by decision, as they are never edited."""
    made = scene.report.verification
    if made is None:
        return []
    return [_stated_entry(each, number, scene, made) for number, each in enumerate(scene.report.stated, 1)]


def _stated_entry(statement: PersonFinding, number: int, scene: Scene, made: Verification) -> Entry:
    uuid = stated_uuid(scene.report, number)
    resource = present(
        resourceType="Observation",
        meta=meta(scene.report, by_machine=False, by_person=True),
        identifier=[identifier(systems.STATED, str(uuid))],
        basedOn=scene.based_on,
        status=report_status(scene.report),
        category=[concept(CATEGORY)],
        code=_stated_code(statement, scene.options),
        subject=scene.patient,
        effectiveDateTime=scene.effective,
        issued=scene.issued,
        performer=[person(made)],
        valueCodeableConcept=concept(coding(codes.PRESENT), words="Present"),
        note=[{"text": text(stated_words(statement, made))}],
        derivedFrom=[scene.study],
        component=[] if statement.confidence is None else [certainty(statement.confidence)],
    )
    return Entry(
        uuid=uuid, resource=resource, found_by=condition("identifier", systems.STATED, str(uuid)), is_ours=True
    )


def stated_uuid(report: StudyReport, number: int) -> UUID:
    """Of the n-th finding that the person of a report states."""
    made = report.verification
    return name_uuid("stated", report.context.study_instance_uid, "" if made is None else made.decision_id, str(number))


def _stated_code(statement: PersonFinding, options: FhirOptions) -> Resource:
    words = text(statement.display)
    return (
        concept(words=words)
        if statement.code is None
        else concept(coding(statement.code, options.code_systems), words=words)
    )


def withdrawn_statements(scene: Scene, said: StudyReport) -> list[Entry]:
    """What a person stated in an earlier decision, withdrawn."""
    entries = []
    for number, each in enumerate(said.stated, 1):
        uuid = stated_uuid(said, number)
        resource = present(
            resourceType="Observation",
            meta=meta(scene.report, by_machine=False, by_person=True),
            identifier=[identifier(systems.STATED, str(uuid))],
            status="entered-in-error",
            category=[concept(CATEGORY)],
            code=_stated_code(each, scene.options),
            subject=scene.patient,
            dataAbsentReason=coded(systems.DATA_ABSENT, "error", "Error", "Withdrawn"),
            note=[{"text": "Withdrawn: another decision took the place of the one that stated this."}],
        )
        found_by = condition("identifier", systems.STATED, str(uuid))
        entries.append(Entry(uuid=uuid, resource=resource, found_by=found_by, is_ours=True))
    return entries
