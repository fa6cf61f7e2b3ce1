"""The attributes that are searched and returned, as one table (PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydicom.datadict import dictionary_VR, tag_for_keyword

from radiolucent.web.dicomweb.archive import InstanceRow, Level, Row, SeriesRow, StudyRow

Matching = Literal["text", "name", "code", "uid", "date", "time", "number", "none"]
"""How a key matches: text and name with wildcards (a name whatever its case), code as a list, uid as a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute: where it stands in a row, and how it may be asked for."""

    keyword: str
    tag: str
    vr: str
    level: Level
    field: str
    matching: Matching


def _attribute(level: Level, keyword: str, field: str, matching: Matching) -> Attribute:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return Attribute(
        keyword=keyword, tag=f"{tag:08X}", vr=dictionary_VR(tag), level=level, field=field, matching=matching
    )


ATTRIBUTES: tuple[Attribute, ...] = (
    _attribute("study", "StudyDate", "study_date", "date"),
    _attribute("study", "StudyTime", "study_time", "time"),
    _attribute("study", "AccessionNumber", "accession_number", "text"),
    _attribute("study", "ModalitiesInStudy", "modalities_in_study", "code"),
    _attribute("study", "ReferringPhysicianName", "referring_physician_name", "name"),
    _attribute("study", "StudyDescription", "study_description", "text"),
    _attribute("study", "PatientName", "patient_name", "name"),
    _attribute("study", "PatientID", "patient_id", "text"),
    _attribute("study", "IssuerOfPatientID", "issuer_of_patient_id", "text"),
    _attribute("study", "PatientBirthDate", "patient_birth_date", "date"),
    _attribute("study", "PatientSex", "patient_sex", "text"),
    _attribute("study", "StudyInstanceUID", "study_instance_uid", "uid"),
    _attribute("study", "StudyID", "study_id", "text"),
    _attribute("study", "NumberOfStudyRelatedSeries", "number_of_study_related_series", "none"),
    _attribute("study", "NumberOfStudyRelatedInstances", "number_of_study_related_instances", "none"),
    _attribute("series", "SeriesDate", "series_date", "date"),
    _attribute("series", "SeriesTime", "series_time", "time"),
    _attribute("series", "Modality", "modality", "code"),
    _attribute("series", "SeriesDescription", "series_description", "text"),
    _attribute("series", "BodyPartExamined", "body_part_examined", "text"),
    _attribute("series", "SeriesInstanceUID", "series_instance_uid", "uid"),
    _attribute("series", "SeriesNumber", "series_number", "number"),
    _attribute("series", "NumberOfSeriesRelatedInstances", "number_of_series_related_instances", "none"),
    _attribute("series", "PerformedProcedureStepStartDate", "performed_procedure_step_start_date", "date"),
    _attribute("series", "PerformedProcedureStepStartTime", "performed_procedure_step_start_time", "time"),
    _attribute("instance", "SOPClassUID", "sop_class_uid", "uid"),
    _attribute("instance", "SOPInstanceUID", "sop_instance_uid", "uid"),
    _attribute("instance", "AvailableTransferSyntaxUID", "transfer_syntax_uid", "none"),
    _attribute("instance", "InstanceNumber", "instance_number", "number"),
    _attribute("instance", "NumberOfFrames", "number_of_frames", "number"),
    _attribute("instance", "Rows", "rows", "number"),
    _attribute("instance", "Columns", "columns", "number"),
    _attribute("instance", "BitsAllocated", "bits_allocated", "number"),
)
BY_NAME = {name: attribute for attribute in ATTRIBUTES for name in (attribute.keyword, attribute.tag)}
LEVELS: tuple[Level, ...] = ("study", "series", "instance")
#: Identity of the levels above, in every answer.
UIDS = frozenset(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))


def level_of(row: Row) -> Level:
    """Which level a row is of."""
    return "study" if isinstance(row, StudyRow) else "series" if isinstance(row, SeriesRow) else "instance"


def value_of(row: Row, attribute: Attribute) -> tuple[str | int, ...]:
    """Values of an attribute of the row's own level or one above; empty where unknown."""
    holder: Row = row
    while level_of(holder) != attribute.level:
        assert not isinstance(holder, StudyRow)
        holder = holder.series if isinstance(holder, InstanceRow) else holder.study
    found = getattr(holder, attribute.field)
    if isinstance(found, tuple):
        return found
    return () if found is None or found == "" else (found,)


def to_json(row: Row, shown: frozenset[str]) -> dict[str, dict[str, object]]:
    """DICOM JSON (PS3.18 F.2) of the attributes named in ``shown``, those without a value as empty elements."""
    out: dict[str, dict[str, object]] = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
    for attribute in ATTRIBUTES:
        if attribute.keyword not in shown:
            continue
        values: list[object] = list(value_of(row, attribute))
        if attribute.vr == "PN":
            values = [_name(str(value)) for value in values]
        out[attribute.tag] = {"vr": attribute.vr, "Value": values} if values else {"vr": attribute.vr}
    out["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    return dict(sorted(out.items()))


def _name(text: str) -> dict[str, str]:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {group: part for group, part in groups if part}
