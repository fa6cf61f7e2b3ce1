"""Raw evidence of one finding as a Parametric Map (PS3.3 A.75): float, on the source's own pixels.

One instance per finding: a reader that knows nothing of findings still shows each map under its own label, and the
finding's code stands in the quantity definition for one that does.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from radiolucent.records.engine import Code
from radiolucent.records.result import Explanation, Finding
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.multiframe import (
    PLANE_POSITION,
    Pointer,
    frame_anatomy,
    frame_groups,
    shared_groups,
    write_common,
    write_dimensions,
)
from radiolucent.report.dicom.objects import code_item, label, new_object, object_uid
from radiolucent.report.dicom.records import Job
from radiolucent.standards import codes

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.30"
_FRAME_TYPE = ["DERIVED", "PRIMARY", "STATIC", "QUANTITY"]
_STACK: Pointer = ("InStackPositionNumber", "FrameContentSequence")


def build_parametric_map(job: Job, finding: Finding, explanation: Explanation) -> Dataset:
    """The map of ``finding``: 32-bit float evidence in logit units per cell, one frame."""
    dataset = new_object(job, "pm", SOP_CLASS_UID, key=finding.key)
    write_common(
        dataset,
        job,
        content_label=label(finding.key),
        description=legal.clean(f"{finding.display}: evidence, logit per cell", limit=64),
    )
    dataset.ImageType = _FRAME_TYPE
    dataset.ContentQualification = "RESEARCH"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.AcquisitionContextSequence = []
    dataset.BitsAllocated = 32
    dataset.NumberOfFrames = 1
    write_dimensions(dataset, job, "pm", finding.key, [PLANE_POSITION if job.source.plane else _STACK])
    shared = _shared(job, finding, explanation)
    dataset.SharedFunctionalGroupsSequence = [shared]
    frame = frame_groups(job.source, index=[1], derivation=codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION)
    if job.source.plane is None:
        frame.FrameContentSequence[0].StackID = "1"
        frame.FrameContentSequence[0].InStackPositionNumber = 1
        _place_nowhere(dataset, job, shared, frame)
    dataset.PerFrameFunctionalGroupsSequence = [frame]
    dataset.FloatPixelData = np.ascontiguousarray(explanation.map, dtype="<f4").tobytes()
    return dataset


def _place_nowhere(dataset: Dataset, job: Job, shared: Dataset, frame: Dataset) -> None:
    """What the standard asks of a map whose source has no known place, without inventing one.

    The Frame of Reference and Pixel Measures are mandatory (PS3.3 tables A.75-1 and A.75-2): the map gets a frame of
    reference of its own, shared with nothing. Position and orientation are required of ORIGINAL frames only
    (C.7.6.16.2.3, C.7.6.16.2.4): their items stay empty, so no viewer can put a side marker on a guess.
    """
    dataset.FrameOfReferenceUID = object_uid(job, "frame-of-reference")
    dataset.PositionReferenceIndicator = ""
    frame.PlanePositionSequence = [Dataset()]
    shared.PlaneOrientationSequence = [Dataset()]
    if "PixelMeasuresSequence" not in shared:
        shared.PixelMeasuresSequence = [Dataset()]


def _shared(job: Job, finding: Finding, explanation: Explanation) -> Dataset:
    groups = shared_groups(job.source)
    frame_type = Dataset()
    frame_type.FrameType = _FRAME_TYPE
    groups.ParametricMapFrameTypeSequence = [frame_type]
    groups.FrameAnatomySequence = [frame_anatomy(job.source)]
    identity = Dataset()
    identity.RescaleIntercept, identity.RescaleSlope, identity.RescaleType = 0, 1, "US"
    groups.PixelValueTransformationSequence = [identity]
    window = Dataset()
    top = max(float(explanation.scale), 1e-6)
    window.WindowCenter, window.WindowWidth = _window(top)
    window.VOILUTFunction = "LINEAR_EXACT"
    groups.FrameVOILUTSequence = [window]
    groups.RealWorldValueMappingSequence = [_real_world(finding, explanation)]
    return groups


def _window(top: float) -> tuple[str, str]:
    """Window from no evidence to the top of the finding's absolute scale, as decimal strings."""
    return f"{top / 2:.8g}", f"{top:.8g}"


def _real_world(finding: Finding, explanation: Explanation) -> Dataset:
    """The stored value is the evidence itself (PS3.3 C.7.6.16.2.11)."""
    item = Dataset()
    item.DoubleFloatRealWorldValueFirstValueMapped = float(np.min(explanation.map))
    item.DoubleFloatRealWorldValueLastValueMapped = float(np.max(explanation.map))
    item.RealWorldValueIntercept = 0.0
    item.RealWorldValueSlope = 1.0
    item.LUTExplanation = "Evidence of the model, logit units per cell"
    item.LUTLabel = label(finding.key)
    item.MeasurementUnitsCodeSequence = [code_item(codes.NO_UNITS)]
    item.QuantityDefinitionSequence = [
        _named(codes.QUANTITY, codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION),
        _named(codes.FINDING, finding.code),
    ]
    return item


def _named(name: Code, value: Code) -> Dataset:
    """A CODE content item (PS3.3 table 10-2)."""
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence = [code_item(name)]
    item.ConceptCodeSequence = [code_item(value)]
    return item
