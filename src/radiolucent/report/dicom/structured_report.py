"""Everything said about one image as a Comprehensive 3D SR, TID 1500 Measurement Report (PS3.16).

The tree::

    Imaging Measurement Report
    |-- language, device observer (the engine), procedure reported (the imaging, not the algorithm)
    |-- Image Library: the source
    `-- Imaging Measurements
        |-- Measurement Group (TID 1410): a positive finding with a region, its probability, its visual explanation
        |-- Measurement Group (TID 1501): was it processed, the impression, the disclaimer
        |-- Measurement Group (TID 1501): a positive finding without a place
        `-- Measurement Group (TID 1501): a finding looked for and judged absent

Groups with a region come first: OHIF opens the report at its first group and shows a black picture if that has none.

A finding judged absent carries no ``(121071, DCM, "Finding")``: a reader that takes that item for a statement of
presence must not be misled. Its presence is the coded evaluation *finding = Absent*.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import highdicom.sr as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes as pydicom_codes

from radiolucent.records.engine import Code
from radiolucent.records.result import DISCLAIMER, Finding
from radiolucent.records.study import InstanceRef
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.contour import outline
from radiolucent.report.dicom.objects import (
    MANUFACTURER,
    code_item,
    engine_label,
    new_object,
    object_uid,
    reference,
    stamp,
    write_content_date,
)
from radiolucent.report.dicom.records import BuiltObject, Job
from radiolucent.standards import codes

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.88.34"
# Classes highdicom knows, put in while it builds a region: it raises KeyError for retired and private ones.
_STAND_IN, _MULTI_FRAME_STAND_IN = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"
_EXPLAINING = ("sc", "pm")
Group = Any  # highdicom's templates; its base class is not public
_REMEMBERED = 512
"""Concepts and what is made of them alone: the reports of a stack say the same in each, and share the items."""
_CONTAINS = hd.RelationshipTypeValues.CONTAINS


def build_structured_report(job: Job, built: Sequence[BuiltObject]) -> Dataset:
    """The report of one image, processed or refused; ``built`` are the objects it may refer to."""
    explaining = [each for each in built if each.kind in _EXPLAINING]
    outlined = [_finding_group(job, finding, explaining) for finding in job.outlined]
    others = [
        _finding_group(job, finding, explaining) for finding in job.result.findings if finding not in job.outlined
    ]
    groups = [*outlined, _summary(job), *others]
    content = hd.MeasurementReport(
        observation_context=_observation_context(job),
        procedure_reported=concept(codes.PROCEDURE_BY_MODALITY.get(job.source.modality, codes.IMAGING_PROCEDURE)),
        imaging_measurements=groups,
    )
    content[0].ContentSequence.insert(-1, _image_library(job))
    report = new_object(job, "sr", SOP_CLASS_UID)
    write_content_date(report, job)
    _write_document(report, job, [each.dataset for each in explaining])
    for element in content[0]:
        report[element.tag] = element
    _as_if_read(report, convert_encodings(report.get("SpecificCharacterSet")))
    return report


def _as_if_read(dataset: Dataset, encodings: str | list[str] = default_encoding) -> None:
    """Say of a tree that it was read in the encoding in which it is written.

    Of any other pydicom searches every level, and at each all levels below, for values that may have one of several
    VRs (such as pixel values). A report has none, and the search takes a fifth of its time.
    """
    dataset.set_original_encoding(False, True, encodings)
    for element in dataset.elements():
        if isinstance(element.value, Items):
            for item in element.value:
                _as_if_read(item)


def _write_document(report: Dataset, job: Job, explaining: Sequence[Dataset]) -> None:
    """The SR Document General module (PS3.3 C.17.2).

    highdicom's own document class copies the whole tree and searches it for what it refers to, which takes longer than
    building it; here it is known.
    """
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    report.CompletionFlag = "COMPLETE" if job.result.status == "processed" else "PARTIAL"
    report.PreliminaryFlag = "PRELIMINARY"
    report.VerificationFlag = "UNVERIFIED"
    source = job.source
    by_series = {source.series_instance_uid: [reference(source.sop_class_uid, source.sop_instance_uid)]}
    for each in explaining:
        by_series.setdefault(each.SeriesInstanceUID, []).append(reference(each.SOPClassUID, each.SOPInstanceUID))
    evidence = Dataset()
    evidence.StudyInstanceUID = source.study_instance_uid
    evidence.ReferencedSeriesSequence = [series_reference(uid, items) for uid, items in by_series.items()]
    report.CurrentRequestedProcedureEvidenceSequence = [evidence]


def series_reference(series_instance_uid: str, items: Sequence[Dataset]) -> Dataset:
    """Objects of a series that are referred to (PS3.3 table C.17-3)."""
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedSOPSequence = list(items)
    return series


@lru_cache(maxsize=_REMEMBERED)
def concept(code: Code) -> Any:
    """A coded concept as highdicom has it."""
    item = code_item(code)
    return hd.CodedConcept(
        value=item.CodeValue, scheme_designator=item.CodingSchemeDesignator, meaning=item.CodeMeaning
    )


def text_item(name: Code, words: str) -> Any:
    """A text that a container contains."""
    return hd.TextContentItem(name=concept(name), value=words, relationship_type=_CONTAINS)


def _observation_context(job: Job) -> Any:
    """The engine as device observer (PS3.16 TID 1004); there is no person observer."""
    name, version = engine_label(job)
    probe = Dataset()
    stamp(probe, job, "sr", SOP_CLASS_UID)
    device = hd.DeviceObserverIdentifyingAttributes(
        uid=probe.DeviceUID,
        name=legal.clean(f"{name} {version}", limit=64),
        manufacturer_name=MANUFACTURER,
        model_name=legal.clean(name, limit=64),
        serial_number=probe.DeviceSerialNumber,
    )
    return hd.ObservationContext(
        observer_device_context=hd.ObserverContext(
            observer_type=pydicom_codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _image_library(job: Job) -> Dataset:
    """TID 1600 in its smallest form: the source, so that a viewer finds what the report is about."""
    source = job.source
    image = InstanceRef(
        sop_class_uid=source.sop_class_uid,
        sop_instance_uid=source.sop_instance_uid,
        series_instance_uid=source.series_instance_uid,
    )
    group = container(codes.IMAGE_LIBRARY_GROUP, [library_image(image, _frames(job))])
    library: Dataset = container(codes.IMAGE_LIBRARY, [group])
    return library


def library_image(image: InstanceRef, frames: list[int] | None) -> Any:
    """An image of the library (TID 1601)."""
    return hd.ImageContentItem(
        name=concept(codes.SOURCE),  # TID 1601 row 1 has none; highdicom reads only named items
        referenced_sop_class_uid=image.sop_class_uid,
        referenced_sop_instance_uid=image.sop_instance_uid,
        referenced_frame_numbers=frames,
        relationship_type=_CONTAINS,
    )


def container(name: Code, content: Sequence[Any]) -> Any:
    """A container within another."""
    made = hd.ContainerContentItem(name=concept(name), relationship_type=_CONTAINS)
    made.ContentSequence = hd.ContentSequence(content)
    return made


def _frames(job: Job) -> list[int] | None:
    return [job.source.frame_number] if job.source.is_one_of_several_frames else None


def _summary(job: Job) -> Group:
    """Three different outputs: processed with findings, processed and nothing found, not processed."""
    result = job.result
    if result.status == "refused":
        state, words = codes.NOT_PROCESSED, f"Not processed: {result.reason.text if result.reason else 'no reason'}"
    elif result.positives:
        state, words = codes.SUCCEEDED_WITH_FINDINGS, result.impression
    else:
        state, words = codes.SUCCEEDED_WITHOUT_FINDINGS, result.impression or "Processed, nothing found."
    group = hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(job, "summary", "Radiolucent result"),
        algorithm_id=_algorithm(job, ()),
        qualitative_evaluations=[evaluation(codes.PROCESSING_SUMMARY, state)],
        source_images=[_source_image(job)],
    )
    group[0].ContentSequence.append(text_item(codes.IMPRESSION, words))
    group[0].ContentSequence.append(text_item(codes.COMMENT, DISCLAIMER))
    if result.notes:
        group[0].ContentSequence.append(text_item(codes.COMMENT, f"Preparation: {', '.join(result.notes)}"))
    return group


def _finding_group(job: Job, finding: Finding, explaining: Sequence[BuiltObject]) -> Group:
    common: dict[str, Any] = {
        "tracking_identifier": _tracking(job, finding.key, f"Radiolucent {finding.key}"),
        "finding_type": concept(finding.code) if finding.positive else None,
        "algorithm_id": _algorithm(job, (f"operating point: probability >= {finding.threshold:.4f}",)),
        "measurements": [probability(finding.probability)],
        "qualitative_evaluations": [
            evaluation(finding.code, codes.PRESENT if finding.positive else codes.ABSENT),
            evaluation(codes.CERTAINTY_OF_FINDING, codes.CONFIDENCE[finding.confidence]),
        ],
    }
    group: Group
    if finding in job.outlined:
        group = hd.PlanarROIMeasurementsAndQualitativeEvaluations(**common, referenced_region=_region(job, finding))
    else:
        group = hd.MeasurementsAndQualitativeEvaluations(**common, source_images=[_source_image(job)])
    content = group[0].ContentSequence
    for each in explaining:
        if each.key == finding.key and finding in job.located:
            content.append(_visual_explanation(each.dataset))
    content.append(text_item(codes.COMMENT, _remarks(job, finding)))
    return group


def _remarks(job: Job, finding: Finding) -> str:
    """Confidence with its reasons, and the place in words only where the place may be shown."""
    because = f" ({'; '.join(finding.reasons)})" if finding.reasons else ""
    sign = "positive" if finding.positive else "negative"
    parts = [f"{finding.display}: {sign}, confidence {finding.confidence}{because}."]
    if finding in job.outlined and finding.explanation:
        parts.append(f"Most evidence: {finding.explanation.zone}.")
    if finding.flags:
        parts.append(f"Flags: {', '.join(finding.flags)}.")
    return " ".join(parts)


def _tracking(job: Job, key: str, words: str) -> Any:
    return hd.TrackingIdentifier(uid=object_uid(job, "tracking", key), identifier=legal.clean(words, limit=64))


def _algorithm(job: Job, parameters: Sequence[str]) -> Any:
    return algorithm(*engine_label(job), tuple(parameters))


@lru_cache(maxsize=_REMEMBERED)
def algorithm(name: str, version: str, parameters: tuple[str, ...]) -> Any:
    """TID 4019."""
    return hd.AlgorithmIdentification(
        name=legal.clean(name, limit=64),
        version=legal.clean(version, limit=64),
        parameters=list(parameters),
        family=concept(codes.ARTIFICIAL_INTELLIGENCE),
        manufacturer=MANUFACTURER,
    )


@lru_cache(maxsize=_REMEMBERED)
def evaluation(name: Code, value: Code) -> Any:
    """A qualitative evaluation of a measurement group."""
    return hd.QualitativeEvaluation(name=concept(name), value=concept(value))


def probability(share: float) -> Any:
    """A probability of 0 to 1 in percent."""
    return hd.Measurement(name=concept(codes.PROBABILITY), value=round(100 * share, 2), unit=concept(codes.PERCENT))


def _source_image(job: Job) -> Any:
    return hd.SourceImageForMeasurementGroup(
        referenced_sop_class_uid=job.source.sop_class_uid,
        referenced_sop_instance_uid=job.source.sop_instance_uid,
        referenced_frame_numbers=_frames(job),
    )


def _region(job: Job, finding: Finding) -> Any:
    """The region's outline (PS3.3 C.18.6)."""
    explanation = finding.explanation
    assert explanation is not None  # outlined findings have one
    source = job.source
    return image_region(outline(explanation.region), source.sop_class_uid, source.sop_instance_uid, _frames(job))


def image_region(
    closed: NDArray[np.float64], sop_class_uid: str, sop_instance_uid: str, frames: list[int] | None
) -> Any:
    """A closed SCOORD polyline ``[n, 2]`` of (column, row) on an image (PS3.3 C.18.6)."""
    image = hd.SourceImageForRegion(
        referenced_sop_class_uid=_MULTI_FRAME_STAND_IN if frames else _STAND_IN,
        referenced_sop_instance_uid=sop_instance_uid,
        referenced_frame_numbers=frames,
    )
    region = hd.ImageRegion(graphic_type=hd.GraphicTypeValues.POLYLINE, graphic_data=closed, source_image=image)
    selected = region.ContentSequence[0].ReferencedSOPSequence[0]
    selected.ReferencedSOPClassUID = sop_class_uid
    return region


def _visual_explanation(explanation: Dataset) -> Any:
    """``(130401, DCM, "Visual explanation")`` of TID 1410, which highdicom 0.28.2 does not offer itself."""
    return hd.ImageContentItem(
        name=concept(codes.VISUAL_EXPLANATION),
        referenced_sop_class_uid=explanation.SOPClassUID,
        referenced_sop_instance_uid=explanation.SOPInstanceUID,
        relationship_type=_CONTAINS,
    )
