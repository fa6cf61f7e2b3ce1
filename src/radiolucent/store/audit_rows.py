"""The audit chain's table: rows are added at its end and never touched again."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, insert, select

from radiolucent.records.audit import AuditEntry
from radiolucent.store.database import Database
from radiolucent.store.schema import audit

PAGE = 1000
LAST = select(audit).order_by(audit.c.sequence.desc()).limit(1)
ADD = insert(audit)
AFTER = select(audit).where(audit.c.sequence > bindparam("after")).order_by(audit.c.sequence).limit(PAGE)


class AuditRows:
    """The end of the chain within one transaction, locked until it is over."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database, self._connection, self._is_locked = database, connection, False

    def last_audit_entry(self) -> AuditEntry | None:
        """The last entry; nobody else can add one before this transaction is over."""
        if not self._is_locked:
            self._database.lock_audit(self._connection)
            self._is_locked = True
        row = self._connection.execute(LAST).first()
        return None if row is None else AuditEntry(**row._mapping)

    def add_audit_entry(self, entry: AuditEntry) -> None:
        """Add an entry at the end."""
        self._connection.execute(
            ADD,
            {
                "sequence": entry.sequence,
                "text": entry.text,
                "previous_sha256": entry.previous_sha256,
                "sha256": entry.sha256,
            },
        )


class StoredAudit:
    """The chain as it is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def audit_entries(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """All entries with a sequence above ``after``, in order, page by page."""
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(AFTER, {"after": after}).all()
            for row in rows:
                yield AuditEntry(**row._mapping)
            if len(rows) < PAGE:
                return
            after = rows[-1].sequence
