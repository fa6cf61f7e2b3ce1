"""Deliveries that wait, are tried, succeed or die."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, func, select, update

from radiolucent.store.schema import deliveries, instances

State = Literal["waiting", "sent", "refused", "dead", "superseded"]
DUE = (
    select(deliveries)
    .where(deliveries.c.state == "waiting", deliveries.c.next_at <= bindparam("now"))
    .order_by(deliveries.c.priority.desc(), deliveries.c.next_at)
    .limit(bindparam("most"))
)
"""Asked many times a second, and so built once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is to be sent where. ``done``: SOP Instance UIDs that the destination has said it stored.

    ``attempts`` counts all; those before ``retried_at`` no longer count against patience.
    """

    delivery_id: str
    study_key: str
    revision: int
    destination: str
    purpose: str
    state: State
    priority: str
    attempts: int
    retried_at: int
    next_at: float
    code: str | None
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The content that an object of ours has."""

    sop_instance_uid: str
    path: str
    sha256: str
    bytes: int
    header: str


def _delivery(row: object) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__dataclass_fields__}
    return Delivery(**values | {"done": tuple(json.loads(values["done"]))})


def due(connection: Connection, *, now: float, limit: int = 200) -> list[Delivery]:
    """Deliveries whose time has come, urgent ones first."""
    rows = connection.execute(DUE, {"now": now, "most": limit})
    return [_delivery(row) for row in rows]


def find(connection: Connection, delivery_id: str) -> Delivery | None:
    """A delivery by its identity."""
    row = connection.execute(select(deliveries).where(deliveries.c.delivery_id == delivery_id)).first()
    return None if row is None else _delivery(row)


def of_study(connection: Connection, study_key: str) -> list[Delivery]:
    """All deliveries of a study."""
    rows = connection.execute(select(deliveries).where(deliveries.c.study_key == study_key))
    return [_delivery(row) for row in rows]


def settle(
    connection: Connection,
    delivery: Delivery,
    *,
    state: State,
    now: float,
    code: str | None = None,
    next_at: float = 0.0,
    done: Sequence[str] = (),
) -> bool:
    """Note the outcome of one attempt; no if another attempt noted its own already."""
    changed = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.delivery_id == delivery.delivery_id,
            deliveries.c.state == "waiting",
            deliveries.c.attempts == delivery.attempts,
        )
        .values(
            state=state,
            attempts=delivery.attempts + 1,
            code=code,
            next_at=next_at,
            sent_at=now if state == "sent" else None,
            done=json.dumps(sorted({*delivery.done, *done})),
        )
    )
    return changed.rowcount == 1


def retry(connection: Connection, *, now: float, destination: str | None = None) -> int:
    """Let refused and dead deliveries be tried again; how many."""
    chosen = update(deliveries).where(deliveries.c.state.in_(["refused", "dead"]))
    if destination is not None:
        chosen = chosen.where(deliveries.c.destination == destination)
    changes = {"state": "waiting", "next_at": now, "retried_at": deliveries.c.attempts, "code": None}
    return connection.execute(chosen.values(changes)).rowcount


def stored_before(connection: Connection, study_key: str, destination: str) -> frozenset[str]:
    """SOP Instance UIDs of a study that a destination has stored, by any delivery so far."""
    rows = connection.execute(
        select(deliveries.c.done).where(deliveries.c.study_key == study_key, deliveries.c.destination == destination)
    )
    return frozenset(uid for row in rows for uid in json.loads(row.done))


def files(connection: Connection, uids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Kind, SOP Instance UID and relative path of objects of ours."""
    rows = connection.execute(
        select(instances.c.kind, instances.c.sop_instance_uid, instances.c.path)
        .where(instances.c.sop_instance_uid.in_(uids), instances.c.role == "result")
        .order_by(instances.c.sop_instance_uid)
    )
    return [(row.kind, row.sop_instance_uid, row.path) for row in rows]


def made_before(connection: Connection, uids: Sequence[str]) -> dict[str, Made]:
    """Our objects of these SOP Instance UIDs, as they were kept when they were first made."""
    names = [instances.c[name] for name in Made.__dataclass_fields__]
    rows = connection.execute(
        select(*names).where(
            instances.c.sop_instance_uid.in_(uids), instances.c.role == "result", instances.c.path != ""
        )
    )
    return {row.sop_instance_uid: Made(**row._mapping) for row in rows}


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Deliveries by destination and state."""
    rows = connection.execute(
        select(deliveries.c.destination, deliveries.c.state, func.count()).group_by(
            deliveries.c.destination, deliveries.c.state
        )
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}
