"""From the tables of an older release to those of this one, a step for each version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text, update

from radiolucent.store import schema

OLDEST = 1
STEPS: Mapping[int, Sequence[str]] = {
    2: ("ALTER TABLE studies ADD COLUMN site VARCHAR(64) DEFAULT 'main' NOT NULL",),
}
"""What brings tables to a version from the one before; for SQLite and PostgreSQL alike. New tables need no step."""


def migrate(connection: Connection, *, found: int) -> None:
    """Bring tables of an older version to this one, within the transaction of the connection."""
    for version in range(found + 1, schema.VERSION + 1):
        for statement in STEPS[version]:
            connection.execute(text(statement))
    connection.execute(update(schema.about).values(version=schema.VERSION))
