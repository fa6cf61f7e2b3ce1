"""Box and label per finding as a Grayscale Softcopy Presentation State (PS3.3 A.33.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused
from radiolucent.records.result import Finding
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.contour import box_outline
from radiolucent.report.dicom.objects import (
    date_and_time,
    decimal,
    label,
    new_object,
    source_reference,
    write_laterality,
)
from radiolucent.report.dicom.records import Job

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.11.1"
_ORANGE = [46000, 44000, 50000]
_MAX_ENTRIES = 65536


def build_presentation_state(job: Job) -> Dataset:
    """A layer per outlined finding, each with the region's box and its label.

    Raises
    ------
    InputRefused
        When the source is in colour, or its modality LUT cannot be carried over: the state would change the picture.
    """
    source = job.source
    if source.samples_per_pixel != 1:
        raise InputRefused(
            "source_is_in_colour",
            found="a colour image",
            expected="a greyscale image",
            action="Use the overlay; a greyscale presentation state cannot apply to colour.",
        )
    if min(source.rows, source.columns) < 2:
        raise InputRefused(
            "source_too_small_to_mark",
            found="an image of one row or column",
            expected="at least two of each",
            action="Use the report; there is nothing to draw on.",
        )
    dataset = new_object(job, "gsps", SOP_CLASS_UID)
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = date_and_time(job)
    dataset.ContentLabel = "AI_MARKS"
    dataset.ContentDescription = "Regions of evidence of the model"
    dataset.ContentCreatorName = ""
    write_laterality(dataset, source)
    series = Dataset()
    series.SeriesInstanceUID = source.series_instance_uid
    series.ReferencedImageSequence = [source_reference(source)]
    dataset.ReferencedSeriesSequence = [series]
    dataset.DisplayedAreaSelectionSequence = [_displayed_area(job)]
    _write_modality(dataset, source.frame)
    _write_window(dataset, source.frame)
    dataset.PresentationLUTShape = "INVERSE" if source.is_inverted else "IDENTITY"
    layers = [label(f"{place}_{finding.key}") for place, finding in enumerate(job.outlined, 1)]
    dataset.GraphicLayerSequence = [_layer(name, order) for order, name in enumerate(layers, 1)]
    dataset.GraphicAnnotationSequence = [
        _annotation(job, finding, name) for finding, name in zip(job.outlined, layers, strict=True)
    ]
    return dataset


def _displayed_area(job: Job) -> Dataset:
    """The whole image, fitted (PS3.3 C.10.4)."""
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [job.source.columns, job.source.rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    spacing = job.source.pixel_spacing_mm
    if spacing:
        item.PresentationPixelSpacing = [decimal(number) for number in spacing]
    else:
        item.PresentationPixelAspectRatio = [1, 1]
    return item


def _layer(name: str, order: int) -> Dataset:
    item = Dataset()
    item.GraphicLayer = name
    item.GraphicLayerOrder = order
    item.GraphicLayerRecommendedDisplayCIELabValue = _ORANGE
    return item


def _annotation(job: Job, finding: Finding, layer: str) -> Dataset:
    """A closed polyline and a text in PIXEL units (PS3.3 C.10.5)."""
    item = Dataset()
    item.ReferencedImageSequence = [source_reference(job.source)]
    item.GraphicLayer = layer
    box = finding.explanation.region_box if finding.explanation else (0, 0, 1, 1)
    points = box_outline(box)
    graphic = Dataset()
    graphic.GraphicAnnotationUnits = "PIXEL"
    graphic.GraphicDimensions = 2
    graphic.NumberOfGraphicPoints = len(points)
    graphic.GraphicData = [float(number) for number in points.ravel()]
    graphic.GraphicType = "POLYLINE"
    graphic.GraphicFilled = "N"
    item.GraphicObjectSequence = [graphic]
    text = Dataset()
    text.AnchorPointAnnotationUnits = "PIXEL"
    text.UnformattedTextValue = legal.clean(
        f"AI: {finding.display} {finding.probability:.0%}, {finding.confidence} confidence. Not for diagnosis.",
        limit=1024,
    )
    text.AnchorPoint = [float(number) for number in points[0]]
    text.AnchorPointVisibility = "N"
    item.TextObjectSequence = [text]
    return item


def _write_modality(dataset: Dataset, places: Sequence[Dataset]) -> None:
    """The source's own modality transformation, which the state replaces (PS3.3 C.11.1)."""
    for place in places:
        if legal.items(place, "ModalityLUTSequence"):
            table = _table(legal.items(place, "ModalityLUTSequence")[0], stretched=False)
            if table is None:
                raise InputRefused(
                    "source_modality_lut_unreadable",
                    found="a modality lookup table that cannot be read",
                    expected="a table that can be carried over",
                    action="Use the overlay; the source's own values are not known.",
                )
            table.ModalityLUTType = "US"
            dataset.ModalityLUTSequence = [table]
            return
        slope = legal.numbers(place, "RescaleSlope", count=1)
        intercept = legal.numbers(place, "RescaleIntercept", count=1)
        if slope and intercept and slope[0] != 0:
            dataset.RescaleIntercept, dataset.RescaleSlope = decimal(intercept[0]), decimal(slope[0])
            dataset.RescaleType = legal.text(place, "RescaleType", limit=16) or "US"
            return


def _write_window(dataset: Dataset, places: Sequence[Dataset]) -> None:
    """The source's first VOI transformation, table before window (PS3.3 C.11.8); none if it has none that is legal."""
    for place in places:
        table = next((_table(item, stretched=True) for item in legal.items(place, "VOILUTSequence")), None)
        voi = Dataset()
        if table is not None:
            voi.VOILUTSequence = [table]
        elif not _window(voi, place):
            continue
        dataset.SoftcopyVOILUTSequence = [voi]
        return


def _window(voi: Dataset, place: Dataset) -> bool:
    try:
        centre, width = float(str(legal.first(place, "WindowCenter"))), float(str(legal.first(place, "WindowWidth")))
    except ValueError:
        return False
    function = legal.coded(place, "VOILUTFunction", allowed=("LINEAR", "LINEAR_EXACT", "SIGMOID")) or "LINEAR"
    if not (np.isfinite(centre) and np.isfinite(width)) or width < (1 if function == "LINEAR" else 1e-9):
        return False
    voi.WindowCenter, voi.WindowWidth = decimal(centre), decimal(width)
    voi.VOILUTFunction = function
    return True


def _table(item: Dataset, *, stretched: bool) -> Dataset | None:
    """A lookup table with its data as 16-bit words, or ``None`` if it contradicts itself.

    The third value of the descriptor is 8 or 16 in a presentation state (PS3.3 C.11.1.1.1): output of other depths is
    ``stretched`` to 16 where only its relative value counts (VOI), and kept where the value means something (modality).
    """
    descriptor = legal.numbers(item, "LUTDescriptor", count=3)
    data = legal.value(item, "LUTData")
    if descriptor is None or data is None:
        return None
    entries = int(descriptor[0]) or _MAX_ENTRIES
    try:
        words = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.array(data).astype("<u2").ravel()
    except legal.UNREADABLE:
        return None
    bits = int(descriptor[2])
    if len(words) != entries or bits not in range(8, 17):
        return None
    if stretched:
        words = np.round(words.astype(np.float64) * (65535 / (2**bits - 1))).clip(0, 65535).astype("<u2")
    table = Dataset()
    representation = "SS" if descriptor[1] < 0 else "US"
    first_mapped = int(descriptor[1])
    stored = [entries % _MAX_ENTRIES, first_mapped, 16]
    if representation == "SS" and stored[0] > 32767:
        return None
    table.add_new("LUTDescriptor", representation, stored)
    table.add_new("LUTData", "OW", words.tobytes())
    return table
