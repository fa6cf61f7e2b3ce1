"""Studies move on: due, ready, in process, done; and what was said of them is recorded in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, bindparam, func, select, true, update

from radiolucent.records.received import PRIOR
from radiolucent.records.study import Priority, StudyReport
from radiolucent.store import kept
from radiolucent.store.documents import from_text, to_text
from radiolucent.store.kept import ObjectRow
from radiolucent.store.schema import instances, results, studies

# Asked many times a second, and so built once.
ANY_DUE = (
    select(studies.c.study_key).where(studies.c.state == "receiving", studies.c.due_at <= bindparam("now")).limit(1)
)
JOBS = select(studies.c.study_key, studies.c.revision, studies.c.priority)
READY = JOBS.where(studies.c.state == "ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A study of one revision that is to be read."""

    study_key: str
    revision: int
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A kept source image; ``path`` is relative to the data folder."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    path: str
    calling_ae: str
    header: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study as it stands."""

    study_key: str
    study_instance_uid: str
    state: str
    status: str | None
    code: str | None
    revision: int
    priority: Priority
    rule: str | None
    attempts: int
    first_received_at: float
    last_received_at: float
    done_at: float | None
    accession_number: str
    patient_id: str
    issuer: str
    header: str
    site: str


def is_any_due(connection: Connection, *, now: float) -> bool:
    """Whether a look with a lock is worth it."""
    return connection.execute(ANY_DUE, {"now": now}).first() is not None


def due(connection: Connection, *, now: float, limit: int = 100) -> list[str]:
    """Keys of studies whose quiet time is over, urgent ones first."""
    over = (studies.c.state == "receiving") & (studies.c.due_at <= now)
    rows = select(studies.c.study_key).where(over).order_by(studies.c.priority.desc(), studies.c.due_at).limit(limit)
    return [row.study_key for row in connection.execute(rows)]


def claim_due(connection: Connection, *, now: float, limit: int = 100, among: Sequence[str] | None = None) -> list[Job]:
    """Studies whose quiet time is over (of those named), made ready; each is claimed by one process alone."""
    named = studies.c.study_key.in_(among) if among is not None else true()
    due = (
        select(studies.c.study_key)
        .where(studies.c.state == "receiving", studies.c.due_at <= now, named)
        .order_by(studies.c.priority.desc(), studies.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = [row.study_key for row in connection.execute(due)]
    if not keys:
        return []
    connection.execute(update(studies).where(studies.c.study_key.in_(keys)).values(state="ready", due_at=None))
    return _jobs(connection, JOBS.where(studies.c.study_key.in_(keys)))


def ready(connection: Connection) -> list[Job]:
    """Studies that are ready but not begun."""
    return _jobs(connection, READY)


def _jobs(connection: Connection, wanted: Select[str, int, str]) -> list[Job]:
    rows = connection.execute(wanted)
    return [Job(study_key=r.study_key, revision=r.revision, priority=r.priority) for r in rows]


def site_of(connection: Connection, study_key: str) -> str | None:
    """The site of a study; ``None`` where there is no study of this key."""
    return connection.execute(select(studies.c.site).where(studies.c.study_key == study_key)).scalar()


def study(connection: Connection, study_key: str) -> StudyRow:
    """A study by its key."""
    names = [studies.c[name] for name in StudyRow.__dataclass_fields__]
    row = connection.execute(select(*names).where(studies.c.study_key == study_key)).mappings().one()
    return StudyRow(**row)


def sources(connection: Connection, study_key: str) -> list[SourceRow]:
    """The source images of a study in a stable order."""
    names = [instances.c[name] for name in SourceRow.__dataclass_fields__]
    rows = connection.execute(
        select(*names)
        .where(instances.c.study_key == study_key, instances.c.role == "source")
        .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
    ).mappings()
    return [SourceRow(**row) for row in rows]


def claim(connection: Connection, job: Job, *, by: str) -> bool:
    """Take a ready study into work; no for one of another revision, or that somebody else has taken."""
    mine = (studies.c.state == "processing") & (studies.c.claimed_by == by)
    done = connection.execute(
        update(studies)
        .where(
            studies.c.study_key == job.study_key,
            studies.c.revision == job.revision,
            (studies.c.state == "ready") | mine,
        )
        .values(state="processing", claimed_by=by)
    )
    return done.rowcount == 1


def rerun(connection: Connection, study_key: str) -> bool:
    """Open a finished, unrouted or quarantined study again, as it is, under a new revision."""
    done = connection.execute(
        update(studies)
        .where(studies.c.study_key == study_key, studies.c.state.in_(["done", "unrouted", "quarantined"]))
        .values(state="ready", revision=studies.c.revision + 1, attempts=0, code=None, claimed_by=None)
    )
    return done.rowcount == 1


def move(
    connection: Connection, job: Job, *, to: str, code: str | None = None, rule: str | None = None, attempts: int = 0
) -> bool:
    """Move a study that waits or is in work on, unless an image came meanwhile, or it was moved on already."""
    changes: dict[str, object] = {"state": to, "code": code, "attempts": studies.c.attempts + attempts}
    if rule is not None:
        changes["rule"] = rule
    done = connection.execute(
        update(studies)
        .where(
            studies.c.study_key == job.study_key,
            studies.c.revision == job.revision,
            studies.c.state.in_(["ready", "processing"]),
        )
        .values(changes)
    )
    return done.rowcount == 1


def set_priority(connection: Connection, study_key: str, priority: Priority) -> None:
    """Raise or lower a study."""
    connection.execute(update(studies).where(studies.c.study_key == study_key).values(priority=priority))


def set_site(connection: Connection, study_key: str, site: str) -> None:
    """Give a study to another site."""
    connection.execute(update(studies).where(studies.c.study_key == study_key).values(site=site))


def record(
    connection: Connection,
    job: Job,
    report: StudyReport,
    objects: Iterable[ObjectRow],
    destinations: Sequence[str],
    *,
    now: float,
) -> bool:
    """Keep a report, its objects and what is to be sent, all or nothing.

    No if the study has moved on, or has its report already: a process that died right after this may come here again,
    and what was sent meanwhile must stay sent.
    """
    recorded = connection.execute(
        update(studies)
        .where(
            studies.c.study_key == job.study_key,
            studies.c.revision == job.revision,
            studies.c.state == "processing",
        )
        .values(
            state="done",
            status=report.status,
            code=report.refusals[0].code if report.status in ("refused", "not_processed") else None,
            done_at=now,
            attempts=0,
        )
    )
    if recorded.rowcount != 1:
        return False
    place = kept.Place(study_key=job.study_key, revision=job.revision, priority=job.priority)
    kept.keep_report(connection, place, report, now=now)
    kept.keep_objects(connection, place, objects, now=now)
    kept.fill_outbox(connection, place, [(name, "result") for name in destinations], now=now)
    return True


def report(
    connection: Connection, study_key: str, revision: int | None = None, *, before: int | None = None
) -> StudyReport | None:
    """The report of a revision, or the last one (of those before a revision)."""
    rows = select(results.c.report).where(results.c.study_key == study_key)
    if revision is not None:
        rows = rows.where(results.c.revision == revision)
    if before is not None:
        rows = rows.where(results.c.revision < before)
    text = connection.execute(rows.order_by(results.c.revision.desc()).limit(1)).scalar()
    return None if text is None else from_text(StudyReport, text)


def reports_before(connection: Connection, study_key: str, revision: int) -> list[StudyReport]:
    """Reports of a study's earlier revisions, oldest first."""
    rows = select(results.c.report).where(results.c.study_key == study_key, results.c.revision < revision)
    return [from_text(StudyReport, row.report) for row in connection.execute(rows.order_by(results.c.revision))]


def retractions_before(connection: Connection, job: Job) -> int:
    """How many results of a study's earlier revisions were taken back."""
    taken_back = select(func.count()).where(
        results.c.study_key == job.study_key, results.c.revision < job.revision, results.c.state == "retracted"
    )
    return int(connection.execute(taken_back).scalar_one())


def all_reports(connection: Connection) -> Iterator[StudyReport]:
    """Every kept report, oldest first; those of studies that were asked for to compare with are nobody's business."""
    rows = (
        select(results.c.report)
        .join(studies, studies.c.study_key == results.c.study_key)
        .where(studies.c.rule.is_distinct_from(PRIOR))
        .order_by(results.c.produced_at, results.c.study_key)
    )
    for row in connection.execution_options(yield_per=100).execute(rows):
        yield from_text(StudyReport, row.report)


def retract(
    connection: Connection,
    job: Job,
    told: StudyReport,
    objects: Iterable[ObjectRow],
    *,
    now: float,
) -> list[str] | None:
    """Keep a retraction, and tell every destination the result was meant for; their names.

    ``None``, and nothing is kept, where this is no longer the study's last result. A destination that has not got it
    may be getting it at this moment; a note about objects that it never got does no harm. A study that is being read
    is read again: what is written of it now has the UIDs of what is taken back here.
    """
    here = studies.c.study_key == job.study_key
    connection.execute(select(studies.c.state).where(here).with_for_update())
    last = select(func.max(results.c.revision)).where(results.c.study_key == job.study_key)
    if connection.execute(last).scalar_one() != job.revision:
        return None
    connection.execute(update(studies).where(here).values(status="retracted"))
    again = {"state": "ready", "revision": studies.c.revision + 1, "claimed_by": None}
    connection.execute(update(studies).where(here, studies.c.state == "processing").values(again))
    names = kept.reached(connection, job.study_key)
    connection.execute(
        update(results)
        .where(results.c.study_key == job.study_key, results.c.revision == job.revision)
        .values(state="retracted", report=to_text(told))
    )
    place = kept.Place(study_key=job.study_key, revision=job.revision, priority=job.priority)
    kept.keep_objects(connection, place, objects, now=now)
    kept.fill_outbox(connection, place, [(name, "retract") for name in names], now=now)
    return names


def counts(connection: Connection) -> dict[str, int]:
    """Studies by state."""
    rows = connection.execute(select(studies.c.state, func.count()).group_by(studies.c.state))
    return {row[0]: int(row[1]) for row in rows}
