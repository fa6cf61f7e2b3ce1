"""How far a score can be trusted, in three words and with reasons.

The word starts from the calibrated probability: of calls with "high", at least four in five should be right, with
"moderate" at least one in two. Everything that speaks against the call can only lower it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radiolucent.records.engine import Anatomy, EvidenceLevel, FindingSpec
from radiolucent.records.result import Confidence, Explanation

ORDER: tuple[Confidence, ...] = ("low", "moderate", "high")
HIGH, MODERATE = 0.8, 0.5
IN_THE_REGION, CHECK = " of the evidence lies in the expected region", "Check for an artefact"
CONCENTRATED, IN_PLACE, MOSTLY_IN_PLACE = 0.35, 0.5, 0.75
NAMED = 0.3
FAINT = 0.3
"""Below this share of `FindingSpec.map_scale` (90th percentile of the peaks of validation positives) a score is the sum
of many small things. On validation of the brain engine such calls were right less often at the same probability: 23 of
27 against 27 of 27 for tumor between 0.8 and 0.95."""
SILENT = frozenset({"view_not_stated", "age_not_stated"})


@dataclass(slots=True)
class Trust:
    """A word that reasons can only lower."""

    level: int
    reasons: list[str]
    flags: list[str] = field(default_factory=list)

    def lower(self, cap: int, reason: str, flag: str | None = None) -> None:
        """At most ``cap`` from now on (0 low, 1 moderate, 2 high)."""
        self.level = min(self.level, cap)
        self.reasons.append(reason)
        if flag is not None:
            self.flags.append(flag)

    @property
    def word(self) -> Confidence:
        """The word."""
        return ORDER[self.level]


def is_plain(reason: str) -> bool:
    """Whether a reason of this room only says how things are; every other one calls for care."""
    is_in_place = IN_THE_REGION in reason and CHECK not in reason
    return reason.startswith("probability ") or is_in_place


def from_probability(probability: float, threshold: float, *, positive: bool) -> Trust:
    """Where the word starts, from a calibrated probability."""
    if positive:
        level = 2 if probability >= HIGH else 1 if probability >= MODERATE else 0
        return Trust(level, [f"probability {probability:.2f}, threshold {threshold:.2f}"])
    share = (threshold - probability) / threshold
    level = 2 if share >= 0.5 and probability < 1 - HIGH else 1 if share >= 0.2 else 0
    return Trust(max(level, 0), [f"probability {probability:.2f}, threshold {threshold:.2f}"])


def weigh_evidence_level(trust: Trust, level: EvidenceLevel, positives: int, *, over: bool) -> None:
    """Thin or missing test evidence."""
    if level == "untested":
        trust.lower(0, "this engine's figures were not measured here (engines evaluate)", "not_validated_here")
    elif level == "limited":
        trust.lower(1, f"tested on few positive cases ({positives} images): limited evidence")
    elif level == "insufficient":
        trust.lower(
            0,
            f"too few positive cases in the test ({positives} images), or no better than chance: insufficient evidence",
            "insufficient_test_data",
        )
        if over:
            trust.reasons.append("over its threshold, but not called: its test does not allow it")


def weigh_uncertainty(trust: Trust, spec: FindingSpec, probability: float) -> None:
    """The conformal band between the two answers."""
    if spec.uncertain is not None and spec.uncertain[0] <= probability <= spec.uncertain[1]:
        low, high = spec.uncertain
        trust.lower(0, f"between {low:.2f} and {high:.2f} both answers remain possible (conformal, 10 %)", "uncertain")


def weigh_map(trust: Trust, spec: FindingSpec, explanation: Explanation, share: float, anatomy: Anatomy | None) -> None:
    """What the map of a positive finding says; ``share``: positive evidence inside the marked region."""
    if float(explanation.map[explanation.peak_row_col]) <= 0.0:
        reason = "no place in the image speaks for it: its evidence is negative everywhere"
        trust.lower(0, reason, "no_positive_evidence")
        return
    strength = float(explanation.map[explanation.peak_row_col]) / spec.map_scale
    if strength < FAINT and spec.evidence_level != "untested":
        reason = f"a faint map: its strongest place has {strength:.0%} of what is usual for this finding"
        trust.lower(1, reason, "faint_evidence")
    if spec.is_localisable and share < CONCENTRATED:
        trust.lower(1, f"the map is scattered: {share:.0%} of the evidence lies in the marked region")
    inside = explanation.in_expected_region
    where = _where(spec, explanation)
    if inside is None:
        expected = anatomy is not None and bool(spec.expected_regions)
        reason = "the expected region was not found in this image" if expected else "this engine draws no region for it"
        trust.lower(1 if expected else trust.level, f"agreement with anatomy was not checked: {reason}")
    elif inside < IN_PLACE:
        trust.lower(0, f"{where}; expected: {_expected(spec)}. {CHECK}", "outside_expected_region")
    else:
        trust.lower(2 if inside >= MOSTLY_IN_PLACE else 1, where)
    if explanation.marker_under_peak:
        trust.lower(0, "a marker, letter or piece of metal seems to lie under the peak", "marker_under_peak")
    if spec.map_status == "not_validated":
        trust.lower(1, "its map is not shown: on test it pointed no better than a position prior", "map_not_validated")
    elif spec.map_status == "unmeasured" and spec.is_localisable:
        trust.reasons.append("where this finding's map points was not measured")


def weigh_flags(trust: Trust, flags: tuple[str, ...]) -> None:
    """Flags that hold for the whole image.

    A header's silence is told but lowers nothing: the words were measured on pictures that state neither age nor view.
    """
    silent = [flag for flag in flags if flag in SILENT]
    told = [flag for flag in flags if flag not in SILENT]
    if told:
        grave = "unlike_training" in told or any(flag.startswith("looks_") for flag in told)
        trust.lower(0 if grave else 1, f"outside what the engine was made for: {_named(told)}")
    if silent:
        trust.reasons.append(f"not known to be of the engine's population: {_named(silent)}")


def _named(flags: list[str]) -> str:
    return ", ".join(flag.replace("_", " ") for flag in flags)


def _expected(spec: FindingSpec) -> str:
    return " or ".join(word.replace("_", " ") for word in spec.expected_regions)


def _where(spec: FindingSpec, explanation: Explanation) -> str:
    """``88 % of the evidence lies in the expected region (lung): left lung 80 %, right lung 8 %; ...``."""
    inside = explanation.in_expected_region or 0.0
    words = f"{inside:.0%}{IN_THE_REGION} ({_expected(spec)})"
    most = sorted(explanation.region_shares.items(), key=lambda item: -item[1])
    named = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in most if share >= NAMED][:2]
    if named and set(explanation.region_shares) != set(spec.expected_regions):
        words += ": " + ", ".join(named)
    return words + (f"; peak in the {explanation.zone}" if spec.is_localisable else "")
