"""Opinions, leases and decisions as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from radiolucent.records.decision import Decision, Lease, Opinion
from radiolucent.records.person import EVERYTHING, Sight
from radiolucent.records.study import Priority, StudyReport
from radiolucent.store import kept
from radiolucent.store.archive import in_sight
from radiolucent.store.documents import from_text, to_text
from radiolucent.store.kept import SIGNED, ObjectRow, Purpose
from radiolucent.store.schema import decisions, leases, opinions, results, studies


def hold(connection: Connection, study_key: str) -> bool:
    """Let nobody else change this study's reading until the transaction is over; no if there is no such study."""
    row = connection.execute(select(studies.c.study_key).where(studies.c.study_key == study_key).with_for_update())
    return row.first() is not None


def engine_report(connection: Connection, study_key: str) -> StudyReport | None:
    """The last report that the engines made."""
    rows = select(results.c.report).where(results.c.study_key == study_key, results.c.state.not_in(SIGNED))
    text = connection.execute(rows.order_by(results.c.revision.desc()).limit(1)).scalar()
    return None if text is None else from_text(StudyReport, text)


def lease(connection: Connection, study_key: str) -> Lease | None:
    """The last lease of a study, run out or not."""
    text = connection.execute(select(leases.c.body).where(leases.c.study_key == study_key)).scalar()
    return None if text is None else from_text(Lease, text)


def put_lease(connection: Connection, study_key: str, given: Lease) -> None:
    """Keep a lease in the place of any before it; `hold` the study first."""
    connection.execute(delete(leases).where(leases.c.study_key == study_key))
    connection.execute(
        insert(leases).values(
            study_key=study_key, holder=given.holder.name, until=given.until.timestamp(), body=to_text(given)
        )
    )


def end_lease(connection: Connection, study_key: str, holder: str) -> bool:
    """Give a study back; no where this holder does not have it."""
    mine = (leases.c.study_key == study_key) & (leases.c.holder == holder)
    return connection.execute(delete(leases).where(mine)).rowcount == 1


def opinion(connection: Connection, study_key: str, report_id: str, reader: str) -> Opinion | None:
    """What a reader said first of a result."""
    rows = select(opinions.c.body).where(
        opinions.c.study_key == study_key, opinions.c.report_id == report_id, opinions.c.reader == reader
    )
    text = connection.execute(rows).scalar()
    return None if text is None else from_text(Opinion, text)


def put_opinion(connection: Connection, study_key: str, said: Opinion) -> bool:
    """Keep a first opinion; no where the reader has said one of this result: it stays. `hold` the study first."""
    if opinion(connection, study_key, said.report_id, said.reader.name) is not None:
        return False
    connection.execute(
        insert(opinions).values(
            study_key=study_key,
            report_id=said.report_id,
            reader=said.reader.name,
            at=said.at.timestamp(),
            body=to_text(said),
        )
    )
    return True


def opinions_of(connection: Connection, reader: str) -> set[tuple[str, str]]:
    """Study key and report id of every result of which a reader has said something first."""
    rows = connection.execute(select(opinions.c.study_key, opinions.c.report_id).where(opinions.c.reader == reader))
    return {(row.study_key, row.report_id) for row in rows}


def first_opinions(connection: Connection) -> dict[tuple[str, str, str], Opinion]:
    """All first opinions by study key, report id and reader."""
    rows = connection.execute(select(opinions))
    return {(r.study_key, r.report_id, r.reader): from_text(Opinion, r.body) for r in rows}


def decisions_of(connection: Connection, study_key: str) -> list[Decision]:
    """All decisions on a study, newest first."""
    rows = select(decisions.c.body).where(decisions.c.study_key == study_key)
    found = connection.execute(rows.order_by(decisions.c.revision.desc()))
    return [from_text(Decision, row.body) for row in found]


def same_request(connection: Connection, idempotency_key: str) -> Decision | None:
    """The decision that this very request has made already."""
    text = connection.execute(select(decisions.c.body).where(decisions.c.idempotency_key == idempotency_key)).scalar()
    return None if text is None else from_text(Decision, text)


def between(connection: Connection, since: float, until: float, sight: Sight = EVERYTHING) -> Iterator[Decision]:
    """Decisions on studies in sight that were signed in a span of time, oldest first."""
    joined = select(decisions.c.body).join(studies, studies.c.study_key == decisions.c.study_key)
    rows = joined.where(decisions.c.signed_at >= since, decisions.c.signed_at < until, in_sight(sight))
    for row in connection.execution_options(yield_per=200).execute(rows.order_by(decisions.c.signed_at)):
        yield from_text(Decision, row.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a signature keeps besides the decision: the report as a person signed it, its objects, what is to be sent.

    ``previous_revision`` is that of the study when the decision was checked.
    """

    report: StudyReport
    objects: Sequence[ObjectRow]
    wanted: Sequence[tuple[str, Purpose]]
    previous_revision: int
    priority: Priority


def add(connection: Connection, made: Decision, signed: Signed, *, now: float) -> bool:
    """Keep a decision and its signed report as the study's next revision; no if the study has moved on."""
    moved = connection.execute(
        update(studies)
        .where(
            studies.c.study_key == made.study_key,
            studies.c.revision == signed.previous_revision,
            studies.c.state == "done",
        )
        .values(revision=made.revision)
    )
    if moved.rowcount != 1:
        return False
    connection.execute(
        insert(decisions).values(
            decision_id=made.decision_id,
            study_key=made.study_key,
            idempotency_key=made.draft.idempotency_key,
            report_id=made.report_id,
            revision=made.revision,
            reader=made.reader.name,
            signed_at=made.signed_at.timestamp(),
            is_final=made.draft.is_final,
            outcome=made.outcome,
            supersedes=made.draft.supersedes,
            body=to_text(made),
        )
    )
    place = kept.Place(study_key=made.study_key, revision=made.revision, priority=signed.priority)
    kept.keep_report(connection, place, signed.report, now=now)
    kept.keep_objects(connection, place, signed.objects, now=now)
    kept.fill_outbox(connection, place, signed.wanted, now=now)
    connection.execute(delete(leases).where(leases.c.study_key == made.study_key))
    return True
