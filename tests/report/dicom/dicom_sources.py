"""One table of generated source images, run over every kind of object, and results to put on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRLittleEndian

from radiolucent.records.engine import Code, DisplayClass
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import EngineRef, Explanation, Finding, ImageResult, Reason

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897)
ROWS, COLUMNS = 48, 40
ENGINE = EngineRef(
    id="chest-film",
    title="Chest radiograph",
    version="1.2.0",
    sha256="ab" * 32,
    device_uid="2.25.1234567890",
    method="linear evidence map",
)
CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SC = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
MULTI_FRAME_SC = "1.2.840.10008.5.1.4.1.1.7.2"


def source(sop_class_uid: str, modality: str, *, name: str = "1") -> Dataset:
    """A whole, legal source of that class; ``name`` is the last part of its UIDs."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.4.{name}"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.PatientName = "Phantom^Lucy"
    dataset.PatientID = "PHANTOM-1"
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "F"
    dataset.StudyDate, dataset.StudyTime = "20260314", "101112"
    dataset.StudyID, dataset.AccessionNumber = "7", "ACC7"
    dataset.ReferringPhysicianName = "Doctor^Who"
    dataset.Modality = modality
    dataset.SeriesNumber, dataset.InstanceNumber = 3, 5
    dataset.BodyPartExamined = "CHEST"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = np.arange(ROWS * COLUMNS, dtype="<u2").tobytes()
    return dataset


def _in_space(dataset: Dataset) -> Dataset:
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.ImagePositionPatient = [-100.0, -120.5, 33.25]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.7, 0.6]
    dataset.SliceThickness = 2.5
    return dataset


def cr() -> Dataset:
    dataset = source(CR, "CR")
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PatientOrientation = ["L", "F"]
    return dataset


def dx() -> Dataset:
    dataset = source(DX, "DX")
    dataset.ImagerPixelSpacing = [0.14, 0.14]
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 12])
    table.add_new("LUTData", "OW", np.arange(4096, dtype="<u2").tobytes())
    dataset.VOILUTSequence = [table]
    dataset.ImageLaterality = "U"
    return dataset


def ct() -> Dataset:
    dataset = _in_space(source(CT, "CT"))
    dataset.BodyPartExamined = "HEAD"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = [40, 400], [80, 1800]
    return dataset


def ct_without_frame_of_reference() -> Dataset:
    dataset = ct()
    del dataset.FrameOfReferenceUID
    return dataset


def ct_oblique_lossy() -> Dataset:
    dataset = ct()
    dataset.ImageOrientationPatient = [0.8, 0.6, 0, 0, 0, -1]
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = 8.5
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
    return dataset


def mr() -> Dataset:
    dataset = _in_space(source(MR, "MR"))
    dataset.BodyPartExamined = "BRAIN"
    return dataset


def _enhanced(sop_class_uid: str, modality: str) -> Dataset:
    dataset = source(sop_class_uid, modality)
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.NumberOfFrames = 3
    shared, measures, orientation, pixels, window = (Dataset() for _ in range(5))
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.6], 2.5
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    pixels.RescaleIntercept, pixels.RescaleSlope, pixels.RescaleType = -1024, 1, "HU"
    window.WindowCenter, window.WindowWidth = 40, 80
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence, shared.FrameVOILUTSequence = [pixels], [window]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for number in range(3):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-100, -120, 10 * number]
        frame.PlanePositionSequence = [position]
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    return dataset


def enhanced_ct() -> Dataset:
    return _enhanced(ENHANCED_CT, "CT")


def enhanced_mr() -> Dataset:
    return _enhanced(ENHANCED_MR, "MR")


def multi_frame_without_space() -> Dataset:
    dataset = source(MULTI_FRAME_SC, "OT")
    dataset.NumberOfFrames = 3
    return dataset


def monochrome1() -> Dataset:
    dataset = cr()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    return dataset


def colour_capture() -> Dataset:
    dataset = source(SC, "OT")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    return dataset


def secondary_capture() -> Dataset:
    return source(SC, "OT")


def bare() -> Dataset:
    """Nothing but what it takes to be referred to."""
    dataset = Dataset()
    whole = source(CR, "CR")
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns"):
        setattr(dataset, keyword, getattr(whole, keyword))
    return dataset


def damaged() -> Dataset:
    """Illegal values, as real archives hold them: put in raw, as a tolerant reader finds them."""
    dataset = ct()
    for keyword, vr, raw in (
        ("StudyDate", "DA", "2026-03-14"),
        ("PatientBirthDate", "DA", "19701399"),
        ("StudyTime", "TM", "99:99"),
        ("PatientSex", "CS", "female"),
        ("StudyID", "SH", "a study identifier much too long for its sixteen"),
        ("AccessionNumber", "SH", "back\\slash"),
        ("PatientID", "LO", "x" * 200),
        ("SliceThickness", "DS", ""),
        ("PatientAge", "AS", "45"),
        ("BodyPartExamined", "CS", "chest, p.a. view"),
        ("LossyImageCompression", "CS", "01"),
        ("SeriesNumber", "IS", "99999999999"),
    ):
        _put_raw(dataset, keyword, vr, raw)
    dataset.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
    dataset.add_new(0x00091001, "LO", "PRIVATE SECRET")
    return dataset


def private_class() -> Dataset:
    """A class that is in no table, such as a vendor's own; retired classes take the same way."""
    return source("1.2.276.0.19.55.1.5.1.1.1", "OT")


def ct_without_thickness() -> Dataset:
    dataset = ct()
    del dataset.SliceThickness
    return dataset


def _put_raw(dataset: Dataset, keyword: str, vr: str, raw: str) -> None:
    tag = Tag(tag_for_keyword(keyword) or 0)
    value = raw.encode()
    dataset._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True, True)


def japanese() -> Dataset:
    dataset = cr()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    return dataset


def arabic() -> Dataset:
    dataset = cr()
    dataset.SpecificCharacterSet = "ISO_IR 127"
    dataset.PatientName = "قباني^لنزار"
    return dataset


def greek() -> Dataset:
    dataset = cr()
    dataset.SpecificCharacterSet = "ISO_IR 126"
    dataset.PatientName = "Διονυσιος"
    return dataset


def unknown_character_set() -> Dataset:
    dataset = cr()
    dataset.PatientName = "Äneas^Rudolf"
    dataset._dict[BaseTag(0x00080005)] = DataElement(0x00080005, "CS", "ISO_IR 999")
    return dataset


SOURCES: dict[str, Callable[[], Dataset]] = {
    make.__name__: make
    for make in (
        cr, dx, ct, ct_without_frame_of_reference, ct_oblique_lossy, mr, enhanced_ct, enhanced_mr,
        multi_frame_without_space, monochrome1, colour_capture, secondary_capture, bare, damaged, japanese, arabic,
        greek, ct_without_thickness, private_class, unknown_character_set,
    )
}  # fmt: skip


def l_shape() -> np.ndarray:
    """An L that is no mirror or turn of itself, off centre: a stem in columns 5 to 8, a foot in rows 26 to 29."""
    region = np.zeros((ROWS, COLUMNS), dtype=bool)
    region[10:30, 5:9] = True
    region[26:30, 5:18] = True
    return region


def explanation(region: np.ndarray | None = None) -> Explanation:
    """Evidence 0.8 on the L, 1.6 in its foot's last column, 0 elsewhere; scale 2."""
    shape = l_shape() if region is None else region
    evidence = np.where(shape, np.float32(0.8), np.float32(0.0)).astype(np.float32)
    rows, columns = np.nonzero(shape)
    evidence[shape & (np.arange(shape.shape[1]) == columns.max())] = 1.6
    top, left = int(rows.min()), int(columns.min())
    return Explanation(
        map=evidence,
        scale=2.0,
        peak_row_col=(int(rows.max()), int(columns.max())),
        region=shape,
        region_box=(top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1),
        zone="left lower zone",
        in_expected_region=0.9,
        completeness_error=0.0,
    )


def finding(
    key: str,
    *,
    positive: bool = True,
    display_class: DisplayClass = "locate",
    is_localisable: bool = True,
    code: Code | None = None,
    region: np.ndarray | None = None,
) -> Finding:
    return Finding(
        key=key,
        display=key.replace("_", " ").capitalize(),
        code=code or Code(scheme="SCT", value="36118008", meaning="Pneumothorax"),
        rank=1,
        critical=True,
        logit=2.5,
        probability=0.9241 if positive else 0.0312,
        threshold=0.5,
        positive=positive,
        confidence="high" if positive else "moderate",
        reasons=("far above its operating point",) if positive else (),
        flags=(),
        display_class=display_class,
        is_localisable=is_localisable,
        explanation=explanation(region) if positive else None,
    )


FINDINGS = (
    finding("pneumothorax"),
    finding("cardiomegaly", is_localisable=False, code=Code(scheme="SCT", value="8186001", meaning="Cardiomegaly")),
    finding(
        "hemorrhage",
        display_class="notify-only",
        code=Code(scheme="SCT", value="1386000", meaning="Intracranial hemorrhage"),
    ),
    finding("effusion", positive=False, code=Code(scheme="SCT", value="60046008", meaning="Pleural effusion")),
    finding("lung_opacity", positive=False, code=Code(scheme="RADLEX", value="RID28530", meaning="lung opacity")),
)


def facts(dataset: Dataset, *, frame_number: int = 1) -> ImageFacts:
    return ImageFacts(
        stem="image",
        source_sha256="0" * 64,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frame_number=frame_number,
        number_of_frames=int(dataset.get("NumberOfFrames", 1)),
    )


def processed(dataset: Dataset, findings: tuple[Finding, ...] = FINDINGS, *, frame_number: int = 1) -> ImageResult:
    positives = [each.display for each in findings if each.positive]
    return ImageResult(
        status="processed",
        reason=None,
        engine=ENGINE,
        image=facts(dataset, frame_number=frame_number),
        findings=findings,
        primary=next((each.key for each in findings if each.positive), None),
        impression=f"Positive: {', '.join(positives)}." if positives else "Processed, nothing found.",
    )


def refused(dataset: Dataset) -> ImageResult:
    return ImageResult(
        status="refused",
        reason=Reason(code="not_a_chest_film", text="Found a hand; expected a chest."),
        engine=None,
        image=facts(dataset),
        findings=(),
        primary=None,
        impression="",
    )


def overlays(findings: tuple[Finding, ...] = FINDINGS) -> dict[str, np.ndarray]:
    """A picture per finding: black, with a marker of pure red at (3, 7) and of pure blue at (20, 1)."""
    rgb = np.zeros((31, 45, 3), dtype=np.uint8)
    rgb[2:5, 6:9] = (255, 0, 0)
    rgb[19:22, 0:3] = (0, 0, 255)
    return {each.key: rgb for each in findings}
