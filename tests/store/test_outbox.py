"""Deliveries that wait, are tried, succeed or die."""

from __future__ import annotations

import store_cases as cases

from radiolucent.store import outbox
from radiolucent.store.database import Database
from radiolucent.store.outbox import Delivery


def waiting(database: Database, number: int = 1, *, priority: str = "routine", now: float = cases.NOW) -> Delivery:
    job = cases.in_work(database, number, priority=priority)
    assert cases.record(database, job, study=number, now=now)
    with database.reading() as connection:
        (delivery,) = outbox.of_study(connection, job.study_key)
    return delivery


def test_what_is_due_comes_urgent_first_then_oldest_first(database: Database) -> None:
    late = waiting(database, 1, now=cases.NOW + 2)
    early = waiting(database, 2, now=cases.NOW + 1)
    urgent = waiting(database, 3, priority="stat", now=cases.NOW + 3)
    waiting(database, 4, now=cases.NOW + 99)
    with database.reading() as connection:
        found = [d.delivery_id for d in outbox.due(connection, now=cases.NOW + 3)]
        assert [d.delivery_id for d in outbox.due(connection, now=cases.NOW + 3, limit=1)] == [urgent.delivery_id]
    assert found == [urgent.delivery_id, early.delivery_id, late.delivery_id]


def test_one_attempt_is_settled_once_whoever_made_it(database: Database) -> None:
    delivery = waiting(database)

    def settle(number: int) -> bool:
        with database.transaction() as connection:
            return outbox.settle(connection, delivery, state="sent", now=cases.NOW, done=[f"1.{number}"])

    noted = cases.together(4, settle)
    assert noted.count(True) == 1
    with database.reading() as connection:
        found = outbox.find(connection, delivery.delivery_id)
    assert found is not None
    assert (found.state, found.attempts, found.done) == ("sent", 1, (f"1.{noted.index(True)}",))


def test_an_older_attempt_cannot_undo_a_newer_one(database: Database) -> None:
    first = waiting(database)
    with database.transaction() as connection:
        assert outbox.settle(connection, first, state="waiting", now=cases.NOW, code="peer_no_answer", next_at=7.0)
        assert not outbox.settle(connection, first, state="refused", now=cases.NOW, code="object_refused")
        second = outbox.find(connection, first.delivery_id)
    assert second is not None
    assert (second.state, second.attempts, second.code, second.next_at) == ("waiting", 1, "peer_no_answer", 7.0)


def test_what_was_stored_adds_up_over_attempts_and_revisions(database: Database) -> None:
    delivery = waiting(database)
    with database.transaction() as connection:
        outbox.settle(connection, delivery, state="waiting", now=cases.NOW, done=["1.2"])
        again = outbox.find(connection, delivery.delivery_id)
        assert again is not None
        outbox.settle(connection, again, state="sent", now=cases.NOW, done=["1.3", "1.2"])
        assert outbox.stored_before(connection, delivery.study_key, "pacs") == {"1.2", "1.3"}
        assert outbox.stored_before(connection, delivery.study_key, "elsewhere") == frozenset()
        assert outbox.stored_before(connection, "no such study", "pacs") == frozenset()


def test_only_refused_and_dead_deliveries_are_tried_again(database: Database) -> None:
    ends = {1: "refused", 2: "dead", 3: "sent", 4: "superseded"}
    made = {number: waiting(database, number) for number in ends}
    with database.transaction() as connection:
        for number, state in ends.items():
            assert outbox.settle(connection, made[number], state=state, now=cases.NOW, code="object_refused")  # type: ignore[arg-type]
        assert outbox.due(connection, now=cases.NOW + 100) == []
        assert outbox.retry(connection, now=cases.NOW + 50, destination="elsewhere") == 0
        assert outbox.retry(connection, now=cases.NOW + 50, destination="pacs") == 2
        found = outbox.due(connection, now=cases.NOW + 50)
        assert outbox.counts(connection) == {("pacs", "waiting"): 2, ("pacs", "sent"): 1, ("pacs", "superseded"): 1}
    assert {d.delivery_id for d in found} == {made[1].delivery_id, made[2].delivery_id}
    assert {(d.attempts - d.retried_at, d.code, d.next_at) for d in found} == {(0, None, cases.NOW + 50)}


def test_a_delivery_that_is_not_there(database: Database) -> None:
    with database.reading() as connection:
        assert outbox.find(connection, "none") is None
