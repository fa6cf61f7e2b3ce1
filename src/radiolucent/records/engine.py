"""An engine as the rest of the house knows it: the checked manifest, without the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EvidenceLevel = Literal["adequate", "limited", "insufficient"]
DisplayClass = Literal["locate", "notify-only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded concept: coding scheme designator, code value, code meaning (PS3.3 section 8.8)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """Where an input channel comes from.

    ``voi`` takes `DecodedFrame.display`; ``hu_window`` windows `DecodedFrame.values` with ``centre`` and ``width``.
    ``stretch`` then stretches between two percentiles.
    """

    source: Literal["voi", "hu_window"]
    centre: float | None = None
    width: float | None = None
    stretch: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What the graph wants: ``[N, len(channels), rows, columns]``, each value ``(x - mean) / std`` of x in [0, 1]."""

    rows: int
    columns: int
    channels: tuple[ChannelSpec, ...]
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What the engine was made for; also the routing rule."""

    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    views: tuple[str, ...] = ()
    min_age_years: float | None = None
    max_age_years: float | None = None
    intended_use: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSpec:
    """One finding of an engine.

    Parameters
    ----------
    bias
        The linear layer's bias, in logit units: the part of the logit that no place carries.
    calibration
        ``(slope, intercept)`` of Platt scaling: ``probability = sigmoid(slope * logit + intercept)``.
    threshold
        Operating point on the calibrated probability.
    map_scale
        Evidence (logit units per cell) at the top of the absolute colour scale.
    region_fraction
        A region is where evidence reaches this fraction of its peak, joined to the peak.
    sensitivity, specificity, ppv, test_positives
        Measured on the test part at the operating point; ``None`` where there was nothing to measure.
    """

    key: str
    display: str
    code: Code
    rank: int
    critical: bool
    is_localisable: bool
    expected_regions: tuple[str, ...]
    display_class: DisplayClass
    bias: float
    calibration: tuple[float, float]
    threshold: float
    map_scale: float
    region_fraction: float
    evidence_level: EvidenceLevel
    test_positives: int = 0
    sensitivity: float | None = None
    specificity: float | None = None
    ppv: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """The checked manifest.

    ``zones`` names the vocabulary for places: ``chest``, ``head`` or ``image``. ``method`` says how evidence is made.
    """

    id: str
    title: str
    version: str
    sha256: str
    license: str
    method: str
    population: Population
    input: InputSpec
    findings: tuple[FindingSpec, ...]
    zones: Literal["chest", "head", "image"]
    device_uid: str
    training_summary: str = ""

    def finding(self, key: str) -> FindingSpec:
        """The finding of that key; ``KeyError`` if the engine does not know it."""
        for spec in self.findings:
            if spec.key == key:
                return spec
        raise KeyError(key)
