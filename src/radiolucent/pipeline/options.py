"""What a run was asked for, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from radiolucent.records.result import Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run was asked for.

    Parameters
    ----------
    engine
        Engine id, or ``None`` to choose by DICOM attributes. Pictures need one.
    maps
        Whose evidence is written: ``positive`` findings, ``all``, or ``none``.
    guards
        ``refuse`` images outside the engine's population, or read and ``flag`` them.
    age_years, sex
        Used where the image says nothing (pictures) or says otherwise: what is given here wins.
    with_pages
        Write what a person opens from the folder: overlay pictures, ``report.html``, ``index.html``.
    issue
        How often results of the study were taken back before; each issue has UIDs of its own.
    """

    out: Path
    engine: str | None = None
    with_dicom: bool = True
    with_pages: bool = True
    maps: Literal["positive", "all", "none"] = "positive"
    guards: Literal["refuse", "flag"] = "refuse"
    age_years: float | None = None
    sex: str | None = None
    colour_map: str = "ember"
    fractional_seg: bool = False
    batch: int = 4
    issue: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One image done: what a table or a line of JSON shows. Small, so that a long run stays flat in memory."""

    label: str
    folder: str
    status: Literal["processed", "refused", "repeated"]
    engine: str | None
    primary: str | None
    probability: float | None
    confidence: Confidence | None
    positives: int
    reason_code: str | None
    reason_text: str | None
    milliseconds: float


@dataclass(slots=True, kw_only=True)
class Summary:
    """Counts of a run."""

    processed: int = 0
    refused: int = 0
    repeated: int = 0
    series: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.status == "processed":
            self.processed += 1
        elif outcome.status == "repeated":
            self.repeated += 1
        else:
            self.refused += 1
            code = outcome.reason_code or "unknown"
            self.reasons[code] = self.reasons.get(code, 0) + 1
