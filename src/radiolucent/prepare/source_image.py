"""Which objects are images an engine may read, and which are results, plans, reports or maps."""

from __future__ import annotations

from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused
from radiolucent.prepare.element import items, text, texts

OUR_NAME = "radiolucent"
SOP = "1.2.840.10008.5.1.4.1.1."
#: SOP Classes (PS3.4 table B.5-1, 2025c) or their common beginnings (ending in a dot) that hold no source image.
NOT_SOURCE_IMAGES: tuple[tuple[str, str], ...] = (
    ("1.2.840.10008.1.3.10", "a media directory"),
    (SOP + "4.2", "MR spectroscopy"),
    (SOP + "9.", "a waveform"),
    (SOP + "11.", "a presentation state"),
    (SOP + "30", "a parametric map"),
    (SOP + "66", "raw data, a segmentation or a registration"),
    (SOP + "66.", "raw data, a segmentation or a registration"),
    (SOP + "67", "a real world value mapping"),
    (SOP + "68.", "a surface"),
    (SOP + "77.1.6", "a whole slide microscopy image"),
    (SOP + "77.1.9", "a whole slide annotation"),
    (SOP + "78.", "an ophthalmic measurement"),
    (SOP + "88.", "a structured report"),
    (SOP + "90.", "a content assessment"),
    (SOP + "91.", "annotations"),
    (SOP + "104.", "an encapsulated document"),
    (SOP + "200.", "a defined procedure protocol"),
    (SOP + "481.2", "a radiotherapy dose"),
    (SOP + "481.3", "a radiotherapy structure set"),
    (SOP + "481.", "a radiotherapy object"),
)
#: Modality values (PS3.3 C.7.3.1.1.1) of objects that are not acquired images.
_MODALITIES = (
    "ANN ASMT AU CTPROTOCOL DOC ECG EPS FID HD KO M3D PLAN POS PR REG RESP RTDOSE RTINTENT RTPLAN RTRAD RTRECORD "
    "RTSEGANN RTSTRUCT RWV SEG SM SMR SR STAIN TEXTUREMAP XAPROTOCOL"
)
NOT_SOURCE_MODALITIES = frozenset(_MODALITIES.split())
#: An RT Image is a film (portal image), unlike the rest of its family.
RT_IMAGE = SOP + "481.1"


def _not_a_source(what: str) -> InputRefused:
    return refused(
        "not_a_source_image",
        found=what,
        expected="an image as it was acquired",
        action="Send the source image instead.",
    )


def _family(sop_class_uid: str) -> str | None:
    if sop_class_uid == RT_IMAGE:
        return None
    for uid, what in NOT_SOURCE_IMAGES:
        if sop_class_uid == uid or (uid.endswith(".") and sop_class_uid.startswith(uid)):
            return what
    return None


def _is_our_result(dataset: Dataset) -> bool:
    if texts(dataset, "ImageType")[1:2] == ("PRIMARY",):
        return False  # a QA phantom of ours is read like a film
    holders = [dataset, *items(dataset, "ContributingEquipmentSequence")]
    makers = (text(holder, word) for holder in holders for word in ("Manufacturer", "ManufacturerModelName"))
    return any(OUR_NAME in maker.lower() for maker in makers if maker)


def refuse_unless_source(dataset: Dataset) -> None:
    """Refuse objects that are not source images, first of all our own results.

    An object is a result of ours when Image Type does not say PRIMARY (PS3.3 C.7.6.1.1.2) and Manufacturer or
    Manufacturer's Model Name, of the object or of an item of its Contributing Equipment Sequence, contains
    ``Radiolucent``: every DICOM object that `report` builds says so.

    Raises
    ------
    InputRefused
        ``not_a_source_image``.
    """
    meta = getattr(dataset, "file_meta", None)
    stated = text(dataset, "SOPClassUID") or (text(meta, "MediaStorageSOPClassUID") if meta is not None else None)
    family = _family(stated or "")
    if family is not None:
        raise _not_a_source(family)
    modality = (text(dataset, "Modality") or "").upper()
    if modality in NOT_SOURCE_MODALITIES:
        raise _not_a_source(f"an object of modality {modality}")
    if _is_our_result(dataset):
        raise _not_a_source("an object made by Radiolucent")
    for keyword in ("FloatPixelData", "DoubleFloatPixelData"):
        if keyword in dataset:
            raise _not_a_source("floating point pixel data")


def is_media_directory(dataset: Dataset) -> bool:
    """Whether this is a DICOMDIR."""
    return "DirectoryRecordSequence" in dataset or "DICOMDIR" in texts(dataset, "FileSetID")
