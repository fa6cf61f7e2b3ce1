"""Two results of one patient side by side: what goes into a comparison, and what comes out.

The caller answers for it that both results are of the same patient and the same body part. Nothing here names a
patient, and nothing here needs a date.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.records.engine import MapStatus
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import EngineRef

Change = Literal["new", "increased", "unchanged", "decreased", "resolved", "absent", "not_comparable"]
FrameKind = Literal["anatomy", "foreground", "picture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where the body lies in a picture, by the first and second moments of what was found of it.

    Parameters
    ----------
    centre
        ``(row, column)`` of the centroid, in source pixels (edge coordinates).
    spread
        ``(row, column)`` standard deviation, in source pixels; both greater than 0.
    kind
        What was found: drawn ``anatomy``, the bright ``foreground``, or only the ``picture`` itself.
    """

    centre: tuple[float, float]
    spread: tuple[float, float]
    kind: FrameKind

    @property
    def area(self) -> float:
        """Area of the rectangle with the same spread, in source pixels; a picture's frame has the picture's area."""
        return 12.0 * self.spread[0] * self.spread[1]

    @property
    def side(self) -> float:
        """Square root of the area: the frame's linear size, in source pixels."""
        return math.sqrt(self.area)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReading:
    """One finding of one result, as a comparison needs it.

    Parameters
    ----------
    map
        ``[rows, columns]`` evidence on source pixels, logit per cell, before ReLU; ``None`` where it was not written.
    region
        ``[rows, columns]`` bool, the marked region; ``None`` where there is no map.
    """

    key: str
    display: str
    probability: float
    logit: float
    positive: bool
    is_localisable: bool = True
    map_status: MapStatus = "unmeasured"
    map: NDArray[np.float32] | None = None
    region: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One result, as a comparison needs it.

    Parameters
    ----------
    refusal
        Code of the refusal, or ``None`` for an image that was read.
    frame
        Where the body lies, or ``None`` where it was looked for and not found.
    notes
        What the comparison should be told of how this reading was made, in words.
    """

    engine: EngineRef | None
    facts: ImageFacts
    frame: Frame | None
    findings: tuple[FindingReading, ...] = ()
    refusal: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Changes that the same image shows when nothing has changed: anything up to them is noise.

    Parameters
    ----------
    area, evidence
        Factors over 1, of the region's relative area and of the positive evidence.
    logit
        Difference of the raw score.
    measured_on
        Engine id and version they were measured on.
    """

    area: float
    evidence: float
    logit: float
    measured_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers behind one finding's change; ``None`` where they cannot be had.

    Parameters
    ----------
    logit_change
        Current minus prior raw score.
    prior_area, current_area
        Area of the marked region over the area of the frame.
    prior_evidence, current_evidence
        Positive evidence summed over the picture's pixels, over the area of the frame: logit per cell.
    overlap
        Dice coefficient of the two regions after registration, 0 to 1.
    peak_distance
        Distance of the two peaks after registration, over the frame's diagonal.
    """

    logit_change: float
    prior_area: float | None = None
    current_area: float | None = None
    prior_evidence: float | None = None
    current_evidence: float | None = None
    overlap: float | None = None
    peak_distance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """One finding at two dates: the word, the numbers, the reasons, and what calls for care."""

    key: str
    display: str
    change: Change
    prior_probability: float
    current_probability: float
    prior_positive: bool
    current_positive: bool
    figures: Figures
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How prior and current were laid on one another: ``current = centre + (prior - centre) * scale``, per axis."""

    by: FrameKind
    row_scale: float
    column_scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two results compared. ``changes`` is empty where ``comparable`` is false; ``reasons`` then say why."""

    comparable: bool
    prior: ImageFacts
    current: ImageFacts
    engine: EngineRef | None
    registration: Registration | None
    margins: Margins
    changes: tuple[FindingChange, ...]
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()
