"""Orders, patients and answers, in the order in which the hospital's systems speak."""

from __future__ import annotations

from dataclasses import replace

import pytest
import store_cases as cases

from radiolucent.records.engine import Code
from radiolucent.records.study import Order, Patient
from radiolucent.store import hospital, upkeep
from radiolucent.store.database import Database

A, B, C = (Patient(patient_id=f"P-{n}", issuer="HOSP", name=f"{n}^One", birth_date="19600102", sex="F") for n in "ABC")
ORDER = Order(
    accession_number="ACC1",
    placer_order_number="PL1",
    priority="stat",
    reason="fall, é 日本",
    procedure=Code(scheme="LN", value="36643-5", meaning="Chest 2 views"),
    patient=A,
)


def merge(database: Database, *, surviving: Patient, retired: Patient) -> list[str]:
    with database.transaction() as connection:
        return hospital.merge_patients(connection, surviving=surviving, retired=retired, now=cases.NOW)


def today(database: Database, said: Patient) -> Patient:
    """One by one, and in a list with others: they agree."""
    with database.reading() as connection:
        found = hospital.patient_of(connection, said)
        many = hospital.patients_of(connection, [cases.PATIENT, said, said, C])
        assert many == [
            hospital.patient_of(connection, cases.PATIENT),
            found,
            found,
            hospital.patient_of(connection, C),
        ]
        return found


def test_an_answer_is_remembered_by_sender_and_control_id(database: Database) -> None:
    with database.transaction() as connection:
        assert hospital.answered(connection, "RIS", "1") is None
        hospital.note_answer(connection, "RIS", "1", sha256="aa", answer="AA", now=cases.NOW)
        assert hospital.answered(connection, "RIS", "1") == ("aa", "AA")
        assert hospital.answered(connection, "HIS", "1") is None
        hospital.note_answer(connection, "RIS", "1", sha256="bb", answer="AE", now=cases.NOW)
        assert hospital.answered(connection, "RIS", "1") == ("bb", "AE")


def test_old_answers_are_forgotten(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(3):
            hospital.note_answer(connection, "RIS", str(number), sha256="", answer="AA", now=cases.NOW + number)
        assert upkeep.forget_messages(connection, before=cases.NOW + 2) == 2
        assert hospital.answered(connection, "RIS", "2") is not None
        assert hospital.answered(connection, "RIS", "1") is None


def test_an_order_comes_back_as_it_was(database: Database) -> None:
    with database.transaction() as connection:
        assert hospital.put_order(connection, ORDER, now=cases.NOW) == []
        assert hospital.order_of(connection, accession_number="ACC1", study_instance_uid="") == ORDER
        assert hospital.order_of(connection, accession_number="", study_instance_uid="") is None
        later = replace(ORDER, accession_number="ACC2", study_instance_uid="1.2.3")
        hospital.put_order(connection, later, now=cases.NOW)
        assert hospital.order_of(connection, accession_number="none", study_instance_uid="1.2.3") == later


def test_an_order_for_a_study_that_is_here_changes_its_priority_at_once(database: Database) -> None:
    kept = cases.take(database, cases.received())
    with database.transaction() as connection:
        assert hospital.put_order(connection, ORDER, now=cases.NOW) == [kept.study_key]
    assert cases.standing(database, kept.study_key).priority == "stat"
    with database.transaction() as connection:
        by_uid = Order(accession_number="X", study_instance_uid=cases.study_uid(), priority="routine")
        assert hospital.put_order(connection, by_uid, now=cases.NOW) == [kept.study_key]
    assert cases.standing(database, kept.study_key).priority == "routine"


def test_a_cancelled_order_is_forgotten_and_leaves_the_priority(database: Database) -> None:
    kept = cases.take(database, cases.received(is_stat=True))
    with database.transaction() as connection:
        hospital.put_order(connection, ORDER, now=cases.NOW)
        hospital.put_order(connection, replace(ORDER, is_cancelled=True, priority="routine"), now=cases.NOW)
        assert hospital.order_of(connection, accession_number="ACC1", study_instance_uid="") is None
    assert cases.standing(database, kept.study_key).priority == "stat"


def test_what_was_last_said_of_a_patient_holds(database: Database) -> None:
    with database.transaction() as connection:
        assert hospital.patient_row(connection, A) is None
        hospital.put_patient(connection, A, now=cases.NOW)
        hospital.put_patient(connection, replace(A, name="New^Name"), now=cases.NOW)
        assert hospital.patient_row(connection, A) == replace(A, name="New^Name")
    assert today(database, replace(A, name="Old^Name", sex="")) == replace(A, name="New^Name")


def test_an_unknown_patient_stays_as_the_image_says(database: Database) -> None:
    assert today(database, cases.PATIENT) == cases.PATIENT


def test_results_follow_the_surviving_patient(database: Database) -> None:
    kept = cases.take(database, cases.received(patient=A))
    elsewhere = replace(A, issuer="OTHER")
    cases.take(database, cases.received(study=2, patient=elsewhere))
    assert merge(database, surviving=B, retired=A) == [kept.study_key]
    assert today(database, A) == B
    assert today(database, B) == B
    assert today(database, elsewhere) == elsewhere


def test_an_image_without_issuer_follows_the_one_issuer_that_knows_its_patient(database: Database) -> None:
    said = replace(A, issuer="")
    kept = cases.take(database, cases.received(patient=said))
    assert merge(database, surviving=B, retired=A) == [kept.study_key]
    assert today(database, said) == B


def test_of_two_issuers_of_one_identifier_none_is_guessed(database: Database) -> None:
    merge(database, surviving=B, retired=A)
    merge(database, surviving=C, retired=replace(A, issuer="OTHER"))
    said = replace(A, issuer="", name="Said^Name")
    assert today(database, said) == said


def test_a_chain_of_merges_ends_at_its_last_survivor(database: Database) -> None:
    merge(database, surviving=B, retired=A)
    merge(database, surviving=C, retired=B)
    assert [today(database, p) for p in (A, B, C)] == [C, C, C]


@pytest.mark.parametrize("way", [(A, B), (A, B, C)])
def test_of_merges_in_a_circle_the_last_one_holds(database: Database, way: tuple[Patient, ...]) -> None:
    for retired, surviving in zip(way, (*way[1:], way[0]), strict=True):
        merge(database, surviving=surviving, retired=retired)
    assert {today(database, patient) for patient in way} == {way[0]}


def test_a_patient_merged_into_himself_is_himself(database: Database) -> None:
    merge(database, surviving=A, retired=A)
    assert today(database, A) == A


def test_a_report_is_sent_under_todays_identity_and_order(database: Database) -> None:
    job = cases.in_work(database)
    said = cases.report(job)
    with database.transaction() as connection:
        assert hospital.as_known_today(connection, said) == said
        hospital.put_order(connection, ORDER, now=cases.NOW)
    merge(database, surviving=B, retired=cases.PATIENT)
    with database.reading() as connection:
        known = hospital.as_known_today(connection, said)
    assert (known.context.patient, known.context.order) == (B, ORDER)
    assert known == replace(said, context=replace(said.context, patient=B, order=ORDER))
