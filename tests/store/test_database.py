"""A database and its transactions: whole or not, and away without a word of what was in it."""

from __future__ import annotations

from pathlib import Path

import postgres_server
import pytest
import store_cases as cases
from sqlalchemy import create_engine, inspect, select, text, update

from radiolucent.errors import PeerUnavailable, SettingsError
from radiolucent.store import hospital, schema, work
from radiolucent.store.database import Database


def test_tables_of_another_version_stop_the_start(url: str) -> None:
    database = Database(url)
    with database.transaction() as connection:
        connection.execute(update(schema.about).values(version=schema.VERSION + 1))
    database.close()
    with pytest.raises(SettingsError, match="database_schema") as error:
        Database(url)
    assert error.value.found == f"tables of version {schema.VERSION + 1}"
    assert error.value.expected == f"version 1 to {schema.VERSION}"


def test_tables_of_the_first_version_are_brought_to_this_one(url: str) -> None:
    """`version_1.sql` is how release 0.3.0 and those after it made them, before studies had a site."""
    older = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with older.begin() as connection:
        for statement in (Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8").split(";\n"):
            connection.execute(text(statement))
        connection.execute(text("INSERT INTO radiolucent_schema (version) VALUES (1)"))
        connection.execute(
            text(
                "INSERT INTO studies (study_key, study_instance_uid, state, revision, priority, attempts,"
                " first_received_at, last_received_at, accession_number, patient_id, issuer, header)"
                " VALUES ('k', '1.2', 'done', 1, 'routine', 0, 1, 1, '', 'p', '', '{}')"
            )
        )
    older.dispose()
    for _start in range(2):
        database = Database(url)
        assert cases.standing(database, "k").site == "main"
        cases.take(database, cases.received(site="north"))
        with database.reading() as connection:
            assert connection.execute(select(schema.about.c.version)).scalars().all() == [schema.VERSION]
            made = inspect(connection)
            assert {name: {column["name"] for column in made.get_columns(name)} for name in schema.metadata.tables} == {
                name: {column.name for column in table.c} for name, table in schema.metadata.tables.items()
            }
        database.close()


def test_a_newer_database_is_left_as_it_is(url: str) -> None:
    newer = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with newer.begin() as connection:
        schema.about.create(connection)
        connection.execute(text(f"INSERT INTO radiolucent_schema (version) VALUES ({schema.VERSION + 1})"))
    with pytest.raises(SettingsError, match="database_schema"):
        Database(url)
    with newer.connect() as connection:
        assert inspect(connection).get_table_names() == ["radiolucent_schema"]
    newer.dispose()


def test_a_second_start_finds_everything(url: str) -> None:
    database = Database(url)
    kept = cases.take(database, cases.received())
    database.close()
    again = Database(url)
    assert cases.standing(again, kept.study_key).study_instance_uid == cases.study_uid()
    again.close()


def test_four_first_starts_at_once_make_one_set_of_tables(url: str) -> None:
    made = cases.together(4, lambda _: Database(url))
    with made[0].reading() as connection:
        assert connection.execute(select(schema.about.c.version)).scalars().all() == [schema.VERSION]
    for database in made:
        database.close()


@pytest.mark.parametrize("address", ["mysql://u:secret-word@h/n", "nonsense", "", "sqlitefoo:///x"])
def test_an_address_of_no_supported_database(address: str) -> None:
    with pytest.raises(SettingsError, match="database_url") as error:
        Database(address)
    assert "secret-word" not in str(error.value)


def test_a_refused_statement_says_nothing_of_its_values(database: Database) -> None:
    with pytest.raises(PeerUnavailable, match="database_unavailable") as error, database.transaction() as connection:
        connection.execute(text("INSERT INTO no_such_table VALUES (:name)"), {"name": cases.PATIENT.name})
    told = [str(error.value), str(error.value.__cause__)]
    assert not [t for t in told if "Marker" in t]


def test_a_transaction_that_raises_keeps_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012
        hospital.put_patient(connection, cases.PATIENT, now=cases.NOW)
        raise ZeroDivisionError
    with database.reading() as connection:
        assert hospital.patient_row(connection, cases.PATIENT) is None


def test_a_reader_does_not_wait_for_a_writer_and_sees_only_what_is_committed(database: Database) -> None:
    with database.transaction() as writing:
        hospital.put_patient(writing, cases.PATIENT, now=cases.NOW)
        with database.reading() as connection:
            assert hospital.patient_row(connection, cases.PATIENT) is None
    with database.reading() as connection:
        assert hospital.patient_row(connection, cases.PATIENT) == cases.PATIENT


def test_writers_that_begin_by_reading_wait_for_one_another(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    def count(_: int) -> None:
        for _step in range(5):
            with database.transaction() as connection:
                database.lock_audit(connection)
                n = connection.execute(text("SELECT n FROM counter")).scalar_one()
                connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    cases.together(6, count)
    with database.reading() as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 30


def test_a_sqlite_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"something else entirely, and long enough to be read" * 100)
    with pytest.raises(PeerUnavailable, match="database_unavailable"):
        Database(f"sqlite:///{tmp_path / 'store.sqlite'}")


def test_sqlite_puts_every_commit_on_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'store.sqlite'}")
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    database.close()


@pytest.mark.peers
def test_postgresql_away_is_told_and_back_is_used() -> None:
    if not postgres_server.is_installed():
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server.running() as server:
        database = Database(server.new_database())
        kept = cases.take(database, cases.received())
        server.stop()
        with pytest.raises(PeerUnavailable, match="database_unavailable") as error:
            cases.take(database, cases.received(2))
        with pytest.raises(PeerUnavailable, match="database_unavailable"):
            cases.standing(database, kept.study_key)
        with pytest.raises(PeerUnavailable, match="database_unavailable"):
            Database(database.url)
        assert "MARKER" not in f"{error.value} {error.value.__cause__}"
        server.start()
        assert cases.take(database, cases.received(2)).outcome == "new"
        with database.reading() as connection:
            assert len(work.sources(connection, kept.study_key)) == 2
        database.close()
