"""Who made this revision, from what: the engines as authors, a person as verifier, the software as assembler."""

from __future__ import annotations

from collections.abc import Sequence

from radiolucent.records.result import EngineRef
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coded, concept, identifier, present
from radiolucent.report.fhir.labels import AI_ASSERTED, CLINICIAN_ASSERTED
from radiolucent.report.fhir.person import person
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid

_ACTIVITY = {
    "preliminary": ("CREATE", "create"),
    "corrected": ("UPDATE", "revise"),
    "retracted": ("NULLIFY", "nullify"),
    "verified": ("UPDATE", "revise"),
    "final": ("UPDATE", "revise"),
}


def provenance_entry(scene: Scene, *, targets: Sequence[Entry], engines: Sequence[EngineRef], software: Entry) -> Entry:
    """One Provenance for each revision.

    R4 gives Provenance no identifier, so a tag stands for one: a server finds it by ``_tag`` and makes it once.
    """
    report, made = scene.report, scene.report.verification
    resource = present(
        resourceType="Provenance",
        meta={"tag": [{"system": systems.REPORT_REVISION, "code": report.report_id}]},
        target=[target.reference() for target in targets],
        occurredDateTime=scene.issued,
        recorded=scene.issued,
        reason=[concept(dict(AI_ASSERTED)), *([concept(dict(CLINICIAN_ASSERTED))] if report.is_signed else [])],
        activity=coded(systems.DATA_OPERATION, *_ACTIVITY[report.state]),
        agent=[
            *(_agent("author", "Author", scene.device(engine)) for engine in engines),
            *([_agent("verifier", "Verifier", person(made))] if report.is_signed and made is not None else []),
            _agent("assembler", "Assembler", software.reference("Radiolucent")),
        ],
        entity=_entities(scene),
    )
    return Entry(
        uuid=name_uuid("provenance", report.report_id),
        resource=resource,
        found_by=condition("_tag", systems.REPORT_REVISION, report.report_id),
        is_ours=False,
    )


def _agent(code: str, display: str, who: Resource) -> Resource:
    return {"type": coded(systems.PARTICIPANT_TYPE, code, display), "who": who}


def _entities(scene: Scene) -> list[Resource]:
    found: list[Resource] = [{"role": "source", "what": scene.study}]
    if scene.report.replaces:
        replaced = identifier(systems.REPORT_REVISION, scene.report.replaces)
        found.append({"role": "revision", "what": {"type": "DiagnosticReport", "identifier": replaced}})
    return found
