"""Where a study stands for its readers, and which comes first."""

from __future__ import annotations

from dataclasses import dataclass

from radiolucent.records.decision import ReviewState

ORDER: tuple[ReviewState, ...] = (
    *("in_review", "to_review", "refused", "not_processed", "quarantined", "processing", "received", "decided"),
)
NEEDS_SOMEBODY: frozenset[ReviewState] = frozenset({"to_review", "in_review"})
"""States in which a study waits for a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the store knows of a study.

    Parameters
    ----------
    state, status
        Of the study (`store.schema.studies`); ``status`` is of its last result.
    is_decided
        Whether its last result was decided.
    is_held
        Whether a lease on it runs.
    """

    state: str
    status: str | None
    is_decided: bool
    is_held: bool


def review_state(standing: Standing) -> ReviewState:
    """The state that people see.

    A result that was taken back is no result: the study is not processed until it is read again.
    """
    if standing.state == "receiving":
        return "received"
    if standing.state in ("ready", "processing"):
        return "processing"
    if standing.state == "quarantined":
        return "quarantined"
    if standing.state == "unrouted":
        return "not_processed"
    if standing.is_decided and standing.status != "retracted":
        return "decided"
    if standing.status == "refused":
        return "refused"
    if standing.status in ("positive", "nothing_found"):
        return "in_review" if standing.is_held else "to_review"
    return "not_processed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """What decides about the place in the worklist; ``rank`` is the engine's, 1 is most critical."""

    state: ReviewState
    is_alert: bool
    is_critical: bool
    is_stat: bool
    rank: int | None
    since: float


def place(urgency: Urgency) -> tuple[int, int, int, int, int, float]:
    """The key to sort by: what waits for a reader first, alerts, critical ones, STAT, by rank, longest waiting."""
    waits = urgency.state in NEEDS_SOMEBODY
    group = 0 if waits else 1 + ORDER.index(urgency.state)
    return (
        group,
        0 if urgency.is_alert else 1,
        0 if urgency.is_critical else 1,
        0 if urgency.is_stat else 1,
        0 if urgency.rank is None else urgency.rank if (urgency.is_alert or urgency.is_critical) else 0,
        urgency.since if waits or urgency.state != "decided" else -urgency.since,
    )


def without_result(urgency: Urgency) -> Urgency:
    """The same without anything that the engines said, for whoever must read first."""
    return Urgency(
        state=urgency.state, is_alert=False, is_critical=False, is_stat=urgency.is_stat, rank=None, since=urgency.since
    )
