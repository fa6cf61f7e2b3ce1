"""What a header says about one frame, without anything that names the patient."""

from __future__ import annotations

import math
import re
from datetime import date

from pydicom.dataset import Dataset

from radiolucent.prepare.boundary import QUIET
from radiolucent.prepare.element import first_item, frame_scope, integer, items, numbers, text, texts
from radiolucent.prepare.vocabulary import VIEW_CODES, VIEW_POSITIONS, body_part_in, body_part_of, view_in
from radiolucent.records.image import ImageFacts, ImageSide

DAYS_PER_YEAR = 365.25
AGE_UNITS = {"D": 1 / DAYS_PER_YEAR, "W": 7 / DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}
MAX_AGE_YEARS = 130.0
MAX_SPACING_MM = 100.0
MAX_ASPECT = 20.0
#: A direction cosine that decides which way an axis runs.
DOMINANT = 0.5
CROSS_SECTIONAL = ("CT", "MR", "PT", "NM")
FRONTAL = ("PA", "AP")
Vector = tuple[float, float, float]


def _age_years(dataset: Dataset) -> float | None:
    stated = re.fullmatch(r"(\d{1,3})\s*([DWMY])", (text(dataset, "PatientAge") or "").upper())
    if stated:
        age = int(stated[1]) * AGE_UNITS[stated[2]]
    else:
        born = _date(dataset, "PatientBirthDate")
        imaged = next(
            (d for d in (_date(dataset, k) for k in ("StudyDate", "AcquisitionDate", "SeriesDate")) if d), None
        )
        if born is None or imaged is None:
            return None
        age = (imaged - born).days / DAYS_PER_YEAR
    return age if 0 <= age <= MAX_AGE_YEARS else None


def _date(dataset: Dataset, keyword: str) -> date | None:
    digits = re.sub(r"[.\-/]", "", text(dataset, keyword) or "")
    if not re.fullmatch(r"\d{8}", digits):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _descriptions(dataset: Dataset, *keywords: str) -> list[str]:
    return [found for found in (text(dataset, keyword) for keyword in keywords) if found]


def _view(dataset: Dataset, modality: str | None) -> str | None:
    stated = VIEW_POSITIONS.get((text(dataset, "ViewPosition") or "").upper())
    if stated or modality in CROSS_SECTIONAL:
        return stated
    code = first_item(dataset, "ViewCodeSequence")
    if code is not None:
        named = VIEW_CODES.get(text(code, "CodeValue") or "")
        named = named or VIEW_POSITIONS.get((text(code, "CodeMeaning") or "").upper())
        if named:
            return named
    found = (view_in(words) for words in _descriptions(dataset, "SeriesDescription", "ProtocolName"))
    return next((view for view in found if view), None)


def _anatomic_region(dataset: Dataset, frame_number: int) -> Dataset | None:
    anatomy = frame_scope(dataset, frame_number=frame_number, group="FrameAnatomySequence")
    return first_item(anatomy, "AnatomicRegionSequence") or first_item(dataset, "AnatomicRegionSequence")


def _body_part(dataset: Dataset, frame_number: int) -> str | None:
    stated = body_part_of(text(dataset, "BodyPartExamined") or "")
    if stated:
        return stated
    region = _anatomic_region(dataset, frame_number)
    coded = body_part_of(text(region, "CodeMeaning") or "") if region is not None else None
    if coded:
        return coded
    keywords = ("SeriesDescription", "ProtocolName", "StudyDescription", "RequestedProcedureDescription")
    found = (body_part_in(words) for words in _descriptions(dataset, *keywords))
    return next((part for part in found if part), None)


def _vector(dataset: Dataset, keyword: str, size: int) -> tuple[float, ...] | None:
    found = numbers(dataset, keyword)
    return found if len(found) == size and all(math.isfinite(x) for x in found) else None


def _pair(dataset: Dataset, keyword: str, *, limit: float) -> tuple[float, float] | None:
    found = _vector(dataset, keyword, 2)
    if found is None or not all(0 < x <= limit for x in found):
        return None
    return found if 1 / MAX_ASPECT <= found[0] / found[1] <= MAX_ASPECT else None  # type: ignore[return-value]


def _spacing_mm(dataset: Dataset, frame_number: int) -> tuple[float, float] | None:
    measures = frame_scope(dataset, frame_number=frame_number, group="PixelMeasuresSequence")
    found = _pair(measures, "PixelSpacing", limit=MAX_SPACING_MM)
    others = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    for keyword in others:
        found = found or _pair(dataset, keyword, limit=MAX_SPACING_MM)
    return found


def _orientation(dataset: Dataset, frame_number: int) -> tuple[Vector, Vector] | None:
    scope = frame_scope(dataset, frame_number=frame_number, group="PlaneOrientationSequence")
    found = _vector(scope, "ImageOrientationPatient", 6)
    if found is None:
        return None
    row, column = found[:3], found[3:]
    if not all(0.9 < math.hypot(*v) < 1.1 for v in (row, column)):
        return None
    return row, column  # type: ignore[return-value]


def _slice_position_mm(dataset: Dataset, frame_number: int) -> float | None:
    orientation = _orientation(dataset, frame_number)
    scope = frame_scope(dataset, frame_number=frame_number, group="PlanePositionSequence")
    position = _vector(scope, "ImagePositionPatient", 3)
    if orientation is None or position is None:
        return None
    (a, b, c), (d, e, f) = orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return sum(p * n for p, n in zip(position, normal, strict=True))


def _patient_left_at(
    dataset: Dataset, frame_number: int, *, view: str | None, body_part: str | None, modality: str | None
) -> ImageSide | None:
    """PS3.3 C.7.6.2.1.1: the x axis runs to the patient's left; C.7.6.1.1.1: where columns and rows run to."""
    orientation = _orientation(dataset, frame_number)
    if orientation is not None:
        towards_left = orientation[0][0]
        if abs(towards_left) <= DOMINANT:
            return None
        return "right" if towards_left > 0 else "left"
    letters = texts(dataset, "PatientOrientation")
    if len(letters) == 2 and letters[0]:
        return {"L": "right", "R": "left"}.get(letters[0][0].upper())  # type: ignore[return-value]
    is_chest_film = body_part in ("CHEST", "THORAX", "LUNG") and modality not in CROSS_SECTIONAL
    return "right" if is_chest_film and view in FRONTAL else None


def _laterality(dataset: Dataset, frame_number: int) -> str | None:
    anatomy = frame_scope(dataset, frame_number=frame_number, group="FrameAnatomySequence")
    stated = (text(dataset, k) for k in ("ImageLaterality", "Laterality"))
    found = [text(anatomy, "FrameLaterality"), *stated]
    return next((x.upper() for x in found if x and x.upper() in ("L", "R", "B", "U")), None)


def _has_contrast_agent(dataset: Dataset) -> bool:
    agent = (text(dataset, "ContrastBolusAgent") or "").upper()
    if agent in ("NONE", "NO", "N", "-", "0"):
        return False
    return bool(agent) or len(items(dataset, "ContrastBolusAgentSequence")) > 0


def facts(dataset: Dataset, *, stem: str, sha256: str, frame_number: int = 1) -> ImageFacts:
    """What the header says of one frame; what it says badly is ``None``.

    Parameters
    ----------
    dataset
        A header as `read_header` gives it.
    stem
        Name for the image where it has no SOP Instance UID to go by.
    frame_number
        1-based.

    Returns
    -------
    ImageFacts
        Age from Patient's Age, else from birth and study date. View from View Position, View Code Sequence, else
        words of Series Description and Protocol Name. Body part as a defined term. Spacing from Pixel Spacing, Imager
        Pixel Spacing (at the detector) or Nominal Scanned Pixel Spacing. Enhanced objects: from functional groups.
    """
    with QUIET:  # once, rather than once per element
        return _facts(dataset, stem=stem, sha256=sha256, frame_number=frame_number)


def _facts(dataset: Dataset, *, stem: str, sha256: str, frame_number: int) -> ImageFacts:
    modality = (text(dataset, "Modality") or "").upper() or None
    view, body_part = _view(dataset, modality), _body_part(dataset, frame_number)
    burned_in = (text(dataset, "BurnedInAnnotation") or "").upper()
    sex = (text(dataset, "PatientSex") or "").upper()
    return ImageFacts(
        stem=stem,
        source_sha256=sha256,
        rows=integer(dataset, "Rows") or 0,
        columns=integer(dataset, "Columns") or 0,
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        sop_class_uid=text(dataset, "SOPClassUID"),
        study_instance_uid=text(dataset, "StudyInstanceUID"),
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        instance_number=integer(dataset, "InstanceNumber"),
        frame_number=frame_number,
        number_of_frames=max(1, integer(dataset, "NumberOfFrames") or 1),
        modality=modality if modality and re.fullmatch(r"[A-Z0-9]{1,16}", modality) else None,
        body_part=body_part,
        view=view,
        laterality=_laterality(dataset, frame_number),
        age_years=_age_years(dataset),
        sex=sex if sex in ("F", "M", "O") else None,
        photometric_interpretation=(text(dataset, "PhotometricInterpretation") or "").upper() or None,
        pixel_spacing_mm=_spacing_mm(dataset, frame_number),
        pixel_aspect_ratio=_pair(dataset, "PixelAspectRatio", limit=math.inf),
        patient_left_at=_patient_left_at(dataset, frame_number, view=view, body_part=body_part, modality=modality),
        slice_position_mm=_slice_position_mm(dataset, frame_number),
        has_burned_in_text={"YES": True, "NO": False}.get(burned_in),
        contrast_agent=_has_contrast_agent(dataset),
    )
