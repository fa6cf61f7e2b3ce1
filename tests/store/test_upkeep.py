"""What is old is cleared away; what is known, in work or waiting to be sent is not."""

from __future__ import annotations

import pytest
import store_cases as cases

from radiolucent.records.received import Kept
from radiolucent.store import archive, intake, outbox, upkeep, work, workers
from radiolucent.store.database import Database
from radiolucent.store.workers import Beat

LATER = cases.NOW + 1000


def finished(database: Database, number: int, *, now: float, is_sent: bool = True) -> work.Job:
    job = cases.in_work(database, number)
    made = [cases.object_row(1, study=number)]
    assert cases.record(database, job, study=number, objects=made, now=now)
    if is_sent:
        with database.transaction() as connection:
            (delivery,) = outbox.of_study(connection, job.study_key)
            outbox.settle(connection, delivery, state="sent", now=now)
    return job


def old(database: Database, role: str, *, before: float = LATER) -> set[str]:
    with database.reading() as connection:
        return {row.sop_instance_uid for row in upkeep.old_files(connection, role=role, before=before)}


def test_only_files_of_studies_finished_before_the_time_are_old(database: Database) -> None:
    finished(database, 1, now=LATER - 1)
    finished(database, 2, now=LATER + 1)
    assert old(database, "source") == {cases.received(study=1).sop_instance_uid}
    assert old(database, "result") == {cases.object_row(1, study=1).sop_instance_uid}


def test_nothing_that_waits_to_be_sent_is_old(database: Database) -> None:
    finished(database, 1, now=cases.NOW, is_sent=False)
    assert old(database, "source") == old(database, "result") == set()


@pytest.mark.parametrize(("state", "is_old"), [("unrouted", True), ("quarantined", False), ("processing", False)])
def test_unread_studies_are_old_by_their_last_image(database: Database, state: str, is_old: bool) -> None:
    job = cases.in_work(database)
    with database.transaction() as connection:
        assert work.move(connection, job, to=state)
    assert bool(old(database, "source", before=cases.NOW + 1)) == is_old
    assert not old(database, "source", before=cases.NOW)


def test_a_cleared_image_is_known_but_not_offered(database: Database) -> None:
    job = finished(database, 1, now=cases.NOW)
    with database.transaction() as connection:
        rows = upkeep.old_files(connection, role="source", before=LATER)
        assert [row.path for row in rows] == ["instances/x.dcm"]
        upkeep.forget_files(connection, rows)
    assert old(database, "source") == set()
    uid = cases.received().sop_instance_uid
    with database.reading() as connection:
        assert intake.find_known(connection, cases.received()) is not None
        assert archive.path_of(connection, uid) is None
        kept = [row.sop_instance_uid for row in archive.instances_of(connection, [job.study_key])]
    assert kept == [cases.object_row(1).sop_instance_uid]


def test_a_cleared_image_that_comes_again_is_there_again_and_its_study_rests(database: Database) -> None:
    job = finished(database, 1, now=cases.NOW)
    with database.transaction() as connection:
        upkeep.forget_files(connection, upkeep.old_files(connection, role="source", before=LATER))
    assert cases.take(database, cases.received(content="b"), now=LATER).outcome == "conflict"
    again = cases.take(database, cases.received(), now=LATER + 1, path="instances/y.dcm")
    assert again == Kept(outcome="restored", study_key=job.study_key)
    assert cases.take(database, cases.received(), now=LATER + 2).outcome == "same"
    assert (cases.standing(database, job.study_key).state, job.revision) == ("done", 1)
    with database.reading() as connection:
        assert archive.path_of(connection, cases.received().sop_instance_uid) == "instances/y.dcm"
        assert [row.path for row in work.sources(connection, job.study_key)] == ["instances/y.dcm"]
    assert old(database, "source") == set(), "it is kept as long as a new one"
    assert old(database, "source", before=LATER + 2) == {cases.received().sop_instance_uid}


def test_an_archive_is_searched_newest_first_and_by_what_the_database_knows(database: Database) -> None:
    for number in (1, 2):
        cases.take(database, cases.received(study=number), now=cases.NOW + number)
    with database.reading() as connection:
        found = [row.study_instance_uid for row in archive.studies_of(connection, {})]
        assert found == [cases.study_uid(2), cases.study_uid(1)]
        (one,) = archive.studies_of(connection, {"AccessionNumber": "ACC1"})
        assert one.study_instance_uid == cases.study_uid(1)
        assert list(archive.studies_of(connection, {"StudyInstanceUID": "1.2", "AccessionNumber": "ACC1"})) == []
        key = one.study_key
        (row,) = archive.instances_of(connection, [key], series=f"{cases.ROOT}.2.1")
        assert archive.instances_of(connection, [key], series="1.2") == []
        assert archive.instances_of(connection, [key], instance=row.sop_instance_uid) == [row]
        assert archive.path_of(connection, row.sop_instance_uid) == "instances/x.dcm"


def test_a_name_belongs_to_one_process(database: Database) -> None:
    first, later, other = (Beat(seen_at=at, started_at=since) for at, since in ((1.0, 1.0), (2.0, 1.0), (3.0, 3.0)))
    with database.transaction() as connection:
        assert workers.enter(connection, "one", first)
        assert not workers.enter(connection, "one", other)
        assert not workers.beat(connection, "one", other), "another has the name"
        assert workers.beat(connection, "one", later)
        assert not workers.take_over(connection, "one", other, last=first), "it was heard again"
        assert workers.take_over(connection, "one", other, last=later)
        assert not workers.beat(connection, "one", later)
        assert workers.beats(connection) == {"one": other}
        assert workers.alive(connection, now=10.0, silent_s=12.0) == ["one"]
        assert workers.alive(connection, now=16.0, silent_s=12.0) == []
        assert not workers.bury(connection, "one", started_at=1.0)
        assert workers.bury(connection, "one", started_at=3.0)
        assert workers.beats(connection) == {}


def test_nothing_waits_longer_than_it_was_ever_told_to(database: Database) -> None:
    waits = {"quiet_s": cases.QUIET_S, "longest_wait_s": 600.0}
    job = cases.in_work(database)
    cases.record(database, job, destinations=["pacs"])
    key = cases.take(database, cases.received(study=2)).study_key
    with database.transaction() as connection:
        assert upkeep.shorten_waits(connection, now=cases.NOW - 30.0, **waits) == 0, "clocks may differ a little"
        assert upkeep.shorten_waits(connection, now=cases.NOW - 3600.0, **waits) == 2
        assert [d.destination for d in outbox.due(connection, now=cases.NOW - 3600.0)] == ["pacs"]
    assert cases.due_at(database, key) == cases.NOW - 3600.0 + cases.QUIET_S
