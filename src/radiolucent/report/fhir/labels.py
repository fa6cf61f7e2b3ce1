"""Labels that every result of a machine wears."""

from __future__ import annotations

from radiolucent.records.study import StudyReport
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource

AI_ASSERTED = {
    "system": systems.OBSERVATION_VALUE,
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The label that HL7 AI Transparency on FHIR asks for on what a machine asserts (THO, v3-ObservationValue)."""


CLINICIAN_ASSERTED = {"system": systems.OBSERVATION_VALUE, "code": "CLINAST", "display": "clinician asserted"}
"""What a person asserts (THO, v3-ObservationValue)."""


def meta(report: StudyReport, *, by_machine: bool = True, by_person: bool = False) -> Resource:
    """The security labels, and which revision of the study's result this version belongs to."""
    labels = [AI_ASSERTED] * by_machine + [CLINICIAN_ASSERTED] * by_person
    return {
        "security": [dict(each) for each in labels],
        "tag": [{"system": systems.REVISION, "code": str(report.revision)}],
    }
