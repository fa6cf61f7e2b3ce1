"""What goes into and comes out of `build_objects`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydicom.dataset import Dataset

from radiolucent.records.result import Explanation, Finding, ImageResult
from radiolucent.report.dicom.source import SourceHeader

ObjectKind = Literal["sr", "sc", "pm", "seg", "gsps"]
ALL_KINDS: frozenset[ObjectKind] = frozenset({"sr", "sc", "pm", "seg", "gsps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomOptions:
    """What to build.

    Parameters
    ----------
    kinds
        Object kinds wanted.
    fractional_segmentation
        Also write the evidence as a FRACTIONAL (PROBABILITY) segmentation: Weasis paints it as a heat map, OHIF
        refuses it.
    nominal_orientation
        Write a nominal image orientation into the segmentation of an image without one (a film); OHIF 3 opens it only
        then. Off for archives that would take it for the patient's.
    software_version
        Version of Radiolucent itself, written as equipment.
    issue
        How often results of the study were taken back before; each issue has UIDs of its own.
    """

    kinds: frozenset[ObjectKind] = ALL_KINDS
    fractional_segmentation: bool = False
    nominal_orientation: bool = True
    software_version: str = "0.2.0"
    issue: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltObject:
    """One valid DICOM object, and its bytes as a Part 10 file; ``key`` is the finding's for per-finding objects."""

    kind: ObjectKind
    key: str
    dataset: Dataset
    encoded: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedObject:
    """Why an object could not be built validly: a stable code and a sentence without patient values."""

    kind: ObjectKind
    key: str
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltObjects:
    """Everything built for one image, and what was left out knowingly."""

    objects: tuple[BuiltObject, ...] = ()
    skipped: tuple[SkippedObject, ...] = ()

    @property
    def datasets(self) -> list[Dataset]:
        """The objects alone, in the order they should be stored: what is referred to comes first."""
        return [built.dataset for built in self.objects]

    def of_kind(self, kind: ObjectKind) -> tuple[BuiltObject, ...]:
        """The objects of one kind."""
        return tuple(built for built in self.objects if built.kind == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image's result on its way into objects."""

    source: SourceHeader
    result: ImageResult
    now: datetime
    options: DicomOptions = field(default_factory=DicomOptions)

    @property
    def located(self) -> tuple[Finding, ...]:
        """Positive findings whose place may be shown: ``locate``, with an explanation; most critical first.

        A ``notify-only`` finding is never among them, whatever its record carries.
        """
        return tuple(
            finding
            for finding in self.result.positives
            if finding.display_class == "locate" and finding.explanation is not None
        )

    @property
    def outlined(self) -> tuple[Finding, ...]:
        """The located findings that are a place rather than a state: those with a region that speaks for them."""
        return tuple(f for f in self.located if f.is_localisable and f.explanation and _has_place(f.explanation))


def _has_place(explanation: Explanation) -> bool:
    return bool(explanation.region.any()) and float(explanation.map[explanation.peak_row_col]) > 0.0
