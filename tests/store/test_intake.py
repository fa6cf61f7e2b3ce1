"""Instances come in: once, in any order, from several senders at a time."""

from __future__ import annotations

import store_cases as cases
from sqlalchemy import func, select

from radiolucent.records.study import Order
from radiolucent.store import hospital, intake, work
from radiolucent.store.database import Database
from radiolucent.store.schema import instances, studies


def count_of(database: Database, table: object) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def test_a_new_instance_begins_a_study_that_waits_for_more(database: Database) -> None:
    kept = cases.take(database, cases.received())
    assert (kept.outcome, kept.reopened) == ("new", False)
    row = cases.standing(database, kept.study_key)
    assert (row.state, row.revision, row.priority, row.attempts) == ("receiving", 1, "routine", 0)
    assert (row.study_instance_uid, row.accession_number) == (cases.study_uid(), "ACC1")
    assert (row.patient_id, row.issuer) == (cases.PATIENT.patient_id, "")
    assert cases.due_at(database, kept.study_key) == cases.NOW + cases.QUIET_S


def test_every_image_starts_the_quiet_time_anew(database: Database) -> None:
    kept = cases.take(database, cases.received(1))
    cases.take(database, cases.received(2), now=cases.NOW + 3)
    assert cases.due_at(database, kept.study_key) == cases.NOW + 3 + cases.QUIET_S
    assert cases.standing(database, kept.study_key).last_received_at == cases.NOW + 3
    assert cases.standing(database, kept.study_key).first_received_at == cases.NOW


def test_the_same_instance_again_changes_nothing(database: Database) -> None:
    first = cases.take(database, cases.received())
    again = cases.take(database, cases.received(), now=cases.NOW + 3, path="elsewhere")
    assert (again.outcome, again.study_key) == ("same", first.study_key)
    assert cases.due_at(database, first.study_key) == cases.NOW + cases.QUIET_S
    assert count_of(database, instances) == 1
    with database.reading() as connection:
        assert [row.path for row in work.sources(connection, first.study_key)] == ["instances/x.dcm"]
        assert intake.find_known(connection, cases.received(2)) is None


def test_another_content_under_a_known_uid_is_a_conflict_and_the_first_stays(database: Database) -> None:
    cases.take(database, cases.received(content="a"))
    other = cases.take(database, cases.received(content="b"))
    moved = cases.take(
        database, cases.received(study=2, content="c", sop_instance_uid=cases.received().sop_instance_uid)
    )
    assert (other.outcome, moved.outcome) == ("conflict", "conflict")
    assert (count_of(database, instances), count_of(database, studies)) == (1, 1)


def test_a_late_image_opens_the_study_again_under_the_next_revision(database: Database) -> None:
    job = cases.in_work(database)
    assert cases.record(database, job)
    late = cases.take(database, cases.received(2), now=cases.NOW + 60)
    assert (late.outcome, late.reopened) == ("new", True)
    row = cases.standing(database, job.study_key)
    assert (row.state, row.revision, row.code) == ("receiving", 2, None)


def test_a_study_of_a_known_size_is_due_with_its_last_image(database: Database) -> None:
    kept = cases.take(database, cases.received(1, expected_count=3))
    cases.take(database, cases.received(2))
    assert cases.due_at(database, kept.study_key) == cases.NOW + cases.QUIET_S
    cases.take(database, cases.received(3), now=cases.NOW + 1)
    assert cases.due_at(database, kept.study_key) == cases.NOW + 1


def test_force_complete_makes_a_study_due_now_and_only_one_that_receives(database: Database) -> None:
    kept = cases.take(database, cases.received())
    with database.transaction() as connection:
        assert intake.force_complete(connection, kept.study_key, now=cases.NOW)
        assert not intake.force_complete(connection, "no such study", now=cases.NOW)
        (job,) = work.claim_due(connection, now=cases.NOW)
        assert not intake.force_complete(connection, job.study_key, now=cases.NOW)


def test_the_priority_of_an_order_that_came_first_is_taken_over(database: Database) -> None:
    with database.transaction() as connection:
        hospital.put_order(connection, Order(accession_number="ACC1", priority="stat"), now=cases.NOW)
        by_uid = Order(accession_number="OTHER", study_instance_uid=cases.study_uid(2), priority="stat")
        hospital.put_order(connection, by_uid, now=cases.NOW)
        elsewhere = Order(accession_number="ACC3", study_instance_uid=cases.study_uid(9), priority="stat")
        hospital.put_order(connection, elsewhere, now=cases.NOW)
    found = [
        cases.standing(database, cases.take(database, cases.received(study=n)).study_key).priority for n in (1, 2, 3)
    ]
    assert found == ["stat", "stat", "routine"]


def test_an_empty_accession_number_matches_no_order(database: Database) -> None:
    with database.transaction() as connection:
        hospital.put_order(connection, Order(accession_number="", priority="stat"), now=cases.NOW)
    kept = cases.take(database, cases.received(accession_number=""))
    assert cases.standing(database, kept.study_key).priority == "routine"


def test_an_urgent_image_makes_its_study_urgent_and_later_ones_leave_it_so(database: Database) -> None:
    kept = cases.take(database, cases.received(1))
    cases.take(database, cases.received(2, is_stat=True))
    cases.take(database, cases.received(3))
    assert cases.standing(database, kept.study_key).priority == "stat"


def test_two_senders_of_one_new_study_share_it(database: Database) -> None:
    kept = cases.together(2, lambda n: cases.take(database, cases.received(n + 1)))
    assert {k.outcome for k in kept} == {"new"}
    assert len({k.study_key for k in kept}) == 1
    assert (count_of(database, instances), count_of(database, studies)) == (2, 1)


def test_one_instance_from_five_senders_at_once_is_kept_once(database: Database) -> None:
    kept = cases.together(5, lambda _: cases.take(database, cases.received()))
    assert sorted(k.outcome for k in kept) == ["new", "same", "same", "same", "same"]
    assert count_of(database, instances) == 1
