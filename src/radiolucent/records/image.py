"""An image on its way in: what is known of it, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.records.geometry import Geometry

ImageSide = Literal["left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file offered for reading, as `ingest` found it.

    Parameters
    ----------
    path
        Where the bytes are; a member of a zip was unpacked to a temporary place first.
    label
        What to call it in messages: path relative to what was given. Never a patient value.
    kind
        ``dicom`` or ``picture`` (PNG, JPEG, AVIF), by content.
    sha256
        Hex digest of the bytes.
    """

    path: Path
    label: str
    kind: Literal["dicom", "picture"]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A file that was offered and is not read, with the reason.

    Parameters
    ----------
    label
        What to call it in messages, as `SourceFile.label`.
    stem
        Safe name for its result folder.
    sha256
        Hex digest of the bytes, ``None`` where they could not be read.
    code, text
        Stable code and sentence of the `radiolucent.errors.InputRefused` behind it.
    """

    label: str
    stem: str
    sha256: str | None
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What the header says of one frame; ``None`` where it says nothing.

    No patient identifiers: those are copied from the source header straight into the DICOM objects.

    Parameters
    ----------
    frame_number
        1-based, as DICOM counts frames; 1 for a single-frame image.
    pixel_spacing_mm
        ``(between rows, between columns)`` in mm.
    pixel_aspect_ratio
        ``(vertical, horizontal)`` size of a pixel without unit, where only Pixel Aspect Ratio is given.
    patient_left_at
        Image side at which the patient's left is, from Image Orientation (Patient) or Patient Orientation, or by
        convention for the projection; ``None`` where left and right mean nothing.
    slice_position_mm
        Position along the slice normal, for ordering a stack.
    """

    stem: str
    source_sha256: str
    rows: int
    columns: int
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    instance_number: int | None = None
    frame_number: int = 1
    number_of_frames: int = 1
    modality: str | None = None
    body_part: str | None = None
    view: str | None = None
    laterality: str | None = None
    age_years: float | None = None
    sex: str | None = None
    photometric_interpretation: str | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    pixel_aspect_ratio: tuple[float, float] | None = None
    patient_left_at: ImageSide | None = None
    slice_position_mm: float | None = None
    has_burned_in_text: bool | None = None
    contrast_agent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFrame:
    """Pixels of one frame.

    Parameters
    ----------
    values
        ``[rows, columns]`` float32 in modality units (Hounsfield units for CT), after the modality LUT.
    display
        ``[rows, columns]`` float32 in [0, 1], after the VOI transformation, greater is brighter whatever the
        photometric interpretation.
    valid
        ``[rows, columns]`` False where Pixel Padding Value stands, or ``None`` when every pixel is valid.
    notes
        Codes of what was done knowingly on the way (``colour_converted``, ``first_of_several_windows`` ...).
    """

    facts: ImageFacts
    values: NDArray[np.float32]
    display: NDArray[np.float32]
    valid: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """``array [C, H, W]`` float32 as the engine wants it, and the way back to source pixels."""

    array: NDArray[np.float32]
    geometry: Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What one forward pass gives for one image.

    Parameters
    ----------
    logits
        ``[K]``.
    evidence
        ``[K, h, w]`` before ReLU, in logit units: ``evidence[k].sum() + bias[k] == logits[k]``.
    embedding
        ``[D]``.
    anatomy
        ``[R, h', w']`` region probabilities in [0, 1], or ``None`` where not trained.
    novelty
        Squared Mahalanobis distance of the embedding from the training set, or ``None``.
    guards
        ``[G]`` probabilities in the order of `EngineSpec.content_guards`, empty where there are none.
    """

    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    embedding: NDArray[np.float32]
    anatomy: NDArray[np.float32] | None = None
    novelty: float | None = None
    guards: tuple[float, ...] = ()
