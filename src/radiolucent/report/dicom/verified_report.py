"""A person's decision on a study as a verified Comprehensive 3D SR, TID 1500: the next version of the engines' reports.

One document for the study, whose predecessors are the reports it decides on. Each finding that was assessed has a
measurement group under the tracking UID that it has in the engine's report, with what the person says of it; a region
that was drawn stands in the place of the engine's. What the engines missed follows.

Acceptance, rejection and change are told in our own codes: the AI Results Assessment supplement of IHE names none yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import highdicom.sr as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as pydicom_codes
from pydicom.uid import UID

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.records.result import DISCLAIMER
from radiolucent.records.study import InstanceRef, PersonFinding, Region, StudyFinding, StudyReport, Verification
from radiolucent.report.decided import assessed_words, stated_words
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.objects import MANUFACTURER, reference, write_meta
from radiolucent.report.dicom.rejection import stamp_study, study_identity
from radiolucent.report.dicom.structured_report import (
    SOP_CLASS_UID,
    algorithm,
    concept,
    container,
    evaluation,
    image_region,
    library_image,
    probability,
    series_reference,
    text_item,
)
from radiolucent.report.dicom.uids import instance_uid, uid_from
from radiolucent.standards import codes
from radiolucent.standards.assessment import ASSESSMENT, ASSESSMENTS, SCHEME

_SERIES_NUMBER = 9007


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessors:
    """What the document follows: ``reports`` it takes the place of; ``issue`` as in `uids.instance_uid`."""

    reports: Sequence[InstanceRef]
    issue: int


def build_verified_report(report: StudyReport, before: Predecessors) -> Dataset:
    """The document of a signed report.

    Its UID depends on the decision alone: built twice it is one document.

    Raises
    ------
    InvariantBroken
        ``not_signed`` for a report that nobody has decided on.
    """
    made = report.verification
    if made is None:
        raise InvariantBroken(
            "not_signed",
            found="a report without a decision",
            expected="a signed report",
            action="Report this as a defect of Radiolucent.",
        )
    findings = [f for f in report.findings if f.assessed is not None]
    groups = [group for each in findings for group in _finding(each, report, before.issue)]
    groups += [group for n, each in enumerate(report.stated, 1) for group in _stated(each, n, report, made)]
    groups.sort(key=_has_no_region)  # OHIF opens the report at its first group
    groups.insert(sum(not _has_no_region(each) for each in groups), _summary(report, made))
    content = hd.MeasurementReport(
        observation_context=_observer(made),
        procedure_reported=concept(codes.PROCEDURE_BY_MODALITY.get(report.modality, codes.IMAGING_PROCEDURE)),
        imaging_measurements=groups,
    )
    content[0].ContentSequence.insert(-1, _image_library(report))
    document = _document(report, made)
    _write_general(document, report, before.reports)
    _write_verification(document, made)
    for element in content[0]:
        document[element.tag] = element
    return document


def _document(report: StudyReport, made: Verification) -> Dataset:
    study_uid = report.context.study_instance_uid
    document = Dataset()
    document.preamble = b"\0" * 128
    write_meta(document, SOP_CLASS_UID, uid_from("verified-report", study_uid, made.decision_id))
    document.StudyInstanceUID = study_uid
    document.SeriesInstanceUID = uid_from("verified-report-series", study_uid)
    document.SeriesNumber, document.InstanceNumber = _SERIES_NUMBER, max(1, report.revision)
    document.Modality = "SR"
    document.SeriesDescription = "AI findings, decided by a radiologist"
    document.ReferencedPerformedProcedureStepSequence = []
    document.Manufacturer = document.ManufacturerModelName = MANUFACTURER
    document.DeviceSerialNumber = "none"
    document.SoftwareVersions = legal.clean(report.software_version, limit=64)
    identity = study_identity(report.context, "")
    words = [made.reader_display, made.comment, report.impression]
    words += [each.display + each.comment for each in report.stated]
    words += [f.assessed.comment for f in report.findings if f.assessed is not None]
    stamp_study(document, identity, made.signed_at, texts=words)
    return document


def _write_general(document: Dataset, report: StudyReport, before: Sequence[InstanceRef]) -> None:
    """The SR Document General module (PS3.3 C.17.2): what it follows, what it speaks of."""
    made = report.verification
    document.PerformedProcedureCodeSequence = []
    document.CompletionFlag = "COMPLETE"
    document.PreliminaryFlag = "FINAL" if made is not None and made.is_final else "PRELIMINARY"
    study_uid = report.context.study_instance_uid
    if before:
        document.PredecessorDocumentsSequence = [_evidence(study_uid, before)]
    spoken_of = {each.sop_instance_uid: each for each in _images(report)}
    document.CurrentRequestedProcedureEvidenceSequence = [_evidence(study_uid, list(spoken_of.values()))]


def _evidence(study_instance_uid: str, objects: Sequence[InstanceRef]) -> Dataset:
    by_series: dict[str, list[Dataset]] = {}
    for each in objects:
        found = by_series.setdefault(each.series_instance_uid, [])
        found.append(reference(each.sop_class_uid, each.sop_instance_uid))
    evidence = Dataset()
    evidence.StudyInstanceUID = study_instance_uid
    evidence.ReferencedSeriesSequence = [series_reference(uid, items) for uid, items in by_series.items()]
    return evidence


def _write_verification(document: Dataset, made: Verification) -> None:
    document.VerificationFlag = "VERIFIED"
    observer = Dataset()
    observer.VerifyingObserverName = _person(made)
    observer.VerifyingObserverIdentificationCodeSequence = []
    observer.VerifyingOrganization = legal.clean(made.organization, limit=64)
    observer.VerificationDateTime = made.signed_at.strftime("%Y%m%d%H%M%S.%f%z")
    document.VerifyingObserverSequence = [observer]


def _person(made: Verification) -> str:
    """A display name as a DICOM name: all of it as the family name, for nobody knows its parts."""
    words = legal.clean(made.reader_display or made.reader_name, limit=63)
    return words.replace("^", " ").replace("=", " ") + "^"


def _observer(made: Verification) -> Any:
    person = hd.PersonObserverIdentifyingAttributes(
        name=_person(made),
        login_name=legal.clean(made.reader_name, limit=64),
        organization_name=legal.clean(made.organization, limit=64) or None,
    )
    return hd.ObservationContext(
        observer_person_context=hd.ObserverContext(
            observer_type=pydicom_codes.DCM.Person, observer_identifying_attributes=person
        )
    )


def _images(report: StudyReport) -> list[InstanceRef]:
    """What the document points at: every source image, and the images that were drawn on."""
    drawn = [r.image for each in (*report.stated, *_changes(report)) for r in each.regions]
    return [*report.images, *drawn]


def _changes(report: StudyReport) -> list[PersonFinding]:
    return [f.assessed.changed for f in report.findings if f.assessed is not None and f.assessed.changed is not None]


def _image_library(report: StudyReport) -> Dataset:
    items = [library_image(each, _frames(each)) for each in report.images]
    library: Dataset = container(codes.IMAGE_LIBRARY, [container(codes.IMAGE_LIBRARY_GROUP, items)])
    return library


def _frames(image: InstanceRef) -> list[int] | None:
    """The frame, where the class of the image may have several (PS3.3 table 10-3)."""
    name = UID(image.sop_class_uid).name
    return [image.frame_number] if image.frame_number > 1 or "Multi-frame" in name or "Enhanced" in name else None


def _summary(report: StudyReport, made: Verification) -> Any:
    """The decision as a whole, in code and words."""
    group = hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(report, "summary", "Radiolucent decision"),
        qualitative_evaluations=[evaluation(ASSESSMENT, ASSESSMENTS[made.outcome])],
        source_images=[_source(report.images[0])] if report.images else None,
    )
    words = [report.impression, made.comment if made.comment not in report.impression else "", DISCLAIMER]
    content = group[0].ContentSequence
    content.append(text_item(codes.IMPRESSION, words[0]))
    content.extend(text_item(codes.COMMENT, each) for each in words[1:] if each)
    return group


def _finding(finding: StudyFinding, report: StudyReport, issue: int) -> list[Any]:
    """An engine's finding with what the person says of it; a group for each region."""
    said = finding.assessed
    assert said is not None  # asked of assessed findings alone
    regions = () if said.changed is None or finding.instead is not None else said.changed.regions
    certainty = (said.changed.confidence if said.changed is not None else None) or finding.confidence

    def parts() -> dict[str, Any]:
        return {
            "tracking_identifier": _same_tracking(finding, issue),
            "finding_type": concept(finding.code) if finding.holds else None,
            "algorithm_id": algorithm(
                finding.engine.id,
                finding.engine.version,
                (f"operating point: probability >= {finding.threshold:.4f}",),
            ),
            "measurements": [probability(finding.probability)],
            "qualitative_evaluations": [
                evaluation(finding.code, codes.PRESENT if finding.holds else codes.ABSENT),
                *([evaluation(codes.CERTAINTY_OF_FINDING, codes.CONFIDENCE[certainty])] if finding.holds else []),
                evaluation(ASSESSMENT, ASSESSMENTS[said.assessment]),
            ],
        }

    words = assessed_words(finding, report.verification)
    if finding.change is not None:
        words = f"{words} {finding.change.words}"
    return _groups(parts, regions, finding.images[:1] or report.images[:1], words)


def _stated(statement: PersonFinding, number: int, report: StudyReport, made: Verification) -> list[Any]:
    """A finding that the person states and the engines did not; a group for each region."""
    code = statement.code or Code(scheme=SCHEME, value="STATED", meaning=statement.display)
    sure = statement.confidence

    def parts() -> dict[str, Any]:
        return {
            "tracking_identifier": _tracking(
                report, f"stated/{made.decision_id}/{number}", f"Reader {statement.display}"
            ),
            "finding_type": concept(code),
            "qualitative_evaluations": [
                evaluation(code, codes.PRESENT),
                *([evaluation(codes.CERTAINTY_OF_FINDING, codes.CONFIDENCE[sure])] if sure is not None else []),
                evaluation(ASSESSMENT, ASSESSMENTS["supplemented"]),
            ],
        }

    return _groups(parts, statement.regions, report.images[:1], stated_words(statement, made))


def _groups(
    parts: Callable[[], dict[str, Any]], regions: Sequence[Region], images: Sequence[InstanceRef], words: str
) -> list[Any]:
    """A planar group (TID 1410) for each region, under one tracking UID; else one about an image (TID 1501)."""
    groups: list[Any] = [
        hd.PlanarROIMeasurementsAndQualitativeEvaluations(**parts(), referenced_region=_region(each))
        for each in regions
    ] or [hd.MeasurementsAndQualitativeEvaluations(**parts(), source_images=[_source(each) for each in images] or None)]
    for group in groups:
        group[0].ContentSequence.append(text_item(codes.COMMENT, words))
    return groups


def _has_no_region(group: Any) -> bool:
    return not isinstance(group, hd.PlanarROIMeasurementsAndQualitativeEvaluations)


def _region(region: Region) -> Any:
    """The drawn region as a closed polyline of (column, row) (PS3.3 C.18.6)."""
    points = region.points
    if region.kind == "box":
        (top, left), (bottom, right) = points
        points = ((top, left), (top, right), (bottom, right), (bottom, left))
    closed = np.array([(column, row) for row, column in (*points, points[0])], dtype=np.float64)
    return image_region(closed, region.image.sop_class_uid, region.image.sop_instance_uid, _frames(region.image))


def _source(image: InstanceRef) -> Any:
    return hd.SourceImageForMeasurementGroup(
        referenced_sop_class_uid=image.sop_class_uid,
        referenced_sop_instance_uid=image.sop_instance_uid,
        referenced_frame_numbers=_frames(image),
    )


def _same_tracking(finding: StudyFinding, issue: int) -> Any:
    """Of the group that the engine's report of the finding's first image has for it."""
    first = finding.images[0] if finding.images else None
    uid = (
        uid_from("tracking", finding.engine.sha256, finding.key)
        if first is None
        else instance_uid(
            source_sop_uid=first.sop_instance_uid,
            frame_number=first.frame_number,
            engine=finding.engine,
            kind="tracking",
            key=finding.key,
            issue=issue,
        )
    )
    return hd.TrackingIdentifier(uid=uid, identifier=legal.clean(f"Radiolucent {finding.key}", limit=64))


def _tracking(report: StudyReport, name: str, words: str) -> Any:
    uid = uid_from("decision-tracking", report.context.study_instance_uid, name)
    return hd.TrackingIdentifier(uid=uid, identifier=legal.clean(words, limit=64))
