"""Single studies that were opened to somebody in an emergency."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from radiolucent.store.schema import openings


def put(connection: Connection, name: str, study_key: str, *, now: float, until: float) -> None:
    """Open a study to an account until then; what is over goes."""
    mine = (openings.c.name == name) & (openings.c.study_key == study_key)
    connection.execute(delete(openings).where(mine | (openings.c.until <= now)))
    connection.execute(insert(openings).values(name=name, study_key=study_key, until=until))


def of(connection: Connection, name: str, *, now: float) -> frozenset[str]:
    """Keys of the studies that are open to an account now."""
    rows = connection.execute(select(openings.c.study_key).where(openings.c.name == name, openings.c.until > now))
    return frozenset(row.study_key for row in rows)
