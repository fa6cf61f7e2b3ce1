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


def meta(report: StudyReport) -> Resource:
    """The security label, and which revision of the study's result this version belongs to."""
    return {
        "security": [dict(AI_ASSERTED)],
        "tag": [{"system": systems.REVISION, "code": str(report.revision)}],
    }
