"""The patient and the order, by their identifiers."""

from __future__ import annotations

import re

from radiolucent.records.study import Patient, StudyContext
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, birth_date, gender, human_names, identifier, present, text
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_URI = re.compile(r"(https?://|urn:)\S+")


def issuer_system(issuer: str, options: FhirOptions) -> str:
    """The URI of an assigning authority.

    In this order: what the site says of it; an OID or URI is its own; the site's default; a URN of ours made of the
    issuer's name, so that equal numbers of two issuers never meet.
    """
    said = text(issuer)
    if said in options.issuers:
        return options.issuers[said]
    if _OID.fullmatch(said):
        return f"urn:oid:{said}"
    if _URI.fullmatch(said):
        return said
    return options.patient_system or f"{systems.PATIENT}:{name_uuid('issuer', said)}"


def patient_entry(context: StudyContext, options: FhirOptions) -> Entry:
    """The Patient, made only where the server has none of that identifier; never written over.

    A patient without an identifier gets a temporary one made of the study: it meets nobody else, and itself again.
    """
    patient = context.patient
    value, system = text(patient.patient_id), issuer_system(patient.issuer, options)
    use, kind = "usual", "MR"
    if not value:
        value, system = str(name_uuid("patient of", context.study_instance_uid)), systems.PATIENT
        use, kind = "temp", ""
    return Entry(
        uuid=name_uuid("patient", system, value),
        resource=_patient(patient, system, value, kind, use),
        found_by=condition("identifier", system, value),
        is_ours=False,
    )


def _patient(patient: Patient, system: str, value: str, kind: str, use: str) -> Resource:
    named = identifier(system, value, kind, use=use)
    issuer = text(patient.issuer)
    if issuer and kind:
        named["assigner"] = {"display": issuer}
    return present(
        resourceType="Patient",
        identifier=[named],
        name=human_names(patient.name),
        gender=gender(patient.sex),
        birthDate=birth_date(patient.birth_date),
    )


def order_reference(context: StudyContext, options: FhirOptions) -> Resource | None:
    """The ServiceRequest by accession number, else by placer order number; a logical reference, for it is not ours."""
    accession = identifier(options.accession_system, context.accession_number, "ACSN")
    placer = identifier(options.order_system, context.order.placer_order_number, "PLAC") if context.order else {}
    found = accession or placer
    return {"type": "ServiceRequest", "identifier": found} if found else None
