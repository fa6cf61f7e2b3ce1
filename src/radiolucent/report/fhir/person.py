"""Whoever decided, and what that makes of a resource's status."""

from __future__ import annotations

from radiolucent.records.study import Finality, StudyReport, Verification
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, identifier, present, text


def person(made: Verification) -> Resource:
    """A logical reference: the account that decided. The EHR knows its practitioners, we do not."""
    return present(
        type="Practitioner",
        identifier=identifier(systems.ACCOUNT, made.reader_name),
        display=text(made.reader_display) or None,
    )


def report_status(report: StudyReport) -> Finality:
    """Final only where a person finalised; amended whenever something was final before (R4 DiagnosticReport.status)."""
    made = report.verification
    return "preliminary" if made is None else made.finality
