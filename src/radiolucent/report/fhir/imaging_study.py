"""The study, by its UID, as far as we received it."""

from __future__ import annotations

import re

from radiolucent.records.study import InstanceRef, StudyReport
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import (
    Resource,
    coding,
    concept,
    date_time,
    identifier,
    person_text,
    present,
    text,
    token,
    uid_identifier,
)
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid

_MODALITY = re.compile(r"[A-Z0-9_]{1,16}")


def study_entry(report: StudyReport, options: FhirOptions, *, patient: Resource, order: Resource | None) -> Entry:
    """The ImagingStudy, made only where the server has none of that UID: the archive's own knows more than we do.

    Counts are left out, for we know how many images came and not how many there are.
    """
    context = report.context
    uid = uid_identifier(context.study_instance_uid)
    series = _series(report)
    procedure = context.order.procedure if context.order else None
    ordered = concept(coding(procedure, options.code_systems), words=procedure.meaning) if procedure else {}
    resource = present(
        resourceType="ImagingStudy",
        identifier=[i for i in (uid, identifier(options.accession_system, context.accession_number, "ACSN")) if i],
        status="available",
        modality=_unique([s["modality"] for s in series]),
        subject=patient,
        started=date_time(context.started, options.zone),
        basedOn=[order] if order else None,
        referrer=present(display=person_text(context.referring_physician)),
        procedureCode=[ordered] if ordered else None,
        reasonCode=[{"text": text(context.order.reason)}] if context.order and text(context.order.reason) else None,
        description=text(context.description),
        series=series,
    )
    return Entry(
        uuid=name_uuid("study", context.study_instance_uid),
        resource=resource,
        found_by=condition("identifier", systems.DICOM_UID, f"urn:oid:{context.study_instance_uid}"),
        is_ours=False,
    )


def modality_of(sop_class_uid: str, said: str) -> str:
    """Modality by SOP Class, else what the study says, else ``OT`` (PS3.3 section C.7.3.1.1.1)."""
    known = systems.MODALITY_BY_CLASS.get(sop_class_uid)
    return known or (said if _MODALITY.fullmatch(said) else "OT")


def _series(report: StudyReport) -> list[Resource]:
    by_uid: dict[str, dict[str, InstanceRef]] = {}
    for image in report.images:
        if image.series_instance_uid and image.sop_class_uid:
            by_uid.setdefault(image.series_instance_uid, {}).setdefault(image.sop_instance_uid, image)
    return [
        {
            "uid": uid,
            "modality": {
                "system": systems.CODE_SYSTEMS["DCM"],
                "code": modality_of(next(iter(images.values())).sop_class_uid, token(report.modality)),
            },
            "instance": [
                {
                    "uid": image.sop_instance_uid,
                    "sopClass": {"system": systems.URI, "code": f"urn:oid:{image.sop_class_uid}"},
                }
                for image in images.values()
            ],
        }
        for uid, images in by_uid.items()
    ]


def _unique(codings: list[Resource]) -> list[Resource]:
    return list({c["code"]: c for c in codings}.values())
