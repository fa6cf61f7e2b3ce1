"""What is kept of a result: the report, the objects made of it, and what is to be sent where."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from radiolucent.records.study import InstanceRef, Priority, ReportState, StudyReport
from radiolucent.store.documents import to_text
from radiolucent.store.schema import deliveries, instances, results

Purpose = Literal["result", "retract"]
SIGNED: tuple[ReportState, ...] = ("verified", "final")
"""States of results that a person signed; every other result is the engines'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object that we made, as it will be kept; ``source_uid`` is the image it speaks of."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    kind: str
    source_uid: str
    sha256: str
    size_bytes: int
    path: str
    header: str

    @property
    def ref(self) -> InstanceRef:
        """Its identity."""
        return InstanceRef(
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            series_instance_uid=self.series_instance_uid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which study, which revision of its result, how urgent."""

    study_key: str
    revision: int
    priority: Priority


def keep_report(connection: Connection, place: Place, report: StudyReport, *, now: float) -> None:
    """Keep a report as that of a revision."""
    here = (results.c.study_key == place.study_key) & (results.c.revision == place.revision)
    connection.execute(delete(results).where(here))
    connection.execute(
        insert(results).values(
            study_key=place.study_key,
            revision=place.revision,
            status=report.status,
            state=report.state,
            report=to_text(report),
            produced_at=now,
        )
    )


def keep_objects(connection: Connection, place: Place, objects: Iterable[ObjectRow], *, now: float) -> None:
    """Keep objects; one that an earlier revision made already is of this one from now on."""
    made = list(objects)
    if not made:
        return
    uids = [row.sop_instance_uid for row in made]
    connection.execute(delete(instances).where(instances.c.sop_instance_uid.in_(uids), instances.c.role == "result"))
    connection.execute(
        insert(instances),
        [
            {
                "sop_instance_uid": row.sop_instance_uid,
                "study_key": place.study_key,
                "series_instance_uid": row.series_instance_uid,
                "sop_class_uid": row.sop_class_uid,
                "transfer_syntax_uid": row.transfer_syntax_uid,
                "role": "result",
                "kind": row.kind,
                "source_uid": row.source_uid,
                "revision": place.revision,
                "sha256": row.sha256,
                "bytes": row.size_bytes,
                "path": row.path,
                "received_at": now,
                "calling_ae": "",
                "header": row.header,
            }
            for row in made
        ],
    )


def reached(connection: Connection, study_key: str) -> list[str]:
    """Destinations that any result of a study was meant for."""
    rows = connection.execute(
        select(deliveries.c.destination)
        .where(deliveries.c.study_key == study_key, deliveries.c.purpose == "result")
        .distinct()
    )
    return sorted(row.destination for row in rows)


def fill_outbox(connection: Connection, place: Place, wanted: Sequence[tuple[str, Purpose]], *, now: float) -> None:
    """A row for each destination and purpose; a result that an earlier revision still wanted to send is superseded.

    What takes objects back is not: whoever has them must still be told.
    """
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.study_key == place.study_key,
            deliveries.c.revision <= place.revision,
            deliveries.c.purpose == "result",
            deliveries.c.state == "waiting",
        )
        .values(state="superseded")
    )
    for name, purpose in wanted:
        identity = hashlib.sha256(f"{place.study_key}/{place.revision}/{name}/{purpose}".encode()).hexdigest()
        connection.execute(delete(deliveries).where(deliveries.c.delivery_id == identity))
        connection.execute(
            insert(deliveries).values(
                delivery_id=identity,
                study_key=place.study_key,
                revision=place.revision,
                destination=name,
                purpose=purpose,
                state="waiting",
                priority=place.priority,
                attempts=0,
                retried_at=0,
                next_at=now,
                created_at=now,
                done="[]",
            )
        )
