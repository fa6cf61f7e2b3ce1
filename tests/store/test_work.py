"""Studies move on, and never twice."""

from __future__ import annotations

import store_cases as cases

from radiolucent.store import intake, outbox, upkeep, work
from radiolucent.store.database import Database


def test_what_is_due_is_claimed_by_one_thread_alone(database: Database) -> None:
    for number in range(6):
        cases.take(database, cases.received(study=number))

    def claim(_: int) -> list[work.Job]:
        with database.transaction() as connection:
            return work.claim_due(connection, now=cases.NOW + cases.QUIET_S)

    claimed = [job.study_key for jobs in cases.together(4, claim) for job in jobs]
    assert len(claimed) == len(set(claimed)) == 6
    with database.reading() as connection:
        assert not work.is_any_due(connection, now=cases.NOW + 1000)
        assert {job.study_key for job in work.ready(connection)} == set(claimed)


def test_nothing_is_due_before_its_time(database: Database) -> None:
    cases.take(database, cases.received())
    with database.transaction() as connection:
        assert not work.is_any_due(connection, now=cases.NOW + cases.QUIET_S - 0.01)
        assert work.claim_due(connection, now=cases.NOW + cases.QUIET_S - 0.01) == []
        assert work.is_any_due(connection, now=cases.NOW + cases.QUIET_S)


def test_urgent_studies_are_claimed_first(database: Database) -> None:
    cases.take(database, cases.received(study=1))
    urgent = cases.take(database, cases.received(study=2, is_stat=True), now=cases.NOW + 1)
    with database.transaction() as connection:
        (first,) = work.claim_due(connection, now=cases.NOW + 100, limit=1)
    assert (first.study_key, first.priority) == (urgent.study_key, "stat")


def test_a_ready_study_is_taken_by_one_workflow_alone_and_again_by_the_same(database: Database) -> None:
    kept = cases.take(database, cases.received())
    with database.transaction() as connection:
        (job,) = work.claim_due(connection, now=cases.NOW + cases.QUIET_S)

    def claim(number: int) -> bool:
        with database.transaction() as connection:
            return work.claim(connection, job, by=f"workflow-{number}")

    took = cases.together(4, claim)
    assert took.count(True) == 1
    assert claim(took.index(True))  # a workflow that is resumed goes on
    assert not claim(9)
    assert cases.standing(database, kept.study_key).state == "processing"


def test_a_stale_revision_neither_claims_nor_moves_nor_records(database: Database) -> None:
    job = cases.in_work(database)
    cases.take(database, cases.received(2), now=cases.NOW + 9)
    with database.transaction() as connection:
        assert not work.claim(connection, job, by="workflow-1")
        assert not work.move(connection, job, to="quarantined", code="reader_crashed")
    assert not cases.record(database, job, objects=[cases.object_row(1)])
    row = cases.standing(database, job.study_key)
    assert (row.state, row.revision, row.status) == ("receiving", 2, None)
    with database.reading() as connection:
        assert work.report(connection, job.study_key) is None
        assert outbox.of_study(connection, job.study_key) == []
        assert outbox.files(connection, [cases.object_row(1).sop_instance_uid]) == []


def test_a_report_its_objects_and_deliveries_are_kept_together(database: Database) -> None:
    job = cases.in_work(database, priority="stat")
    objects = [cases.object_row(1), cases.object_row(2)]
    assert cases.record(database, job, objects=objects, destinations=["pacs", "ehr"])
    with database.reading() as connection:
        assert work.report(connection, job.study_key) == cases.report(job, objects=objects)
        uids = [o.sop_instance_uid for o in objects]
        assert [uid for _, uid, _ in outbox.files(connection, uids)] == uids
        sends = outbox.of_study(connection, job.study_key)
        assert work.counts(connection) == {"done": 1}
    assert {(s.destination, s.state, s.priority, s.purpose) for s in sends} == {
        ("pacs", "waiting", "stat", "result"),
        ("ehr", "waiting", "stat", "result"),
    }


def test_recording_twice_is_recording_once(database: Database) -> None:
    job = cases.in_work(database)
    assert cases.record(database, job, objects=[cases.object_row(1)])
    with database.transaction() as connection:
        (before,) = outbox.of_study(connection, job.study_key)
        outbox.settle(connection, before, state="sent", now=cases.NOW)
    assert not cases.record(database, job, objects=[cases.object_row(1)])
    with database.reading() as connection:
        assert [d.state for d in outbox.of_study(connection, job.study_key)] == ["sent"], "it is not sent again"
        assert len(list(work.all_reports(connection))) == upkeep.report_count(connection) == 1
        assert len(outbox.files(connection, [cases.object_row(1).sop_instance_uid])) == 1
        assert len(outbox.of_study(connection, job.study_key)) == 1


def test_a_failure_while_recording_keeps_nothing_of_it(database: Database) -> None:
    job = cases.in_work(database)
    try:
        with database.transaction() as connection:
            assert work.record(connection, job, cases.report(job), [cases.object_row(1)], ["pacs"], now=cases.NOW)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert cases.standing(database, job.study_key).state == "processing"
    with database.reading() as connection:
        assert work.report(connection, job.study_key) is None
        assert outbox.of_study(connection, job.study_key) == []


def test_the_next_revision_supersedes_what_still_waits(database: Database) -> None:
    job = cases.in_work(database)
    cases.record(database, job, destinations=["pacs", "ehr"])
    with database.transaction() as connection:
        by_name = {d.destination: d for d in outbox.of_study(connection, job.study_key)}
        outbox.settle(connection, by_name["pacs"], state="sent", now=cases.NOW)
        assert work.rerun(connection, job.study_key)
        (again,) = work.ready(connection)
        assert work.claim(connection, again, by="second")
    assert again.revision == 2
    assert cases.record(database, again, destinations=["pacs", "ehr"])
    with database.reading() as connection:
        sends = {(d.revision, d.destination): d.state for d in outbox.of_study(connection, job.study_key)}
        assert [r.revision for r in work.reports_before(connection, job.study_key, 2)] == [1]
        assert work.report(connection, job.study_key, before=2) == cases.report(job)
        assert work.report(connection, job.study_key, 1) == cases.report(job)
    assert sends == {(1, "pacs"): "sent", (1, "ehr"): "superseded", (2, "pacs"): "waiting", (2, "ehr"): "waiting"}


def test_only_what_was_looked_at_is_claimed(database: Database) -> None:
    one, two = (cases.take(database, cases.received(study=number)).study_key for number in (1, 2))
    later = cases.NOW + cases.QUIET_S
    with database.transaction() as connection:
        assert work.due(connection, now=later - 0.01) == []
        assert set(work.due(connection, now=later)) == {one, two}
        assert [job.study_key for job in work.claim_due(connection, now=later, among=[two])] == [two]
        assert work.due(connection, now=later) == [one]


def test_only_a_study_that_rests_is_opened_again(database: Database) -> None:
    job = cases.in_work(database)
    with database.transaction() as connection:
        assert not work.rerun(connection, job.study_key)
        for state in ("unrouted", "quarantined"):
            assert work.move(connection, job, to=state, code="reader_crashed", attempts=3)
            assert work.rerun(connection, job.study_key)
            row = work.study(connection, job.study_key)
            assert (row.state, row.attempts, row.code, row.revision) == ("ready", 0, None, job.revision + 1)
            job = work.Job(study_key=job.study_key, revision=row.revision, priority="routine")
        assert work.site_of(connection, "no such study") is None


def test_a_retraction_goes_to_whom_the_result_was_meant_for(database: Database) -> None:
    job = cases.in_work(database)
    cases.record(database, job, destinations=["sent", "tried", "untouched"])
    with database.transaction() as connection:
        by_name = {d.destination: d for d in outbox.of_study(connection, job.study_key)}
        outbox.settle(connection, by_name["sent"], state="sent", now=cases.NOW)
        outbox.settle(connection, by_name["tried"], state="waiting", now=cases.NOW, code="peer_no_answer")
        told = cases.report(job, state="retracted")
        note = cases.object_row(9, kind="rejection")
        assert work.retract(connection, job, told, [note], now=cases.NOW) == ["sent", "tried", "untouched"]
    with database.reading() as connection:
        sends = {(d.destination, d.purpose): d.state for d in outbox.of_study(connection, job.study_key)}
        last = work.report(connection, job.study_key)
    assert last is not None
    assert last.state == "retracted"
    assert sends == {
        ("sent", "result"): "sent",
        ("tried", "result"): "superseded",
        ("untouched", "result"): "superseded",
        ("sent", "retract"): "waiting",
        ("tried", "retract"): "waiting",
        ("untouched", "retract"): "waiting",
    }
    assert cases.standing(database, job.study_key).status == "retracted"


def test_a_retraction_takes_back_the_last_result_alone(database: Database) -> None:
    job = cases.in_work(database)
    cases.record(database, job, destinations=["pacs"])
    with database.transaction() as connection:
        assert work.rerun(connection, job.study_key)
        (later,) = work.ready(connection)
        assert work.claim(connection, later, by="w")
    cases.record(database, later, destinations=["pacs"])
    with database.transaction() as connection:
        assert work.retract(connection, job, cases.report(job, state="retracted"), [], now=cases.NOW) is None
    with database.reading() as connection:
        assert work.report(connection, job.study_key, job.revision) == cases.report(job)
        assert {d.purpose for d in outbox.of_study(connection, job.study_key)} == {"result"}
    assert cases.standing(database, job.study_key).status != "retracted"


def test_what_is_being_read_while_its_result_is_taken_back_is_read_again(database: Database) -> None:
    job = cases.in_work(database)
    cases.record(database, job, destinations=["pacs"])
    with database.transaction() as connection:
        assert work.rerun(connection, job.study_key)
        (later,) = work.ready(connection)
        assert work.claim(connection, later, by="w")
        assert work.retract(connection, job, cases.report(job, state="retracted"), [], now=cases.NOW) == ["pacs"]
    assert not cases.record(database, later, destinations=["pacs"]), "it has the UIDs of what was taken back"
    with database.reading() as connection:
        (again,) = work.ready(connection)
        assert again.revision == later.revision + 1
        assert work.retractions_before(connection, again) == 1
        assert work.retractions_before(connection, job) == 0


def test_a_failed_workflow_gives_its_study_back_or_aside(database: Database) -> None:
    job = cases.in_work(database)
    with database.transaction() as connection:
        (claimed,) = upkeep.pending(connection)
        assert (claimed.study_key, claimed.claimed_by) == (job.study_key, "workflow-1")
        assert upkeep.release(connection, claimed, quarantine=False)
        assert not upkeep.release(connection, claimed, quarantine=False)
        (again,) = work.ready(connection)
        assert again.revision == job.revision + 1
        assert work.claim(connection, again, by="second")
        (claimed,) = upkeep.pending(connection)
        assert upkeep.release(connection, claimed, quarantine=True)
        row = work.study(connection, job.study_key)
    assert (row.state, row.code, row.attempts) == ("quarantined", "workflow_failed", 2)


def test_the_oldest_that_waits_is_told(database: Database) -> None:
    with database.transaction() as connection:
        assert upkeep.oldest_waiting(connection) is None
    cases.take(database, cases.received(study=1))
    cases.take(database, cases.received(study=2), now=cases.NOW + 1)
    with database.transaction() as connection:
        work.claim_due(connection, now=cases.NOW + 100)
        assert upkeep.oldest_waiting(connection) == cases.NOW
        shown = upkeep.recent(connection, limit=1)
    assert [row["last_received_at"] for row in shown] == [cases.NOW + 1]
    assert cases.PATIENT.patient_id not in str(shown)


def test_force_complete_is_seen_by_the_next_look(database: Database) -> None:
    kept = cases.take(database, cases.received())
    with database.transaction() as connection:
        intake.force_complete(connection, kept.study_key, now=cases.NOW)
        assert [j.study_key for j in work.claim_due(connection, now=cases.NOW)] == [kept.study_key]


def test_a_report_is_kept_once_and_what_was_sent_stays_sent(database: Database) -> None:
    job = cases.in_work(database)
    assert cases.record(database, job, destinations=["pacs"])
    with database.transaction() as connection:
        (delivery,) = outbox.of_study(connection, job.study_key)
        assert outbox.settle(connection, delivery, state="sent", now=cases.NOW)
    assert not cases.record(database, job, destinations=["pacs"]), (
        "the process died before it knew that it had done this"
    )
    with database.reading() as connection:
        assert [(d.state, d.attempts) for d in outbox.of_study(connection, job.study_key)] == [("sent", 1)]
