"""The audit chain in the store: one line, however many write."""

from __future__ import annotations

import audit_cases
import pytest
import store_cases as cases

from radiolucent.audit.log import AuditLog
from radiolucent.store import audit_rows
from radiolucent.store.audit_rows import AuditRows, StoredAudit
from radiolucent.store.database import Database


def append(database: Database, minutes: int) -> None:
    with database.transaction() as connection:
        AuditLog(StoredAudit(database)).append(
            AuditRows(database, connection), audit_cases.event(minutes=minutes, details={"é": "日本"})
        )


def test_eight_threads_make_one_chain_that_holds(database: Database) -> None:
    def write(number: int) -> None:
        for step in range(5):
            append(database, 10 * number + step)

    cases.together(8, write)
    found = AuditLog(StoredAudit(database)).verify()
    assert (found.verified, found.entries, found.last_sequence) == (True, 40, 40)


def test_two_processes_with_a_database_each_make_one_chain(database: Database) -> None:
    others = [Database(database.url), Database(database.url)]

    def write(number: int) -> None:
        for step in range(5):
            append(others[number], step)

    cases.together(2, write)
    for other in others:
        other.close()
    found = AuditLog(StoredAudit(database)).verify()
    assert (found.verified, found.entries) == (True, 10)


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    append(database, 1)
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012
        rows = AuditRows(database, connection)
        log = AuditLog(StoredAudit(database))
        assert log.append(rows, audit_cases.event(minutes=2)).sequence == 2
        assert log.append(rows, audit_cases.event(minutes=3)).sequence == 3
        raise ZeroDivisionError
    append(database, 4)
    assert [entry.sequence for entry in StoredAudit(database).audit_entries()] == [1, 2]
    assert AuditLog(StoredAudit(database)).verify().verified


def test_entries_come_page_by_page_from_any_place(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_rows, "PAGE", 2)
    for minutes in range(5):
        append(database, minutes)
    stored = StoredAudit(database)
    assert [entry.sequence for entry in stored.audit_entries()] == [1, 2, 3, 4, 5]
    assert [entry.sequence for entry in stored.audit_entries(after=3)] == [4, 5]
    assert [entry.sequence for entry in stored.audit_entries(after=5)] == []


def test_a_changed_row_is_found(database: Database) -> None:
    for minutes in range(3):
        append(database, minutes)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit SET text = replace(text, 'CT_ONE', 'CT_TWO') WHERE sequence = 2")
    found = AuditLog(StoredAudit(database)).verify()
    assert [(p.kind, p.sequence) for p in found.problems] == [("edited", 2)]
