"""An engine as the rest of the house knows it: the checked manifest, without the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EvidenceLevel = Literal["adequate", "limited", "insufficient", "untested"]
DisplayClass = Literal["locate", "notify-only"]
MapStatus = Literal["validated", "not_validated", "unmeasured"]
GuardAction = Literal["refuse", "flag"]
Rule = Literal["cardiothoracic_ratio", "mediastinal_width", "tension", "acute_edema", "traumatic"]


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
class OperatingPoint:
    """A threshold on the calibrated probability, chosen on validation, with what it gave on test (None: not known)."""

    name: str
    threshold: float
    sensitivity: float | None = None
    specificity: float | None = None
    ppv: float | None = None


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
    evidence_level
        By positive patients in the test part; ``untested`` for an engine whose figures were not measured here.
    map_status
        Whether the map's peak beat the position prior on test (``engines evaluate``); ``unmeasured`` without places.
    operating_points
        Further thresholds that a site may choose.
    uncertain
        ``(low, high)`` probability between which both answers stay in the conformal prediction set, or ``None``.
    sensitivity, specificity, ppv, auc, hit_rate, test_positives
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
    auc: float | None = None
    hit_rate: float | None = None
    map_status: MapStatus = "unmeasured"
    operating_points: tuple[OperatingPoint, ...] = ()
    uncertain: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedSpec:
    """A finding computed by a stated rule from trained findings and anatomy (`judge.derived`).

    Parameters
    ----------
    base
        Key of the trained finding whose map stands for this one, or ``None`` where there is no map.
    calibration
        ``(slope, intercept)``: ``probability = sigmoid(slope * measure + intercept)`` for rules that measure.
    threshold
        Operating point on that probability.
    """

    key: str
    display: str
    code: Code
    rank: int
    critical: bool
    rule: Rule
    base: str | None
    calibration: tuple[float, float]
    threshold: float
    evidence_level: EvidenceLevel
    test_positives: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentGuard:
    """One column of the graph's ``guards`` output: a probability that the picture is not what the engine reads.

    ``found`` and ``expected`` are the words of the refusal or of the flag's reason.
    """

    name: str
    threshold: float
    action: GuardAction
    found: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Regions of the ``anatomy`` output, in channel order, and the words findings use for them.

    ``margin`` widens an expected region by this many cells of the region grid.
    """

    regions: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    margin: int

    def members(self, words: tuple[str, ...]) -> tuple[int, ...]:
        """Channels that some expected words stand for; empty when none is known."""
        names = {name for word in words for name in self.groups.get(word, (word,))}
        return tuple(i for i, region in enumerate(self.regions) if region in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """The checked manifest.

    ``zones`` names the vocabulary for places: ``chest``, ``head`` or ``image``. ``method`` says how evidence is made.
    ``novelty_limit`` bounds the graph's ``novelty`` output (squared Mahalanobis distance of the embedding from the
    training set); over it an image is unlike anything the engine has learned from. ``exclusive`` are keys of
    findings of which at most one is right.
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
    anatomy: Anatomy | None = None
    derived: tuple[DerivedSpec, ...] = ()
    content_guards: tuple[ContentGuard, ...] = ()
    novelty_limit: float | None = None
    exclusive: tuple[str, ...] = ()

    def finding(self, key: str) -> FindingSpec:
        """The finding of that key; ``KeyError`` if the engine does not know it."""
        for spec in self.findings:
            if spec.key == key:
                return spec
        raise KeyError(key)
