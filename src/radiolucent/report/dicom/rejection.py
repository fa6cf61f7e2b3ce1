"""A note that takes our results back everywhere they were sent (IHE Radiology, Imaging Object Change Management).

It is a Key Object Selection document (PS3.3 A.35.4, PS3.16 TID 2010) whose title says why; an archive that knows the
profile then no longer shows what the note refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import highdicom.sr as sr
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as pydicom_codes
from pydicom.uid import UID

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.records.study import ResultObject, StudyContext, StudyReport
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.objects import MANUFACTURER
from radiolucent.report.dicom.uids import SOFTWARE_DEVICE_UID, uid_from
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

RejectionReason = Literal["quality", "patient_safety"]
TITLES: dict[RejectionReason, Code] = {
    # PS3.16 CID 7011; the two of the profile that take a result back without promising that it is never wanted again.
    "quality": Code(scheme="DCM", value="113001", meaning="Rejected for Quality Reasons"),
    "patient_safety": Code(scheme="DCM", value="113037", meaning="Rejected for Patient Safety Reasons"),
}
DESCRIPTION = "Results of Radiolucent, withdrawn. Do not use them."
_SERIES_NUMBER = 9006
_IMAGES = frozenset(("secondary_capture", "parametric_map", "segmentation"))
_READ: dict[str, Callable[[Dataset, str], str]] = {
    # Type 2 of PS3.3 C.7.1.1 and C.7.2.1: there even when empty.
    "PatientName": legal.person_name,
    "PatientID": legal.text,
    "PatientBirthDate": legal.date,
    "PatientSex": lambda dataset, keyword: legal.coded(dataset, keyword, allowed=("M", "F", "O")),
    "StudyDate": legal.date,
    "StudyTime": legal.time,
    "AccessionNumber": lambda dataset, keyword: legal.text(dataset, keyword, limit=16),
    "StudyID": lambda dataset, keyword: legal.text(dataset, keyword, limit=16),
    "ReferringPhysicianName": legal.person_name,
}
_OPTIONAL: dict[str, Callable[[Dataset, str], str]] = {
    "IssuerOfPatientID": legal.text,
    "StudyDescription": legal.text,
}


def build_rejection(report: StudyReport, *, reason: RejectionReason, now: datetime, study_id: str = "") -> Dataset:
    """The note that takes back every object of a report.

    Its UIDs depend on the report and the reason alone, so a note that is built twice is one note.

    Parameters
    ----------
    report
        The report taken back, with its context as the note shall state it.
    now
        Content date and time.
    study_id
        (0020,0010) of the study, where known.

    Raises
    ------
    InvariantBroken
        ``nothing_to_reject`` for a report without objects.
    """
    objects = [each for each in report.objects if each.kind != "rejection"]
    if not objects:
        raise InvariantBroken(
            "nothing_to_reject",
            found="a report without DICOM objects",
            expected="objects to take back",
            action="Report this as a defect of Radiolucent; a report without objects needs no rejection note.",
        )
    title = TITLES[reason]
    study_uid = report.context.study_instance_uid
    evidence = [_evidence(each, study_uid) for each in objects]
    note = KeyObjectSelectionDocument(
        evidence=evidence,
        content=_content(title, evidence, report.software_version),
        series_instance_uid=uid_from("rejection-series", study_uid),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=uid_from("rejection", study_uid, report.report_id, title.value),
        instance_number=max(1, report.revision),
        manufacturer=MANUFACTURER,
        manufacturer_model_name="radiolucent",
        software_versions=legal.clean(report.software_version, limit=64),
        device_serial_number="none",
        series_description="AI results, withdrawn",
    )
    stamp_study(note, study_identity(report.context, study_id), now)
    return note


def _content(title: Code, evidence: Sequence[Dataset], software_version: str) -> Any:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=SOFTWARE_DEVICE_UID,
        name=legal.clean(f"radiolucent {software_version}", limit=64),
        manufacturer_name=MANUFACTURER,
        model_name="radiolucent",
    )
    return KeyObjectSelection(
        document_title=sr.CodedConcept(value=title.value, scheme_designator=title.scheme, meaning=title.meaning),
        referenced_objects=evidence,
        observer_device_context=sr.ObserverContext(
            observer_type=pydicom_codes.DCM.Device, observer_identifying_attributes=device
        ),
        description=DESCRIPTION,
    )


def _evidence(each: ResultObject, study_instance_uid: str) -> Dataset:
    """One object as far as the note refers to it. highdicom refers to what has rows and columns as to an image.

    The patient is left empty, because highdicom puts a name that it dislikes into the log; `stamp_study` writes it.
    """
    evidence = Dataset()
    for keyword in _READ:
        setattr(evidence, keyword, "")
    evidence.StudyInstanceUID = study_instance_uid
    evidence.SeriesInstanceUID = each.instance.series_instance_uid
    evidence.SOPClassUID = each.instance.sop_class_uid
    evidence.SOPInstanceUID = each.instance.sop_instance_uid
    if each.kind in _IMAGES:
        evidence.Rows = evidence.Columns = 1
    return evidence


def study_identity(context: StudyContext, study_id: str) -> Dataset:
    """Patient and study, made legal."""
    patient, started = context.patient, context.started
    said, identity = Dataset(), Dataset()
    with config.disable_value_validation():  # what is illegal is left out below
        said.PatientName, said.PatientID = patient.name, patient.patient_id
        said.IssuerOfPatientID = patient.issuer
        said.PatientBirthDate, said.PatientSex = patient.birth_date, patient.sex
        said.AccessionNumber, said.StudyID = context.accession_number, study_id
        said.ReferringPhysicianName, said.StudyDescription = context.referring_physician, context.description
        if started is not None:
            said.StudyDate, said.StudyTime = started.strftime("%Y%m%d"), started.strftime("%H%M%S")
    for keyword, read in _READ.items():
        setattr(identity, keyword, read(said, keyword))
    for keyword, read in _OPTIONAL.items():
        if found := read(said, keyword):
            setattr(identity, keyword, found)
    return identity


def stamp_study(note: Dataset, identity: Dataset, now: datetime, *, texts: Sequence[str] = ()) -> None:
    """Write identity, times and writer over what stands there; ``texts``: other words that it holds."""
    words = [*(str(element.value) for element in identity), *texts]
    if characters := legal.character_set(Dataset(), words):
        note.SpecificCharacterSet = list(characters)
    for element in identity:
        note[element.tag] = element
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S.%f")
    note.ContentDate = note.InstanceCreationDate = date
    note.ContentTime = note.InstanceCreationTime = time
    note.DeviceUID = SOFTWARE_DEVICE_UID
    note.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    note.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
