"""A database and its transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from radiolucent.errors import PeerUnavailable, SettingsError
from radiolucent.store import migrations, schema
from radiolucent.store.gathered import Gathered

T = TypeVar("T")
AUDIT_LOCK = 0x7261_6469
"""Key of the advisory lock under which the audit chain grows (PostgreSQL)."""

BUSY_S = 30.0


class Database:
    """One database; transactions are serial within a process on SQLite.

    Raises
    ------
    SettingsError
        ``database_url`` for an address that names no supported database, ``database_schema`` for tables of another
        version.
    PeerUnavailable
        ``database_unavailable``.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.url = url
        self.engine = _engine(url, is_sqlite=self.is_sqlite)
        self._writing = threading.RLock()
        self._gathered = Gathered(self.transaction)
        try:
            self._prepare()
        except BaseException:
            self.engine.dispose()
            raise

    def _prepare(self) -> None:
        try:
            with self.engine.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})
                schema.about.create(connection, checkfirst=True)
                found = connection.execute(select(func.max(schema.about.c.version))).scalar()
                if found is not None and not migrations.OLDEST <= found <= schema.VERSION:
                    raise _of_another_release(found)
                schema.metadata.create_all(connection)
                if found is None:
                    connection.execute(insert(schema.about).values(version=schema.VERSION))
                elif found < schema.VERSION:
                    migrations.migrate(connection, found=found)
        except SQLAlchemyError as error:
            raise _unavailable() from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction that may write; committed (and on disk) when the block ends, rolled back if it raises.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``.
        """
        with self._writing if self.is_sqlite else _nothing():
            try:
                with self.engine.begin() as connection:
                    yield connection
            except SQLAlchemyError as error:
                raise _unavailable() from error

    def gathered(self, work: Callable[[Connection], T]) -> T:
        """Do work that may write, and give back what it does once that is committed, as in `transaction`.

        Work that several threads bring at the same time is committed together: one flush of the disk for all of them.
        Each is done as if it were alone, in the order in which it came; it may be done again, so it must do nothing
        but read and write this database. On PostgreSQL each has its own transaction, because one that holds the locks
        of several would wait for other processes that wait for it.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``; nothing of it was kept.
        """
        if self.is_sqlite:
            return self._gathered.do(work)
        with self.transaction() as connection:
            return work(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that only reads.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``.
        """
        try:
            with self.engine.connect().execution_options(radiolucent_reads=True) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _unavailable() from error

    def lock_audit(self, connection: Connection) -> None:
        """Hold the end of the audit chain until this transaction is over."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _engine(url: str, *, is_sqlite: bool) -> Engine:
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError(
            "database_url",
            found="an address of no supported database",
            expected="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
            action="Mend database_url in the settings file.",
        )
    if not is_sqlite:
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S}, hide_parameters=True)
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begins)
    return engine


def _sqlite_connected(connection: object, _entry: ConnectionPoolEntry) -> None:
    """Write-ahead log, every commit on disk, and our own BEGIN instead of the driver's."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    for row in ("busy_timeout = 30000", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {row}")  # type: ignore[attr-defined]
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[attr-defined]
        except sqlite3.OperationalError:  # of two first starts one may be told at once, not after the busy time
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _sqlite_begins(connection: Connection) -> None:
    """Take the write lock at once: a transaction that starts by reading must not fail when it comes to write."""
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("radiolucent_reads") else "BEGIN IMMEDIATE")


def _of_another_release(found: int) -> SettingsError:
    return SettingsError(
        "database_schema",
        found=f"tables of version {found}",
        expected=f"version {migrations.OLDEST} to {schema.VERSION}",
        action="Run the release that made this database, or restore a backup of this release.",
    )


def _unavailable() -> PeerUnavailable:
    return PeerUnavailable(
        "database_unavailable",
        found="a database that does not answer or refused the statement",
        expected="a database that takes the transaction",
        action="Nothing was kept; it is tried again. Check the database.",
    )


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; ``None`` for one on a server or in memory, or where this is no address."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if is_file else None
