"""Which processes are alive, so that the work of a dead one is handed over and no two go by one name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radiolucent.store.schema import workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The last that was heard of a process; ``started_at`` tells it from another of its name."""

    seen_at: float
    started_at: float


def enter(connection: Connection, worker_id: str, beat: Beat) -> bool:
    """Put a process on the list; no if its name is there already."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = make(workers).values(worker_id=worker_id, seen_at=beat.seen_at, started_at=beat.started_at)
    made = row.on_conflict_do_nothing().returning(workers.c.worker_id)
    return connection.execute(made).first() is not None


def take_over(connection: Connection, worker_id: str, beat: Beat, *, last: Beat) -> bool:
    """Take a name from a process of which ``last`` was the last that was heard; no if more was heard meanwhile."""
    same = (workers.c.seen_at == last.seen_at) & (workers.c.started_at == last.started_at)
    return _change(connection, worker_id, beat, same)


def beat(connection: Connection, worker_id: str, beat: Beat) -> bool:
    """A process says that it is alive; no if another has its name, or nobody."""
    return _change(connection, worker_id, beat, workers.c.started_at == beat.started_at)


def _change(connection: Connection, worker_id: str, beat: Beat, condition: object) -> bool:
    changes = {"seen_at": beat.seen_at, "started_at": beat.started_at}
    row = update(workers).where(workers.c.worker_id == worker_id, condition)  # type: ignore[arg-type]
    return connection.execute(row.values(changes)).rowcount == 1


def beats(connection: Connection) -> dict[str, Beat]:
    """The last that was heard of every process."""
    rows = connection.execute(select(workers))
    return {row.worker_id: Beat(seen_at=row.seen_at, started_at=row.started_at) for row in rows}


def bury(connection: Connection, worker_id: str, *, started_at: float) -> bool:
    """Forget a process: it said goodbye, or is dead; no if another has its name."""
    here = (workers.c.worker_id == worker_id) & (workers.c.started_at == started_at)
    return connection.execute(delete(workers).where(here)).rowcount == 1


def alive(connection: Connection, *, now: float, silent_s: float) -> list[str]:
    """Processes that were seen a moment ago."""
    return sorted(
        row.worker_id
        for row in connection.execute(select(workers.c.worker_id).where(workers.c.seen_at >= now - silent_s))
    )
