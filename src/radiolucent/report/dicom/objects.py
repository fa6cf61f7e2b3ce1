"""What every derived object has in common: identity, series, equipment, references to the source."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from radiolucent.records.engine import Code
from radiolucent.records.result import DISCLAIMER
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.records import Job, ObjectKind
from radiolucent.report.dicom.source import SourceHeader
from radiolucent.report.dicom.uids import (
    SOFTWARE_DEVICE_UID,
    instance_uid,
    series_uid,
)
from radiolucent.standards import codes
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

MANUFACTURER = "Radiolucent"
_SERIES: dict[ObjectKind, tuple[int, str, str]] = {
    # offset of the series number, modality (PS3.3 C.7.3.1.1.1), what the series list shows
    "sc": (1, "OT", "AI overlay, not for diagnosis"),
    "sr": (2, "SR", "AI findings, unverified"),
    "seg": (3, "SEG", "AI evidence regions"),
    "pm": (4, "OT", "AI evidence map"),
    "gsps": (5, "PR", "AI marks"),
}
_NUMBER_BASE = 9000
_PER_IMAGE = 100


def decimal(number: float) -> DSfloat:
    """A decimal string of at most 16 characters (PS3.5 section 6.2)."""
    return DSfloat(float(number), auto_format=True)


def code_item(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 section 8.8)."""
    item = Dataset()
    item.CodeValue = legal.clean(code.value, limit=16)
    item.CodingSchemeDesignator = legal.clean(code.scheme, limit=16)
    item.CodeMeaning = legal.clean(code.meaning, limit=64)
    return item


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """A SOP instance reference (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def source_reference(source: SourceHeader) -> Dataset:
    """A reference to the source, with the frame where it has several (PS3.3 table 10-3)."""
    item = reference(source.sop_class_uid, source.sop_instance_uid)
    if source.is_one_of_several_frames:
        item.ReferencedFrameNumber = source.frame_number
    return item


def engine_label(job: Job) -> tuple[str, str]:
    """Model name and version to write as equipment; Radiolucent itself where no engine was chosen."""
    engine = job.result.engine
    return (engine.id, engine.version) if engine else ("radiolucent", job.options.software_version)


def object_uid(job: Job, kind: str, key: str = "") -> str:
    """The UID of the object of that kind and finding."""
    return instance_uid(
        source_sop_uid=job.source.sop_instance_uid,
        frame_number=job.source.frame_number,
        engine=job.result.engine,
        kind=kind,
        key=key,
        issue=job.options.issue,
    )


def new_object(job: Job, kind: ObjectKind, sop_class_uid: str, *, key: str = "") -> Dataset:
    """A data set with every module the kinds share, ready for its own."""
    dataset = Dataset()
    dataset.preamble = b"\0" * 128
    dataset.file_meta = FileMetaDataset()
    stamp(dataset, job, kind, sop_class_uid, key=key)
    return dataset


def stamp(dataset: Dataset, job: Job, kind: ObjectKind, sop_class_uid: str, *, key: str = "") -> None:
    """Write the shared modules into ``dataset``, over whatever stands there."""
    write_meta(dataset, sop_class_uid, object_uid(job, kind, key))
    if job.source.character_set:
        dataset.SpecificCharacterSet = list(job.source.character_set)
    elif "SpecificCharacterSet" in dataset:
        del dataset.SpecificCharacterSet
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date_and_time(job)
    for element in job.source.identity:
        dataset[element.tag] = element
    dataset.StudyInstanceUID = job.source.study_instance_uid
    _write_series(dataset, job, kind)
    dataset.InstanceNumber = instance_number(job, key)
    _write_equipment(dataset, job)


def date_and_time(job: Job) -> tuple[str, str]:
    """``now`` as DA and TM."""
    return job.now.strftime("%Y%m%d"), job.now.strftime("%H%M%S.%f")


def write_content_date(dataset: Dataset, job: Job) -> None:
    """Content Date and Time, from the clock that was passed in."""
    dataset.ContentDate, dataset.ContentTime = date_and_time(job)


def instance_number(job: Job, key: str) -> int:
    """Follows the source's own order; several findings of one image follow each other, most critical first."""
    source = job.source
    base = source.frame_number if source.is_one_of_several_frames else (source.instance_number or 1)
    if not key:
        return max(1, base)
    order = [finding.key for finding in job.result.positives]
    place = order.index(key) + 1 if key in order else len(order) + 1
    return min(base, 2**31 // _PER_IMAGE - 1) * _PER_IMAGE + place


def write_lossy(dataset: Dataset, source: SourceHeader) -> None:
    """Once lossy, always lossy (PS3.3 C.7.6.1.1.5)."""
    dataset.LossyImageCompression = "01" if source.lossy else "00"
    if source.lossy:
        dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = source.lossy


def write_laterality(dataset: Dataset, source: SourceHeader) -> None:
    """Laterality (PS3.3 C.7.3.1, type 2C), empty where unknown.

    Body Part Examined is left to the source: next to it, whether Laterality may, must or must not be there would hang
    on which body parts are paired.
    """
    dataset.Laterality = source.laterality if source.laterality in ("L", "R") else ""


def derived_from(source: SourceHeader, derivation: Code | None = None) -> list[Dataset]:
    """A Source Image Sequence of one item (PS3.3 C.7.6.1 and C.7.6.16.2.6)."""
    item = source_reference(source)
    item.PurposeOfReferenceCodeSequence = [code_item(codes.SOURCE_IMAGE_FOR_PROCESSING)]
    if derivation is None:
        return [item]
    image = Dataset()
    image.DerivationCodeSequence = [code_item(derivation)]
    image.SourceImageSequence = [item]
    return [image]


def referenced_series(source: SourceHeader) -> list[Dataset]:
    """The Common Instance Reference module (PS3.3 C.12.2), without which OHIF shows no segmentation."""
    item = Dataset()
    item.SeriesInstanceUID = source.series_instance_uid
    item.ReferencedInstanceSequence = [reference(source.sop_class_uid, source.sop_instance_uid)]
    return [item]


def algorithm_item(job: Job) -> list[Dataset]:
    """Algorithm Identification (PS3.3 table 10-19)."""
    name, version = engine_label(job)
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [code_item(codes.ARTIFICIAL_INTELLIGENCE)]
    item.AlgorithmName = legal.clean(name, limit=64)
    item.AlgorithmVersion = legal.clean(version, limit=64)
    item.AlgorithmSource = MANUFACTURER
    return [item]


def label(words: str) -> str:
    """A code string of at most 16 characters made of ``words``."""
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in words.upper())
    return kept[:16].strip("_") or "FINDING"


def write_meta(dataset: Dataset, sop_class_uid: str, sop_instance_uid: str) -> None:
    """File meta information (PS3.10 section 7.1) and the SOP common module's UIDs."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = sop_instance_uid


def _write_series(dataset: Dataset, job: Job, kind: ObjectKind) -> None:
    offset, modality, description = _SERIES[kind]
    source = job.source
    dataset.SeriesInstanceUID = series_uid(
        source_series_uid=source.series_instance_uid, engine=job.result.engine, kind=kind
    )
    number = source.series_number
    base = number * _PER_IMAGE if number and number < 2**31 // _PER_IMAGE - 1 else 0
    dataset.SeriesNumber = _NUMBER_BASE + base + offset
    dataset.Modality = modality
    dataset.SeriesDescription = description


def _write_equipment(dataset: Dataset, job: Job) -> None:
    name, version = engine_label(job)
    engine = job.result.engine
    device_uid = engine.device_uid if engine and UID(engine.device_uid).is_valid else SOFTWARE_DEVICE_UID
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = legal.clean(name, limit=64)
    dataset.DeviceSerialNumber = (engine.sha256 if engine else "none")[:64]
    dataset.SoftwareVersions = legal.clean(version, limit=64)
    dataset.DeviceUID = device_uid
    software = _contribution(
        codes.PROCESSING_EQUIPMENT, "radiolucent", [job.options.software_version], SOFTWARE_DEVICE_UID
    )
    algorithm = _contribution(codes.PROCESSING_ALGORITHM, name, [version], device_uid)
    algorithm.ContributionDescription = DISCLAIMER
    dataset.ContributingEquipmentSequence = [software, algorithm] if engine else [software]


def _contribution(purpose: Code, model: str, versions: Sequence[str], device_uid: str) -> Dataset:
    """One item of Contributing Equipment (PS3.3 C.12.1; IHE AIR rev. 1.1 section 6.5.3.1)."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(purpose)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = legal.clean(model, limit=64)
    item.SoftwareVersions = [legal.clean(version, limit=64) for version in versions]
    item.DeviceUID = device_uid
    return item
