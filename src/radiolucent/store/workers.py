"""Which processes are alive, so that the work of a dead one is handed over."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from radiolucent.store.schema import workers


def beat(connection: Connection, worker_id: str, *, now: float, started_at: float) -> None:
    """A process says that it is alive."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = make(workers).values(worker_id=worker_id, seen_at=now, started_at=started_at)
    connection.execute(
        row.on_conflict_do_update(index_elements=[workers.c.worker_id], set_={"seen_at": now, "started_at": started_at})
    )


def dead(connection: Connection, *, now: float, silent_s: float) -> list[str]:
    """Processes that were not seen for a while."""
    rows = connection.execute(select(workers.c.worker_id).where(workers.c.seen_at < now - silent_s))
    return [row.worker_id for row in rows]


def bury(connection: Connection, worker_id: str) -> None:
    """Forget a process: it said goodbye, or its work was handed over."""
    connection.execute(delete(workers).where(workers.c.worker_id == worker_id))


def alive(connection: Connection, *, now: float, silent_s: float) -> list[tuple[str, float]]:
    """Living processes and when they were last seen."""
    rows = connection.execute(select(workers.c.worker_id, workers.c.seen_at).where(workers.c.seen_at >= now - silent_s))
    return [(row.worker_id, row.seen_at) for row in rows]
