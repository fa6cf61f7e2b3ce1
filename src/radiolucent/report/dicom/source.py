"""The source header, cleaned: what derived objects may inherit from it, and where its pixels are.

Tolerant when reading: every attribute may be missing or illegal. What comes out is legal. Private attributes are never
taken over, and neither is anything not named here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from radiolucent.errors import InputRefused
from radiolucent.records.image import ImageFacts
from radiolucent.report.dicom import legal

_COPIED: dict[str, Callable[[Dataset, str], str]] = {
    # Patient module (PS3.3 C.7.1.1), general study (C.7.2.1), patient study (C.7.2.2); all type 2 or 3.
    "PatientName": legal.person_name,
    "PatientID": legal.text,
    "IssuerOfPatientID": legal.text,
    "PatientBirthDate": legal.date,
    "PatientSex": lambda source, keyword: legal.coded(source, keyword, allowed=("M", "F", "O")),
    "StudyDate": legal.date,
    "StudyTime": legal.time,
    "ReferringPhysicianName": legal.person_name,
    "StudyID": lambda source, keyword: legal.text(source, keyword, limit=16),
    "AccessionNumber": lambda source, keyword: legal.text(source, keyword, limit=16),
    "StudyDescription": legal.text,
    "PatientAge": legal.age,
}
_OTHER_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_TYPE_2 = frozenset(
    {"PatientName", "PatientID", "PatientBirthDate", "PatientSex"}
    | {"StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where a frame lies in the patient (PS3.3 C.7.6.2): ``position`` of its first pixel's centre, in mm."""

    frame_of_reference_uid: str
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    thickness_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHeader:
    """What derived objects need of the source frame.

    Parameters
    ----------
    identity
        Patient and study attributes, legal; type 2 attributes are there even when empty.
    plane
        ``None`` for a projection image, and for a slice whose place is not fully and legally stated.
    frame
        The data sets to look for display attributes in, nearest first: the frame's functional groups, then the root.
    """

    identity: Dataset
    character_set: tuple[str, ...]
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    rows: int
    columns: int
    frame_number: int
    number_of_frames: int
    series_number: int | None
    instance_number: int | None
    samples_per_pixel: int
    is_inverted: bool
    body_part: str
    laterality: str
    pixel_spacing_mm: tuple[float, ...] | None
    plane: Plane | None
    lossy: tuple[str, str] | None
    frame: tuple[Dataset, ...] = field(default=(), repr=False)

    @property
    def is_one_of_several_frames(self) -> bool:
        """Whether a reference to the source must name the frame."""
        return self.number_of_frames > 1


def read_source(source: Dataset, facts: ImageFacts, *, texts: tuple[str, ...]) -> SourceHeader:
    """Clean the header of ``source`` for the frame that ``facts`` are about.

    Parameters
    ----------
    texts
        What will be written beside the source's own words; decides the character set.

    Raises
    ------
    InputRefused
        When the source cannot be referred to: a UID of study, series, instance or class is missing or illegal, or it
        is not an image.
    """
    sop_class_uid = _required_uid(source, "SOPClassUID")
    if "Image Storage" not in UID(sop_class_uid).name and "Rows" not in source:
        raise InputRefused(
            "source_is_not_an_image",
            found="a DICOM object that is not an image",
            expected="an image",
            action="Send the image itself.",
        )
    frames = legal.integer(source, "NumberOfFrames", low=1) or facts.number_of_frames
    groups = frame_groups(source, facts.frame_number) if frames > 1 or _has_groups(source) else ()
    identity = _identity(source)
    words = tuple(str(identity[keyword].value) for keyword in _COPIED if keyword in identity)
    return SourceHeader(
        identity=identity,
        character_set=legal.character_set(source, (*words, *texts)),
        sop_class_uid=sop_class_uid,
        sop_instance_uid=_required_uid(source, "SOPInstanceUID"),
        study_instance_uid=_required_uid(source, "StudyInstanceUID"),
        series_instance_uid=_required_uid(source, "SeriesInstanceUID"),
        modality=legal.coded(source, "Modality") or "OT",
        rows=facts.rows,
        columns=facts.columns,
        frame_number=facts.frame_number,
        number_of_frames=frames,
        series_number=legal.integer(source, "SeriesNumber"),
        instance_number=legal.integer(source, "InstanceNumber"),
        samples_per_pixel=legal.integer(source, "SamplesPerPixel") or 1,
        is_inverted=legal.coded(source, "PhotometricInterpretation") == "MONOCHROME1",
        body_part=legal.coded(source, "BodyPartExamined"),
        laterality=legal.coded(source, "ImageLaterality", allowed=("L", "R", "U", "B"))
        or legal.coded(source, "Laterality", allowed=("L", "R")),
        pixel_spacing_mm=_spacing((*groups, source)),
        plane=_plane(source, groups),
        lossy=_lossy(source),
        frame=(*groups, source),
    )


def frame_groups(source: Dataset, frame_number: int) -> tuple[Dataset, ...]:
    """Items of the functional groups of one frame, its own before the shared ones (PS3.3 C.7.6.16)."""
    per_frame = legal.items(source, "PerFrameFunctionalGroupsSequence")
    own = per_frame[frame_number - 1 : frame_number]
    found: list[Dataset] = []
    for group in (*own, *legal.items(source, "SharedFunctionalGroupsSequence")[:1]):
        for element in group:
            if element.VR == "SQ" and not element.tag.is_private:
                found.extend(legal.items(group, element.keyword)[:1])
    return tuple(found)


def _has_groups(source: Dataset) -> bool:
    return "SharedFunctionalGroupsSequence" in source or "PerFrameFunctionalGroupsSequence" in source


def _required_uid(source: Dataset, keyword: str) -> str:
    found = legal.uid(source, keyword)
    if not found:
        raise InputRefused(
            "source_without_identity",
            found=f"no legal {keyword}",
            expected="an image that can be referred to",
            action="Correct the header at the modality, or let the archive assign identifiers.",
        )
    return found


def _identity(source: Dataset) -> Dataset:
    identity = Dataset()
    for keyword, read in _COPIED.items():
        found = read(source, keyword)
        if found or keyword in _TYPE_2:
            setattr(identity, keyword, found)
    removed = legal.coded(source, "PatientIdentityRemoved", allowed=("YES", "NO"))
    method = legal.text(source, "DeidentificationMethod")
    if removed == "YES" and method:
        identity.PatientIdentityRemoved, identity.DeidentificationMethod = removed, method
    return identity


def _first_numbers(places: tuple[Dataset, ...], keyword: str, *, count: int) -> tuple[float, ...] | None:
    for place in places:
        found = legal.numbers(place, keyword, count=count)
        if found:
            return found
    return None


def _spacing(places: tuple[Dataset, ...]) -> tuple[float, ...] | None:
    """Pixel Spacing, or for a projection the spacing at the detector (PS3.3 section 10.7.1.3)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = _first_numbers(places, keyword, count=2)
        if found and min(found) > 0:
            return found
    return None


def _plane(source: Dataset, groups: tuple[Dataset, ...]) -> Plane | None:
    places = (*groups, source)
    frame_of_reference_uid = legal.uid(source, "FrameOfReferenceUID")
    if frame_of_reference_uid in {legal.uid(source, keyword) for keyword in _OTHER_UIDS}:
        return None  # one identifier for two things is no frame of reference
    position = _first_numbers(places, "ImagePositionPatient", count=3)
    orientation = _first_numbers(places, "ImageOrientationPatient", count=6)
    spacing = _spacing(places)
    thickness = _thickness(places)
    if not (frame_of_reference_uid and position and orientation and spacing and thickness):
        return None
    if not _is_orthonormal(orientation):
        return None
    return Plane(
        frame_of_reference_uid=frame_of_reference_uid,
        position=position,
        orientation=orientation,
        spacing_mm=spacing,
        thickness_mm=thickness,
    )


def _thickness(places: tuple[Dataset, ...]) -> float | None:
    """Slice Thickness, or where it is missing the spacing between slices; Pixel Measures cannot do without it."""
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        found = _first_numbers(places, keyword, count=1)
        if found and found[0] > 0:
            return found[0]
    return None


def _is_orthonormal(orientation: tuple[float, ...]) -> bool:
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    unit = abs(np.linalg.norm(row) - 1) < 1e-3 and abs(np.linalg.norm(column) - 1) < 1e-3
    return bool(unit and abs(float(row @ column)) < 1e-3)


def _lossy(source: Dataset) -> tuple[str, str] | None:
    if legal.coded(source, "LossyImageCompression") != "01":
        return None
    ratio = legal.numbers(source, "LossyImageCompressionRatio", count=1)
    return (f"{ratio[0]:.6g}" if ratio else "1", legal.coded(source, "LossyImageCompressionMethod") or "ISO_10918_1")
