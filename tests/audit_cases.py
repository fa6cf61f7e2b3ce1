"""Events and chains for the audit tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import strategies as st

from radiolucent.audit.canonical import GENESIS, link
from radiolucent.audit.checkpoint import Checkpoint
from radiolucent.records.audit import AuditAction, AuditEntry, AuditEvent, AuditOutcome

AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
ACTIONS: tuple[AuditAction, ...] = get_args(AuditAction)
OUTCOMES: tuple[AuditOutcome, ...] = get_args(AuditOutcome)
STUDY = "1.2.826.0.1.3680043.8.498.1"


def event(action: AuditAction = "receive", *, minutes: int = 0, **fields: object) -> AuditEvent:
    given: dict[str, object] = {
        "action": action,
        "outcome": "success",
        "at": AT + timedelta(minutes=minutes),
        "actor": "CT_ONE",
        "peer": "10.0.0.7:49152",
        "study_instance_uid": STUDY,
        "patient_id": "PAT-1",
        "details": {"images": "3"},
    }
    return AuditEvent(**{**given, **fields})  # type: ignore[arg-type]


def chain(events: Iterable[AuditEvent], after: AuditEntry | None = None) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for one in events:
        after = link(after, one)
        entries.append(after)
    return entries


def plain_chain(length: int) -> list[AuditEntry]:
    return chain(event(minutes=i) for i in range(length))


def anchors(entries: Sequence[AuditEntry]) -> Iterator[Checkpoint]:
    """Checkpoints, as the reader yields them once their signatures hold."""
    for number, entry in enumerate(entries, start=1):
        yield Checkpoint(
            number=number,
            sequence=entry.sequence,
            sha256=entry.sha256,
            at="2026-03-04T05:06:07.000000Z",
            file="f00d",
            previous=GENESIS,
            key_id="k",
            signature="s",
        )


# Any text that a header, a message or a user may bring: also control characters and lone surrogates.
texts = st.text(st.characters(exclude_categories=()), max_size=12).map(
    lambda t: t.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
events = st.builds(
    AuditEvent,
    action=st.sampled_from(ACTIONS),
    outcome=st.sampled_from(OUTCOMES),
    at=st.datetimes(
        min_value=datetime(1, 1, 3),
        max_value=datetime(9999, 12, 29),
        timezones=st.timezones() | st.just(UTC),
        allow_imaginary=False,
    ),
    actor=texts,
    peer=texts,
    study_instance_uid=texts,
    patient_id=texts,
    details=st.dictionaries(texts, texts, max_size=4),
)
