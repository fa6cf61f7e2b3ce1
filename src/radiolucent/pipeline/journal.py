"""One transaction over store and audit chain: what is done and that it was done are kept together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from radiolucent.audit.log import AuditLog
from radiolucent.records.audit import AuditAction, AuditEvent, AuditOutcome
from radiolucent.store.audit_rows import AuditRows, StoredAudit
from radiolucent.store.database import Database

T = TypeVar("T")
OURSELVES = "radiolucent"


class Entry:
    """An open transaction: the connection, and the pen of the audit log."""

    def __init__(self, rows: AuditRows, log: AuditLog, connection: Connection, now: datetime) -> None:
        self.connection, self.now = connection, now
        self.at = now.timestamp()
        self.rows, self._log = rows, log

    def audit(
        self,
        action: AuditAction,
        *,
        outcome: AuditOutcome = "success",
        actor: str = OURSELVES,
        peer: str = "",
        study_instance_uid: str = "",
        patient_id: str = "",
        **details: object,
    ) -> int:
        """Add an event at the end of the chain; details without a value are left out. Its place in the chain."""
        event = AuditEvent(
            action=action,
            outcome=outcome,
            at=self.now,
            actor=actor,
            peer=peer,
            study_instance_uid=study_instance_uid,
            patient_id=patient_id,
            details={name: str(value) for name, value in details.items() if value not in (None, "")},
        )
        return self._log.append(self.rows, event).sequence


class Journal:
    """The store and the audit chain of an installation."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self.database, self.clock = database, clock
        self.log = AuditLog(StoredAudit(database))

    @contextmanager
    def entry(self) -> Iterator[Entry]:
        """A transaction that may write.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``; nothing of it was kept.
        """
        with self.database.transaction() as connection:
            yield Entry(AuditRows(self.database, connection), self.log, connection, self.clock())

    def gathered(self, work: Callable[[Entry], T]) -> T:
        """As `entry`, with what is done in it as a function; see `Database.gathered`: it may be committed with others'.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``; nothing of it was kept.
        """
        return self.database.gathered(
            lambda connection: work(Entry(AuditRows(self.database, connection), self.log, connection, self.clock()))
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.database.reading() as connection:
            yield connection
