"""The images of a study as a viewer needs them: in reading order, with what turns stored values into grey."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from radiolucent.errors import RadiolucentError
from radiolucent.pipeline.study_report import KINDS
from radiolucent.prepare.element import frame_scope, number, numbers, text
from radiolucent.prepare.facts import facts
from radiolucent.prepare.header import read_header
from radiolucent.prepare.sides import Sides, sides
from radiolucent.records.image import ImageFacts
from radiolucent.records.study import InstanceRef
from radiolucent.store.blobs import Blobs
from radiolucent.store.work import SourceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewImage:
    """One frame. Spacing is ``(between rows, between columns)`` in mm; ``window`` is ``(centre, width)``; ``sides`` are
    the letters at the left, right, upper and lower edge.
    """

    image: InstanceRef
    facts: ImageFacts
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    photometric: str
    slope: float
    intercept: float
    window: tuple[float, float] | None
    voi_function: str
    spacing_kind: str
    position_mm: tuple[float, ...] | None
    sides: Sides | None
    orientation: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSeries:
    """A series with its frames in reading order."""

    series_instance_uid: str
    modality: str
    description: str
    body_part: str
    images: tuple[ViewImage, ...]


class Pictures:
    """Headers of kept images. They never change under their path, and so are read once."""

    def __init__(self, blobs: Blobs, *, most: int = 4000) -> None:
        self._blobs, self._most = blobs, most
        self._known: dict[str, tuple[ViewImage, ...]] = {}

    def series(self, rows: Sequence[SourceRow]) -> list[ViewSeries]:
        """The series of a study that can be shown; an image that cannot be read is left out."""
        groups: dict[str, list[SourceRow]] = {}
        for row in rows:
            if row.path and row.sop_class_uid not in KINDS.keys() - SHOWN_CLASSES:
                groups.setdefault(row.series_instance_uid, []).append(row)
        made = [(self._number(own[0]), self._series(uid, own)) for uid, own in groups.items()]
        return [
            each for _, each in sorted(made, key=lambda pair: (pair[0], pair[1].series_instance_uid)) if each.images
        ]

    @staticmethod
    def _number(row: SourceRow) -> int:
        return int(_first(json.loads(row.header), "00200011") or 0)

    def _series(self, uid: str, rows: Sequence[SourceRow]) -> ViewSeries:
        header = json.loads(rows[0].header)
        images = [image for row in rows for image in self._images(row)]
        return ViewSeries(
            series_instance_uid=uid,
            modality=_first(header, "00080060"),
            description=_first(header, "0008103E"),
            body_part=_first(header, "00180015"),
            images=tuple(sorted(images, key=_place)),
        )

    def _images(self, row: SourceRow) -> tuple[ViewImage, ...]:
        found = self._known.get(row.path)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            try:
                found = self._read(row)
            except (RadiolucentError, OSError):
                found = ()
            self._known[row.path] = found
        return found

    def _read(self, row: SourceRow) -> tuple[ViewImage, ...]:
        instance = read_header(self._blobs.path(row.path))
        layout, dataset = instance.layout, instance.dataset
        return tuple(
            ViewImage(
                image=InstanceRef(
                    sop_class_uid=row.sop_class_uid,
                    sop_instance_uid=row.sop_instance_uid,
                    series_instance_uid=row.series_instance_uid,
                    frame_number=frame,
                ),
                facts=facts(dataset, stem=row.sop_instance_uid, sha256="", frame_number=frame),
                bits_allocated=layout.bits_allocated,
                bits_stored=layout.bits_stored,
                is_signed=bool(layout.is_signed),
                photometric=layout.photometric if layout.samples == 1 else "RGB",
                **_grey(dataset, frame),
                **_space(dataset, frame),
                sides=sides(dataset, frame),
            )
            for frame in range(1, layout.frames + 1)
        )


SHOWN_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"})
"""Classes of ours that are pictures, which others send as well."""


def _grey(dataset: Dataset, frame: int) -> dict[str, Any]:
    values = frame_scope(dataset, frame_number=frame, group="PixelValueTransformationSequence")
    voi = frame_scope(dataset, frame_number=frame, group="FrameVOILUTSequence")
    slope, intercept = number(values, "RescaleSlope"), number(values, "RescaleIntercept")
    centres, widths = numbers(voi, "WindowCenter"), numbers(voi, "WindowWidth")
    function = (text(voi, "VOILUTFunction") or "LINEAR").lower()
    return {
        "slope": 1.0 if slope is None or slope == 0 else slope,
        "intercept": intercept or 0.0,
        "window": (centres[0], widths[0]) if centres and widths and widths[0] > 0 else None,
        "voi_function": function if function in ("linear", "linear_exact", "sigmoid") else "linear",
    }


def _space(dataset: Dataset, frame: int) -> dict[str, Any]:
    measures = frame_scope(dataset, frame_number=frame, group="PixelMeasuresSequence")
    position = numbers(frame_scope(dataset, frame_number=frame, group="PlanePositionSequence"), "ImagePositionPatient")
    scope = frame_scope(dataset, frame_number=frame, group="PlaneOrientationSequence")
    orientation = numbers(scope, "ImageOrientationPatient")
    spacing = numbers(measures, "PixelSpacing")
    in_patient = len(spacing) == 2 and numbers(dataset, "ImagerPixelSpacing") != spacing
    at_detector = any(len(numbers(dataset, k)) == 2 for k in ("ImagerPixelSpacing", "NominalScannedPixelSpacing"))
    return {
        "spacing_kind": "patient" if in_patient else "detector" if at_detector else "none",
        "position_mm": position if len(position) == 3 else None,
        "orientation": orientation if len(orientation) == 6 else None,
    }


def _place(each: ViewImage) -> tuple[float, int, int, str]:
    known = each.facts.slice_position_mm
    return (
        0.0 if known is None else known,
        each.facts.instance_number or 0,
        each.image.frame_number,
        each.image.sop_instance_uid,
    )


def _first(header: Mapping[str, Any], tag: str) -> str:
    values = header.get(tag, {}).get("Value") or [""]
    return "" if values[0] is None else str(values[0])
