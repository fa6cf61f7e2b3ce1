"""The log over a real database: what commits is in the chain, what does not is not, whoever writes at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path

import pytest
from audit_cases import AT, event

from radiolucent.audit.chain import verify
from radiolucent.audit.checkpoint import CheckpointFile, read
from radiolucent.audit.key import key_id, open_key
from radiolucent.audit.log import AuditLog
from radiolucent.records.audit import AuditEntry


class Table:
    """The chain in SQLite, by nothing but the two protocols."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as connection:
            connection.execute(
                "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, text TEXT, previous_sha256 TEXT, sha256 TEXT)"
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=60)) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._open() as connection:
            connection.execute("BEGIN")
            transaction = Transaction(connection)
            yield transaction
            connection.execute("COMMIT" if transaction.is_kept else "ROLLBACK")

    def audit_entries(self, *, after: int = 0) -> Iterator[AuditEntry]:
        with self._open() as connection:
            for row in connection.execute("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence", (after,)):
                yield AuditEntry(sequence=row[0], text=row[1], previous_sha256=row[2], sha256=row[3])


class Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.is_kept = connection, True

    def undo(self) -> None:
        self.is_kept = False

    def last_audit_entry(self) -> AuditEntry | None:
        # A write takes SQLite's lock; without it two could read the same end.
        self._connection.execute("DELETE FROM audit WHERE sequence < 0")
        row = self._connection.execute("SELECT * FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
        return row and AuditEntry(sequence=row[0], text=row[1], previous_sha256=row[2], sha256=row[3])

    def add_audit_entry(self, entry: AuditEntry) -> None:
        self._connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?)", astuple(entry))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "audit.sqlite")


def test_events_of_a_transaction_follow_one_another(table: Table) -> None:
    log = AuditLog(table)
    with table.transaction() as transaction:
        first = log.append(transaction, event("start"))
        second = log.append(transaction, event("receive"))
    with table.transaction() as transaction:
        third = log.append(transaction, event("stop", actor="\udc80\x00"))
    assert [e.sequence for e in (first, second, third)] == [1, 2, 3]
    assert list(log.entries()) == [first, second, third]
    assert list(log.entries(after=2)) == [third]
    assert log.verify().verified


def test_what_is_rolled_back_leaves_no_gap(table: Table) -> None:
    log = AuditLog(table)
    with table.transaction() as transaction:
        log.append(transaction, event("start"))
    with table.transaction() as transaction:
        log.append(transaction, event("receive"))
        transaction.undo()
    with table.transaction() as transaction:
        log.append(transaction, event("stop"))
    assert [e.sequence for e in log.entries()] == [1, 2]
    assert log.verify().verified


def test_many_writers_make_one_chain(table: Table) -> None:
    log = AuditLog(table)

    def write(number: int) -> None:
        with table.transaction() as transaction:
            log.append(transaction, event(minutes=number))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(60)))
    result = log.verify()
    assert result.verified
    assert result.entries == 60


def test_checkpoints_are_signed_and_recorded(table: Table, tmp_path: Path) -> None:
    log, key = AuditLog(table), open_key(tmp_path / "audit.key")
    path = tmp_path / "checkpoints.jsonl"
    file = CheckpointFile(path, key)
    with table.transaction() as transaction:
        assert log.checkpoint(transaction, file, at=AT) is None, "nothing to sign"
    for expected in (1, 3):
        with table.transaction() as transaction:
            log.append(transaction, event())
        with table.transaction() as transaction:
            made = log.checkpoint(transaction, file, at=AT)
        assert made is not None
        assert made.sequence == expected
        with table.transaction() as transaction:
            assert log.checkpoint(transaction, file, at=AT) is None, "nothing happened since"
    keys = {key_id(key.public): key.public}
    result = verify(log.entries(), read(path, keys))
    assert result.verified
    assert (result.checkpoints, result.anchored_to, result.entries) == (2, 3, 4)
    assert result.unseen_files == ()


def test_a_crash_between_the_line_and_its_record_is_sound(table: Table, tmp_path: Path) -> None:
    log, key = AuditLog(table), open_key(tmp_path / "audit.key")
    file = CheckpointFile(tmp_path / "checkpoints.jsonl", key)
    with table.transaction() as transaction:
        log.append(transaction, event())
    with table.transaction() as transaction:
        assert log.checkpoint(transaction, file, at=AT) is not None
        transaction.undo()
    keys = {key_id(key.public): key.public}
    assert log.verify(read(tmp_path / "checkpoints.jsonl", keys)).verified
    with table.transaction() as transaction:
        assert log.checkpoint(transaction, file, at=AT) is None
        log.append(transaction, event())
    with table.transaction() as transaction:
        assert log.checkpoint(transaction, file, at=AT) is not None
    assert log.verify(read(tmp_path / "checkpoints.jsonl", keys)).verified


def test_an_altered_row_is_found(table: Table, tmp_path: Path) -> None:
    log = AuditLog(table)
    for minute in range(3):
        with table.transaction() as transaction:
            log.append(transaction, event(minutes=minute))
    with closing(sqlite3.connect(tmp_path / "audit.sqlite")) as connection, connection:
        connection.execute("UPDATE audit SET text = replace(text, 'PAT-1', 'PAT-2') WHERE sequence = 2")
    assert [(p.kind, p.sequence) for p in log.verify().problems] == [("edited", 2)]


def test_a_chain_that_grows_while_it_is_read(table: Table, tmp_path: Path) -> None:
    log, key = AuditLog(table), open_key(tmp_path / "audit.key")
    path = tmp_path / "checkpoints.jsonl"

    def grow() -> None:
        with table.transaction() as transaction:
            log.append(transaction, event())
        with table.transaction() as transaction:
            assert log.checkpoint(transaction, CheckpointFile(path, key), at=AT) is not None

    def read_early() -> Iterator[AuditEntry]:
        yield from log.entries()
        grow()

    def read_late() -> Iterator[AuditEntry]:
        grow()
        yield from log.entries()

    grow()
    for entries in (read_early, read_late, read_early):
        result = verify(entries(), read(path, {key_id(key.public): key.public}))
        assert result.verified, result.problems
        assert result.unseen_files == ()
