"""What people do with a result: look first, hold a study, decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from radiolucent.records.result import Confidence
from radiolucent.records.study import Assessment, Outcome

ReviewState = Literal[
    "received", "processing", "to_review", "in_review", "decided", "not_processed", "refused", "quarantined"
]
"""Where a study stands for the people who read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRegion:
    """A region as it was drawn: ``(row, column)`` in source pixels on an image of the study's view."""

    image_key: int
    kind: Literal["box", "polygon"]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A finding in a person's words: ``key`` of the vocabulary, or words alone."""

    key: str | None
    display: str
    confidence: Confidence | None
    comment: str
    regions: tuple[DrawnRegion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDecision:
    """What is decided of one engine's finding."""

    engine: str
    key: str
    assessment: Assessment
    reason_code: str | None
    comment: str
    changed: Statement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A decision as it is asked for. ``idempotency_key``: asking again with it changes nothing."""

    idempotency_key: str
    report_id: str
    supersedes: str | None
    is_final: bool
    comment: str
    findings: tuple[FindingDecision, ...]
    added: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRef:
    """A person by sign-in name and by the name that others read."""

    name: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A signed decision; never edited, only superseded.

    Parameters
    ----------
    report_id, revision
        The engines' report that was decided, and the revision that the signed report has.
    second_read
        Whether it supersedes another person's decision.
    audit_sequence
        Its entry in the audit chain.
    """

    decision_id: str
    study_key: str
    report_id: str
    revision: int
    reader: ReaderRef
    signed_at: datetime
    outcome: Outcome
    draft: Draft
    second_read: bool
    audit_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a reader said before the engines' findings were shown."""

    reader: ReaderRef
    report_id: str
    findings: tuple[str, ...]
    is_nothing: bool
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who has a study open, from when, until when."""

    holder: ReaderRef
    since: datetime
    until: datetime
