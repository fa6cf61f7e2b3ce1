"""What the hospital's systems say: orders, patients, and which of their messages were answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radiolucent.records.study import Order, Patient, StudyReport
from radiolucent.store.documents import from_text, to_text
from radiolucent.store.schema import messages, orders, patients, studies

PAGE = 500


def answered(connection: Connection, sender: str, control_id: str) -> tuple[str, str] | None:
    """Hash and answer of a message that was already taken."""
    row = connection.execute(
        select(messages.c.sha256, messages.c.answer).where(
            messages.c.sender == sender, messages.c.control_id == control_id
        )
    ).first()
    return None if row is None else (row.sha256, row.answer)


def note_answer(connection: Connection, sender: str, control_id: str, *, sha256: str, answer: str, now: float) -> None:
    """Remember the answer to a message, in the transaction that did what it asked for."""
    connection.execute(delete(messages).where(messages.c.sender == sender, messages.c.control_id == control_id))
    connection.execute(
        insert(messages).values(sender=sender, control_id=control_id, sha256=sha256, answer=answer, received_at=now)
    )


def put_order(connection: Connection, order: Order, *, now: float) -> list[str]:
    """Keep an order, or forget a cancelled one; keys of studies that are here already and that it speaks of.

    Their priority follows the order at once.
    """
    connection.execute(delete(orders).where(orders.c.accession_number == order.accession_number))
    if not order.is_cancelled:
        connection.execute(
            insert(orders).values(
                accession_number=order.accession_number,
                study_instance_uid=order.study_instance_uid,
                priority=order.priority,
                body=to_text(order),
                updated_at=now,
            )
        )
    same = studies.c.accession_number == order.accession_number
    if order.study_instance_uid:
        same = same | (studies.c.study_instance_uid == order.study_instance_uid)
    keys = [row.study_key for row in connection.execute(select(studies.c.study_key).where(same))]
    if keys and not order.is_cancelled:
        connection.execute(update(studies).where(studies.c.study_key.in_(keys)).values(priority=order.priority))
    return keys


def order_of(connection: Connection, *, accession_number: str, study_instance_uid: str) -> Order | None:
    """The order of a study: by accession number, else by study UID."""
    for condition, value in (
        (orders.c.accession_number == accession_number, accession_number),
        (orders.c.study_instance_uid == study_instance_uid, study_instance_uid),
    ):
        text = connection.execute(select(orders.c.body).where(condition)).scalar() if value else None
        if text is not None:
            return from_text(Order, text)
    return None


def put_patient(connection: Connection, patient: Patient, *, now: float) -> None:
    """Keep what is now said of a patient."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = make(patients).values(
        patient_id=patient.patient_id, issuer=patient.issuer, body=to_text(patient), updated_at=now
    )
    same = [patients.c.patient_id, patients.c.issuer]
    connection.execute(
        row.on_conflict_do_update(index_elements=same, set_={"body": row.excluded.body, "updated_at": now})
    )


def patient_row(connection: Connection, said: Patient) -> Patient | None:
    """What was last said of a patient, under this very identifier."""
    text = connection.execute(
        select(patients.c.body).where(patients.c.patient_id == said.patient_id, patients.c.issuer == said.issuer)
    ).scalar()
    return None if text is None else from_text(Patient, text)


def merge_patients(connection: Connection, *, surviving: Patient, retired: Patient, now: float) -> list[str]:
    """From now on the retired identity is the surviving one; keys of the retired one's studies."""
    put_patient(connection, surviving, now=now)
    connection.execute(  # whoever survives is alive, also if an earlier message said otherwise
        update(patients)
        .where(patients.c.patient_id == surviving.patient_id, patients.c.issuer == surviving.issuer)
        .values(merged_into_id=None, merged_into_issuer=None)
    )
    if patient_row(connection, retired) is None:
        put_patient(connection, retired, now=now)
    connection.execute(
        update(patients)
        .where(patients.c.patient_id == retired.patient_id, patients.c.issuer == retired.issuer)
        .values(merged_into_id=surviving.patient_id, merged_into_issuer=surviving.issuer, updated_at=now)
    )
    found = select(studies.c.study_key).where(
        studies.c.patient_id == retired.patient_id, studies.c.issuer.in_([retired.issuer, ""])
    )
    return [row.study_key for row in connection.execute(found)]


def patient_of(connection: Connection, said: Patient) -> Patient:
    """Who a patient of an image is today: the survivor of all merges, with what was last said of them."""
    return _today(said, lambda patient_id: _rows_of(connection, [patient_id]))


def patients_of(connection: Connection, said: Sequence[Patient]) -> list[Patient]:
    """`patient_of` of many, in a few queries."""
    known: dict[str, list[Row[Any]]] = {}
    wanted = {each.patient_id for each in said}
    while wanted:
        known |= {patient_id: [] for patient_id in wanted}
        asked, wanted = sorted(wanted), set()
        for start in range(0, len(asked), PAGE):
            for row in _rows_of(connection, asked[start : start + PAGE]):
                known[row.patient_id].append(row)
                if row.merged_into_id is not None:
                    wanted.add(row.merged_into_id)
        wanted -= known.keys()
    return [_today(each, known.__getitem__) for each in said]


def _today(said: Patient, rows_of: Callable[[str], Sequence[Row[Any]]]) -> Patient:
    current, seen = said, {(said.patient_id, said.issuer)}
    while True:
        row = _row_of(rows_of(current.patient_id), current)
        if row is None:
            return current
        known = from_text(Patient, row.body)
        current = replace(
            current,
            issuer=current.issuer or known.issuer,
            **{n: getattr(known, n) or getattr(current, n) for n in ("name", "birth_date", "sex")},
        )
        following = (row.merged_into_id, row.merged_into_issuer)
        if row.merged_into_id is None or following in seen:
            return current
        seen.add(following)
        current = replace(current, patient_id=row.merged_into_id, issuer=row.merged_into_issuer or "")


def _rows_of(connection: Connection, patient_ids: Sequence[str]) -> Sequence[Row[Any]]:
    return connection.execute(select(patients).where(patients.c.patient_id.in_(patient_ids))).all()


def _row_of(same: Sequence[Row[Any]], patient: Patient) -> Row[Any] | None:
    """What is known of an identifier, of all rows that have it: under its own issuer, else under none.

    Images often name no issuer where messages do: then the one issuer that knows the identifier is meant, and of
    several none, because the wrong patient is worse than an old name.
    """
    by_issuer = {row.issuer: row for row in same}
    found = by_issuer.get(patient.issuer) or by_issuer.get("")
    if found is None and not patient.issuer and len(same) == 1:
        return same[0]
    return found


def as_known_today(connection: Connection, report: StudyReport) -> StudyReport:
    """A report under the patient's identity and order of today: merges and orders may have come after it was made."""
    context = report.context
    order = order_of(
        connection, accession_number=context.accession_number, study_instance_uid=context.study_instance_uid
    )
    patient = patient_of(connection, context.patient)
    return replace(report, context=replace(context, patient=patient, order=order or context.order))
