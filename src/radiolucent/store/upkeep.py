"""Looking after the store: what is stuck, what is old, how long things have waited."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, or_, select, update

from radiolucent.records.study import Priority
from radiolucent.store.schema import deliveries, instances, messages, results, studies

PENDING = ("ready", "processing")
SKEW_S = 60.0
"""By how much the clocks of an installation's machines may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A study that is to be read: ``claimed_by`` is the workflow that has it, once it is in work."""

    study_key: str
    revision: int
    priority: Priority
    state: str
    claimed_by: str | None
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A stored file whose time is over."""

    sop_instance_uid: str
    path: str


def pending(connection: Connection) -> list[Pending]:
    """Studies that wait for a workflow or are in one's hands."""
    columns = [studies.c[name] for name in Pending.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(studies.c.state.in_(PENDING)))
    return [Pending(**row._mapping) for row in rows]


def release(connection: Connection, failed: Pending, *, quarantine: bool) -> bool:
    """Give a study whose workflow failed back to the queue under a new revision, or set it aside."""
    changes: dict[str, object] = {"state": "quarantined", "code": "workflow_failed"}
    if not quarantine:
        changes = {"state": "ready", "claimed_by": None, "revision": failed.revision + 1}
    done = connection.execute(
        update(studies)
        .where(
            studies.c.study_key == failed.study_key,
            studies.c.revision == failed.revision,
            studies.c.state == failed.state,
        )
        .values(changes | {"attempts": failed.attempts + 1})
    )
    return done.rowcount == 1


def shorten_waits(connection: Connection, *, now: float, quiet_s: float, longest_wait_s: float) -> int:
    """Let nothing wait much longer than it is ever told to wait; how many studies and deliveries would have."""
    latest, furthest = now + quiet_s + SKEW_S, now + longest_wait_s + SKEW_S
    late = update(studies).where(studies.c.state == "receiving", studies.c.due_at > latest)
    far = update(deliveries).where(deliveries.c.state == "waiting", deliveries.c.next_at > furthest)
    count = connection.execute(late.values(due_at=now + quiet_s)).rowcount
    return count + connection.execute(far.values(next_at=now)).rowcount


def oldest_waiting(connection: Connection) -> float | None:
    """When the oldest study that is not read yet was complete (by its last image)."""
    found = select(func.min(studies.c.last_received_at)).where(studies.c.state.in_(PENDING))
    return connection.execute(found).scalar()


def old_files(connection: Connection, *, role: str, before: float, limit: int = 1000) -> list[Old]:
    """Files that came before a time, of studies that were finished before it; nothing that waits to be sent."""
    busy = select(deliveries.c.study_key).where(deliveries.c.state == "waiting")
    rows = connection.execute(
        select(instances.c.sop_instance_uid, instances.c.path)
        .join(studies, studies.c.study_key == instances.c.study_key)
        .where(
            instances.c.role == role,
            instances.c.path != "",
            instances.c.received_at < before,
            studies.c.state.in_(["done", "unrouted"]),
            or_(studies.c.done_at < before, studies.c.done_at.is_(None) & (studies.c.last_received_at < before)),
            studies.c.study_key.not_in(busy),
        )
        .limit(limit)
    )
    return [Old(sop_instance_uid=row.sop_instance_uid, path=row.path) for row in rows]


def forget_files(connection: Connection, old: list[Old]) -> None:
    """Note that files are gone. The rows stay: a study that comes again must be known again."""
    uids = [row.sop_instance_uid for row in old]
    connection.execute(update(instances).where(instances.c.sop_instance_uid.in_(uids)).values(path=""))


def forget_messages(connection: Connection, *, before: float) -> int:
    """Forget answers to HL7 messages that nobody repeats any more."""
    return connection.execute(delete(messages).where(messages.c.received_at < before)).rowcount


def recent(connection: Connection, *, limit: int) -> list[dict[str, object]]:
    """The studies last heard of: key, state, status, code, priority, rule, times; no word of a patient."""
    names = ("study_key", "state", "status", "code", "revision", "priority", "rule", "attempts")
    columns = [studies.c[n] for n in (*names, "last_received_at", "done_at")]
    rows = connection.execute(select(*columns).order_by(studies.c.last_received_at.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]


def report_count(connection: Connection) -> int:
    """How many reports are kept."""
    return int(connection.execute(select(func.count()).select_from(results)).scalar_one())
