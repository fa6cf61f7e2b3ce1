"""Regions of evidence as a Segmentation (PS3.3 A.51): nested BINARY bands, or FRACTIONAL on demand.

Bands are shares of the finding's *absolute* scale, so two images compare. A band is where the model saw evidence, not
the outline of a lesion; the segments' descriptions say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits

from radiolucent.records.result import Finding
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.multiframe import (
    PLANE_POSITION,
    Pointer,
    frame_groups,
    shared_groups,
    write_common,
    write_dimensions,
)
from radiolucent.report.dicom.objects import algorithm_item, code_item, engine_label, new_object
from radiolucent.report.dicom.records import Job
from radiolucent.standards import codes

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.66.4"
BANDS = (0.25, 0.50, 0.75)
FRACTIONAL_KEY = "fractional"
_SEGMENT: Pointer = ("ReferencedSegmentNumber", "SegmentIdentificationSequence")
# CIELab of a colour-blind-safe ramp (yellow, orange, red) and of the region's own cyan, scaled as PS3.3 C.10.7.1.1.
_REGION_COLOUR = (48000, 20000, 26000)
_DARKEST = (32000, 52000, 46000)
_COLOURS = {0.25: (58000, 30000, 52000), 0.50: (46000, 44000, 50000), 0.75: _DARKEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    finding: Finding
    label: str
    description: str
    colour: tuple[int, int, int]
    pixels: NDArray[np.uint8]


def build_segmentation(job: Job) -> Dataset:
    """All bands of all outlined findings in one BINARY instance; empty bands are left out."""
    segments = _bands(job)
    dataset = _new(job, segments, key="", kind="BINARY")
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    frames = np.stack([segment.pixels for segment in segments])
    dataset.PixelData = pack_bits(frames)
    return dataset


def build_fractional(job: Job) -> Dataset:
    """Evidence over scale, clipped to [0, 1], as PROBABILITY with 255 steps."""
    segments = _fractions(job)
    dataset = _new(job, segments, key=FRACTIONAL_KEY, kind="FRACTIONAL")
    dataset.SegmentationFractionalType = "PROBABILITY"
    dataset.MaximumFractionalValue = 255
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    pixels = np.stack([segment.pixels for segment in segments]).tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    return dataset


def _bands(job: Job) -> list[_Segment]:
    segments: list[_Segment] = []
    for finding in job.outlined:
        explanation = finding.explanation
        if explanation is None:
            continue
        region = _Segment(
            finding=finding,
            label=f"{finding.display} region",
            description="Region of most evidence of the model, joined to its peak; not the outline of a lesion.",
            colour=_REGION_COLOUR,
            pixels=explanation.region.astype(np.uint8),
        )
        segments.append(region)
        for share in BANDS:
            pixels = (explanation.map >= share * explanation.scale).astype(np.uint8)
            if explanation.scale > 0 and pixels.any():
                segments.append(_band(finding, share, pixels))
    return segments


def _band(finding: Finding, share: float, pixels: NDArray[np.uint8]) -> _Segment:
    return _Segment(
        finding=finding,
        label=f"{finding.display} >= {share:.0%}".replace("%", " %"),
        description=f"Evidence of the model at or above {share:.0%} of this finding's absolute scale.",
        colour=_COLOURS[share],
        pixels=pixels,
    )


def _fractions(job: Job) -> list[_Segment]:
    segments: list[_Segment] = []
    for finding in job.outlined:
        explanation = finding.explanation
        if explanation is None or explanation.scale <= 0:
            continue
        share = np.clip(explanation.map / np.float32(explanation.scale), 0.0, 1.0)
        segments.append(
            _Segment(
                finding=finding,
                label=f"{finding.display} evidence",
                description="Evidence of the model as a share of this finding's absolute scale.",
                colour=_DARKEST,
                pixels=np.round(share * 255).astype(np.uint8),
            )
        )
    return segments


def _new(job: Job, segments: list[_Segment], *, key: str, kind: str) -> Dataset:
    dataset = new_object(job, "seg", SOP_CLASS_UID, key=key)
    write_common(dataset, job, content_label="AI_EVIDENCE", description="Evidence of the model by finding")
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentQualification = "RESEARCH"
    dataset.SegmentationType = kind
    dataset.SegmentsOverlap = "YES" if len(segments) > 1 else "NO"
    dataset.PixelRepresentation = 0
    dataset.NumberOfFrames = len(segments)
    dataset.SegmentSequence = [_segment_item(job, n, segment) for n, segment in enumerate(segments, 1)]
    pointers = [_SEGMENT, PLANE_POSITION] if job.source.plane else [_SEGMENT]
    write_dimensions(dataset, job, "seg", key, pointers)
    shared = shared_groups(job.source)
    if job.source.plane is None and job.options.nominal_orientation:
        _write_nominal_orientation(shared)
        if "PixelMeasuresSequence" not in shared:
            # OHIF 3 looks into this item, and fails as a whole without it, for a film whose spacing is unknown.
            shared.PixelMeasuresSequence = [Dataset()]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(job, n) for n in range(1, len(segments) + 1)]
    return dataset


def _write_nominal_orientation(shared: Dataset) -> None:
    """Let OHIF open the segmentation of a film: it compares orientations, and takes this one for an image without.

    It says nothing of the patient: there is no frame of reference and no position, and a viewer takes side markers
    from the image under the segmentation.
    """
    orientation = Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PlaneOrientationSequence = [orientation]


def _frame(job: Job, number: int) -> Dataset:
    index = [number, 1] if job.source.plane else [number]
    groups = frame_groups(job.source, index=index, derivation=codes.SEGMENTATION)
    identification = Dataset()
    identification.ReferencedSegmentNumber = number
    groups.SegmentIdentificationSequence = [identification]
    return groups


def _segment_item(job: Job, number: int, segment: _Segment) -> Dataset:
    """A segment (PS3.3 C.8.20.4)."""
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = legal.clean(segment.label, limit=64)
    item.SegmentDescription = segment.description
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = legal.clean(" ".join(engine_label(job)), limit=64)
    item.SegmentationAlgorithmIdentificationSequence = algorithm_item(job)
    item.SegmentedPropertyCategoryCodeSequence = [code_item(codes.MORPHOLOGICALLY_ABNORMAL_STRUCTURE)]
    item.SegmentedPropertyTypeCodeSequence = [code_item(segment.finding.code)]
    item.RecommendedDisplayCIELabValue = list(segment.colour)
    return item
