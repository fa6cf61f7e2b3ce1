"""What Parametric Map and Segmentation share: functional groups and dimensions over the source's own geometry.

highdicom 0.28.2 cannot build a Parametric Map from a source without Frame of Reference (CR, DX), nor a Segmentation
from one frame of such a multi-frame source; built here, both are the same few modules for every source.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from radiolucent.records.engine import Code
from radiolucent.report.dicom.objects import (
    code_item,
    decimal,
    derived_from,
    object_uid,
    referenced_series,
    write_content_date,
    write_lossy,
)
from radiolucent.report.dicom.records import Job, ObjectKind
from radiolucent.report.dicom.source import Plane, SourceHeader
from radiolucent.standards import codes

Pointer = tuple[str, str]
PLANE_POSITION: Pointer = ("ImagePositionPatient", "PlanePositionSequence")


def write_common(dataset: Dataset, job: Job, *, content_label: str, description: str) -> None:
    """Modules both image kinds share (PS3.3 C.7.6.16, C.7.6.17, C.12.2, C.10.9.1 content identification)."""
    source = job.source
    write_content_date(dataset, job)
    dataset.ContentLabel = content_label
    dataset.ContentDescription = description
    dataset.ContentCreatorName = ""
    dataset.Rows, dataset.Columns = source.rows, source.columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    write_lossy(dataset, source)
    dataset.ReferencedSeriesSequence = referenced_series(source)
    if source.plane:
        dataset.FrameOfReferenceUID = source.plane.frame_of_reference_uid
        dataset.PositionReferenceIndicator = ""
    else:
        dataset.PatientOrientation = []


def write_dimensions(dataset: Dataset, job: Job, kind: ObjectKind, key: str, pointers: Sequence[Pointer]) -> None:
    """The dimensions that frames are ordered by (PS3.3 C.7.6.17)."""
    organisation = Dataset()
    organisation.DimensionOrganizationUID = object_uid(job, f"{kind}-dimensions", key)
    dataset.DimensionOrganizationSequence = [organisation]
    dataset.DimensionIndexSequence = []
    for attribute, group in pointers:
        item = Dataset()
        item.DimensionOrganizationUID = organisation.DimensionOrganizationUID
        item.DimensionIndexPointer = _tag(attribute)
        item.FunctionalGroupPointer = _tag(group)
        item.DimensionDescriptionLabel = attribute
        dataset.DimensionIndexSequence.append(item)


def shared_groups(source: SourceHeader) -> Dataset:
    """Pixel measures and orientation, as far as they are known (PS3.3 C.7.6.16.2.1, C.7.6.16.2.4).

    A film's spacing is written too: OHIF 3.12 opens no segmentation whose shared groups are empty.
    """
    groups = Dataset()
    if source.pixel_spacing_mm:
        measures = Dataset()
        measures.PixelSpacing = [decimal(number) for number in source.pixel_spacing_mm]
        if source.plane:
            measures.SliceThickness = decimal(source.plane.thickness_mm)
        groups.PixelMeasuresSequence = [measures]
    if source.plane:
        orientation = Dataset()
        orientation.ImageOrientationPatient = [decimal(number) for number in source.plane.orientation]
        groups.PlaneOrientationSequence = [orientation]
    return groups


def frame_groups(source: SourceHeader, *, index: Sequence[int], derivation: Code) -> Dataset:
    """Frame content, derivation and, where known, position of one frame (PS3.3 C.7.6.16.2.2, .2.3, .2.6)."""
    groups = Dataset()
    content = Dataset()
    content.DimensionIndexValues = list(index)
    groups.FrameContentSequence = [content]
    groups.DerivationImageSequence = derived_from(source, derivation)
    if source.plane:
        groups.PlanePositionSequence = [_position(source.plane)]
    return groups


def frame_anatomy(source: SourceHeader) -> Dataset:
    """Frame Anatomy (PS3.3 C.7.6.16.2.8), of which the source says at best the body part."""
    region = codes.REGION_BY_BODY_PART.get(source.body_part, codes.ENTIRE_BODY)
    item = Dataset()
    item.AnatomicRegionSequence = [code_item(region)]
    item.FrameLaterality = source.laterality or "U"
    return item


def _position(plane: Plane) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = [decimal(number) for number in plane.position]
    return item


def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)
