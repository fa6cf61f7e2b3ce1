"""Instances come in: studies grow, wait for more, and open again."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radiolucent.records.received import PRIOR, Kept, Received
from radiolucent.store.schema import instances, orders, studies

# Statements are built once: building one takes longer than running it, and these run for every image.
KNOWN = select(instances.c.sha256, instances.c.study_key, instances.c.path).where(
    instances.c.sop_instance_uid == bindparam("sop_instance_uid")
)
STUDY = (
    select(studies.c.study_key, studies.c.state, studies.c.revision, studies.c.expected_count, studies.c.rule)
    .where(studies.c.study_instance_uid == bindparam("study_instance_uid"))
    .with_for_update()
)
ADD_INSTANCE = insert(instances)
CHANGE_STUDY = update(studies).where(studies.c.study_key == bindparam("of_study"))
RESTORE = update(instances).where(instances.c.sop_instance_uid == bindparam("of_instance"))
COUNT = select(func.count()).where(instances.c.study_key == bindparam("study_key"), instances.c.role == "source")


def keep(
    connection: Connection, received: Received, *, path: str, now: float, quiet_s: float, is_prior: bool = False
) -> Kept:
    """Note an instance whose bytes are kept at ``path``; nothing changes where its UID is known.

    One that retention had cleared is there again, for as long as a new one; its study rests as it is.

    Parameters
    ----------
    is_prior
        It was asked for to compare with: a study that begins with it is a prior, until an image of it comes unasked.
    """
    known = _known(connection, received)
    if known is not None and known.outcome == "cleared":
        connection.execute(RESTORE, {"of_instance": received.sop_instance_uid, "path": path, "received_at": now})
        return replace(known, outcome="restored")
    if known is not None:
        return known
    study = _study(connection, received, now=now, rule=PRIOR if is_prior else None)
    if connection.dialect.name != "sqlite":  # where nobody else can have written since the first look
        known = _known(connection, received)  # again, with the study locked: another sender may have been at the same
        if known is not None:
            return known
    key = study.study_key
    connection.execute(ADD_INSTANCE, _instance(received, key, path=path, now=now))
    reopened = study.state != "receiving"
    expected = received.expected_count or study.expected_count
    due = now if expected and _count(connection, key) >= expected else now + quiet_s
    changes: dict[str, Any] = {"last_received_at": now, "due_at": due, "expected_count": expected}
    if reopened:
        changes |= {"state": "receiving", "revision": study.revision + 1, "attempts": 0, "code": None}
    if study.rule == PRIOR and not is_prior:
        changes |= {"rule": None, "site": received.site}
    if received.is_stat and not is_prior:
        changes["priority"] = "stat"
    connection.execute(CHANGE_STUDY, {"of_study": key, **changes})
    return Kept(outcome="new", study_key=key, reopened=reopened, is_due=due <= now)


def _instance(received: Received, key: str, *, path: str, now: float) -> dict[str, object]:
    return {
        "sop_instance_uid": received.sop_instance_uid,
        "study_key": key,
        "series_instance_uid": received.series_instance_uid,
        "sop_class_uid": received.sop_class_uid,
        "transfer_syntax_uid": received.transfer_syntax_uid,
        "role": "source",
        "revision": 0,
        "sha256": received.sha256,
        "bytes": received.size_bytes,
        "path": path,
        "received_at": now,
        "calling_ae": received.calling_ae,
        "header": received.instance_header,
    }


def find_known(connection: Connection, received: Received) -> Kept | None:
    """Whether we have an instance of this UID already, before its bytes are written anywhere."""
    return _known(connection, received)


def is_wanted(connection: Connection, study_key: str, *, site: str, now: float, quiet_s: float) -> bool:
    """An image of a prior came unasked, though it is known: from now on its study is one like any other."""
    done = connection.execute(
        update(studies)
        .where(studies.c.study_key == study_key, studies.c.rule == PRIOR)
        .values(
            rule=None, site=site, state="receiving", revision=studies.c.revision + 1, due_at=now + quiet_s, code=None
        )
    )
    return done.rowcount == 1


def force_complete(connection: Connection, study_key: str, *, now: float) -> bool:
    """Let a study that is still receiving be complete at once."""
    done = connection.execute(
        update(studies).where(studies.c.study_key == study_key, studies.c.state == "receiving").values(due_at=now)
    )
    return done.rowcount == 1


def _known(connection: Connection, received: Received) -> Kept | None:
    row = connection.execute(KNOWN, {"sop_instance_uid": received.sop_instance_uid}).first()
    if row is None:
        return None
    if row.sha256 != received.sha256:
        return Kept(outcome="conflict", study_key=row.study_key)
    return Kept(outcome="same" if row.path else "cleared", study_key=row.study_key)


def _study(connection: Connection, received: Received, *, now: float, rule: str | None) -> Row[*tuple[Any, ...]]:
    wanted = {"study_instance_uid": received.study_instance_uid}
    found = connection.execute(STUDY, wanted).first()
    if found is not None:
        return found
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    priority = connection.execute(
        select(orders.c.priority).where(
            (orders.c.study_instance_uid == received.study_instance_uid)
            | (
                (orders.c.accession_number == received.accession_number)
                & (orders.c.accession_number != "")
                & (orders.c.study_instance_uid.in_(["", received.study_instance_uid]))
            )
        )
    ).scalar()
    connection.execute(
        make(studies)
        .values(
            study_key=secrets.token_hex(16),
            study_instance_uid=received.study_instance_uid,
            state="receiving",
            rule=rule,
            revision=1,
            priority=priority or "routine",
            attempts=0,
            first_received_at=now,
            last_received_at=now,
            accession_number=received.accession_number,
            patient_id=received.patient.patient_id,
            issuer=received.patient.issuer,
            header=received.study_header,
            site=received.site,
        )
        .on_conflict_do_nothing()
    )
    return connection.execute(STUDY, wanted).one()


def _count(connection: Connection, key: str) -> int:
    return int(connection.execute(COUNT, {"study_key": key}).scalar_one())
