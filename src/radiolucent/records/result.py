"""What is said about one image, and about one series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.records.engine import Code, DisplayClass, MapStatus
from radiolucent.records.image import ImageFacts

Confidence = Literal["high", "moderate", "low"]
DISCLAIMER = (
    "Research software, not a medical device. The map is evidence about the model, not proof about the patient. "
    "Not for diagnosis; a radiologist decides."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one finding was scored as it was, on source pixels.

    Parameters
    ----------
    map
        ``[rows, columns]`` float32 evidence in logit units per cell, before ReLU, interpolated to source pixels.
    scale
        Evidence at the top of the absolute colour scale of this finding.
    peak_row_col
        Source pixel with most evidence.
    region
        ``[rows, columns]`` bool: where evidence reaches the finding's region fraction of its peak, joined to the peak.
    region_box
        ``(row, column, height, width)`` of ``region``.
    zone
        Place of the peak in words; left and right are the patient's.
    in_expected_region
        Share of positive evidence inside the expected anatomy, or ``None`` where the engine has no anatomy.
    region_shares
        Share of positive evidence inside each region the engine draws; regions may overlap.
    marker_under_peak
        Whether a letter, marker or piece of metal seems to lie under the peak.
    completeness_error
        ``abs(sum(evidence) + bias - logit)``.
    """

    map: NDArray[np.float32]
    scale: float
    peak_row_col: tuple[int, int]
    region: NDArray[np.bool_]
    region_box: tuple[int, int, int, int]
    zone: str
    in_expected_region: float | None
    completeness_error: float
    region_shares: dict[str, float] = field(default_factory=dict)
    marker_under_peak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of one image, judged.

    ``rank`` is the place in the result, 1 first: alerts by criticality, then other positives, then negatives, both by
    probability.
    ``source`` says whether the network was trained for it or a stated rule derives it; a derived finding carries the
    map of the trained one it rests on. ``map_status`` is the engine's word on such maps: one that is ``not_validated``
    is kept as data and shown in no picture. ``alert`` marks a critical positive that is likely enough to interrupt for.
    ``explanation`` is there only for a positive finding (or when all maps were asked for), and never for a finding
    whose ``display_class`` is ``notify-only``.
    """

    key: str
    display: str
    code: Code
    rank: int
    critical: bool
    logit: float
    probability: float
    threshold: float
    positive: bool
    confidence: Confidence
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    display_class: DisplayClass
    is_localisable: bool
    source: Literal["trained", "derived"] = "trained"
    map_status: MapStatus = "unmeasured"
    alert: bool = False
    explanation: Explanation | None = None

    @property
    def shown(self) -> Explanation | None:
        """The explanation, where its map may be drawn."""
        return None if self.map_status == "not_validated" else self.explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRef:
    """Which engine spoke."""

    id: str
    title: str
    version: str
    sha256: str
    device_uid: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an image was refused: a stable code and a sentence without patient values."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """Everything said about one image (or one frame).

    ``findings`` holds every finding the engine knows, sorted by rank. ``primary`` is the key of the first positive one.
    """

    status: Literal["processed", "refused"]
    reason: Reason | None
    engine: EngineRef | None
    image: ImageFacts
    findings: tuple[Finding, ...]
    primary: str | None
    impression: str
    notes: tuple[str, ...] = ()

    @property
    def positives(self) -> tuple[Finding, ...]:
        """Positive findings, most critical first."""
        return tuple(f for f in self.findings if f.positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceScore:
    """One slice's share in a series: its facts and the probability and sign of each finding."""

    image: ImageFacts
    probabilities: dict[str, float]
    positives: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFinding:
    """One finding over a stack."""

    key: str
    display: str
    code: Code
    critical: bool
    probability: float
    positive: bool
    positive_slices: int
    key_slices: tuple[SliceScore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesResult:
    """A stack's own result."""

    series_instance_uid: str
    engine: EngineRef
    slices: tuple[SliceScore, ...]
    refused: int
    findings: tuple[SeriesFinding, ...]
    primary: str | None
    impression: str
