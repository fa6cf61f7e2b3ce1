"""One entry: from a source header and a result to valid DICOM objects; nothing is written or sent here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused, RadiolucentError
from radiolucent.records.result import Finding, ImageResult
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.parametric_map import build_parametric_map
from radiolucent.report.dicom.presentation_state import build_presentation_state
from radiolucent.report.dicom.records import (
    BuiltObject,
    BuiltObjects,
    DicomOptions,
    Job,
    ObjectKind,
    SkippedObject,
)
from radiolucent.report.dicom.secondary_capture import build_secondary_capture
from radiolucent.report.dicom.segmentation import FRACTIONAL_KEY, build_fractional, build_segmentation
from radiolucent.report.dicom.source import read_source
from radiolucent.report.dicom.structured_report import build_structured_report


def build_objects(
    source: Dataset,
    result: ImageResult,
    overlays: Mapping[str, NDArray[np.uint8]],
    *,
    now: datetime,
    options: DicomOptions | None = None,
) -> BuiltObjects:
    """Build every wanted object for one image (or one frame of one).

    Parameters
    ----------
    source
        Header of the source instance; its pixels are not looked at, and it is not altered.
    result
        What was said about ``result.image``; a refused image gives a report that says so.
    overlays
        Rendered overlay per finding key, ``uint8 [rows, columns, 3]`` RGB; those of findings that are not positive, or
        are ``notify-only``, are ignored.
    now
        Content date and time. UIDs do not depend on it.

    Returns
    -------
    BuiltObjects
        Objects in storing order (the report last), and what was skipped, with the reason.
    """
    wanted = options or DicomOptions()
    try:
        header = read_source(source, result.image, texts=_words(result))
    except RadiolucentError as error:
        kinds = sorted(wanted.kinds)
        return BuiltObjects(skipped=tuple(_skip(kind, "", error) for kind in kinds))
    job = Job(source=header, result=result, now=now, options=wanted)
    workshop = _Workshop(wanted)
    if result.status == "processed":
        _build_images(workshop, job, overlays)
    workshop.make("sr", "", lambda: build_structured_report(job, workshop.objects))
    return BuiltObjects(objects=tuple(workshop.objects), skipped=tuple(workshop.skipped))


class _Workshop:
    """Collects what was built and what was not."""

    def __init__(self, options: DicomOptions) -> None:
        self._options = options
        self.objects: list[BuiltObject] = []
        self.skipped: list[SkippedObject] = []

    def make(self, kind: ObjectKind, key: str, build: Callable[[], Dataset]) -> None:
        """Build one object if its kind is wanted; a failure is recorded, not raised."""
        if kind not in self._options.kinds:
            return
        try:
            dataset = build()
            encoded = encode(dataset)
        except (RadiolucentError, Warning, *legal.UNREADABLE) as error:
            self.skipped.append(_skip(kind, key, error))
        else:
            self.objects.append(BuiltObject(kind=kind, key=key, dataset=dataset, encoded=encoded))


def _build_images(workshop: _Workshop, job: Job, overlays: Mapping[str, NDArray[np.uint8]]) -> None:
    for finding in job.located:
        if finding.key in overlays:
            workshop.make("sc", finding.key, _capture(job, finding, overlays[finding.key]))
    for finding in job.located:
        workshop.make("pm", finding.key, _map(job, finding))
    if not job.outlined:
        return
    workshop.make("seg", "", lambda: _fitting(job, build_segmentation))
    if job.options.fractional_segmentation:
        workshop.make("seg", FRACTIONAL_KEY, lambda: _fitting(job, build_fractional))
    workshop.make("gsps", "", lambda: build_presentation_state(job))


def _capture(job: Job, finding: Finding, rgb: NDArray[np.uint8]) -> Callable[[], Dataset]:
    return lambda: build_secondary_capture(job, finding, rgb)


def _map(job: Job, finding: Finding) -> Callable[[], Dataset]:
    explanation = finding.explanation
    assert explanation is not None  # located findings have one
    return lambda: _fitting(job, lambda fitting: build_parametric_map(fitting, finding, explanation))


def _fitting(job: Job, build: Callable[[Job], Dataset]) -> Dataset:
    """Build on source pixels only if every map is on them."""
    shape = (job.source.rows, job.source.columns)
    for finding in job.located:
        explanation = finding.explanation
        if explanation and (explanation.map.shape != shape or explanation.region.shape != shape):
            raise InputRefused(
                "map_does_not_fit_source",
                found="a map of another size than its source",
                expected="one value per source pixel",
                action="Report this as a defect of Radiolucent.",
            )
    return build(job)


def encode(dataset: Dataset) -> bytes:
    """A Part 10 file with a zero preamble (CVE-2019-11687); no object leaves that cannot be written.

    Raises
    ------
    Warning
        Where text cannot be encoded, of which pydicom only warns.
    """
    dataset.preamble = b"\0" * 128
    stream = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _skip(kind: ObjectKind, key: str, error: BaseException) -> SkippedObject:
    if isinstance(error, RadiolucentError):
        return SkippedObject(kind=kind, key=key, code=error.code, text=error.text)
    return SkippedObject(
        kind=kind, key=key, code="object_not_buildable", text=f"The object could not be built ({type(error).__name__})."
    )


def _words(result: ImageResult) -> tuple[str, ...]:
    """Every text of the result that may be written."""
    words = [result.impression, *result.notes, result.reason.text if result.reason else ""]
    words += [result.engine.id, result.engine.version] if result.engine else []
    for finding in result.findings:
        words += [finding.key, finding.display, finding.code.meaning, *finding.reasons, *finding.flags]
        words += [finding.explanation.zone] if finding.explanation else []
    return tuple(words)
