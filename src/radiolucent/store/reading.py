"""The worklist as the store has it: a row for each study, and a cheap number that changes when any of it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.sql import ColumnElement

from radiolucent.records.decision import Lease
from radiolucent.records.person import EVERYTHING, Sight
from radiolucent.records.study import Outcome
from radiolucent.store.archive import in_sight
from radiolucent.store.documents import from_text
from radiolucent.store.kept import SIGNED
from radiolucent.store.schema import decisions, instances, leases, results, studies

PAGE = 200
Version = tuple[int, float, str]
_DECIDED = select(
    decisions.c.study_key, decisions.c.report_id, decisions.c.outcome, decisions.c.signed_at, decisions.c.reader
).order_by(decisions.c.signed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidFinding:
    """What a worklist shows of one finding."""

    engine: str
    key: str
    display: str
    probability: float
    confidence: str
    zone: str | None
    positive: bool
    critical: bool
    alert: bool
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a worklist shows of a report; ``findings`` are in the report's order."""

    report_id: str
    state: str
    modality: str
    findings: tuple[SaidFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The last decision on a report: its outcome, when it was signed, by which account."""

    outcome: Outcome
    at: float
    reader: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """A study for the worklist; ``said`` is the engines' last report, ``first_image`` the header of one image.

    ``decided`` is about that report.
    """

    study_key: str
    study_instance_uid: str
    state: str
    status: str | None
    code: str | None
    priority: str
    first_received_at: float
    done_at: float | None
    accession_number: str
    patient_id: str
    issuer: str
    header: str
    first_image: str | None
    said: Said | None
    decided: Decided | None
    site: str
    lease: Lease | None


def _last_engine_revision() -> ColumnElement[int]:
    other = results.alias()
    return (
        select(func.max(other.c.revision))
        .where(other.c.study_key == studies.c.study_key, other.c.state.not_in(SIGNED))
        .scalar_subquery()
    )


class Memory:
    """Reports in short, by the version they are of: a kept report never changes under the same version."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Version, Said]] = {}

    def said(self, connection: Connection, wanted: Mapping[str, Version]) -> dict[str, Said]:
        """The reports of studies in short; those that are not known yet are read."""
        new = [key for key, version in wanted.items() if self._known.get(key, (None,))[0] != version]
        for start in range(0, len(new), PAGE):
            some = new[start : start + PAGE]
            texts = connection.execute(
                select(results.c.study_key, results.c.revision, results.c.report).where(results.c.study_key.in_(some))
            )
            for row in texts:
                version = wanted[row.study_key]
                if row.revision == version[0]:
                    self._known[row.study_key] = (version, _said(json.loads(row.report)))
        return {key: self._known[key][1] for key in wanted if key in self._known}


def rows(connection: Connection, memory: Memory, sight: Sight = EVERYTHING, *, most: int = 5000) -> list[WorkRow]:
    """Every study in sight, newest first; of more than ``most`` the oldest are left out."""
    columns = [name for name in WorkRow.__dataclass_fields__ if name in studies.c]
    image = (
        select(func.min(instances.c.header))
        .where(instances.c.study_key == studies.c.study_key, instances.c.role == "source")
        .scalar_subquery()
    )
    query = (
        select(
            *(studies.c[name] for name in columns),
            image.label("first_image"),
            results.c.revision,
            results.c.produced_at,
            results.c.state.label("result_state"),
            leases.c.body.label("lease"),
        )
        .select_from(studies)
        .outerjoin(
            results,
            and_(results.c.study_key == studies.c.study_key, results.c.revision == _last_engine_revision()),
        )
        .outerjoin(leases, leases.c.study_key == studies.c.study_key)
        .where(in_sight(sight))
        .order_by(studies.c.first_received_at.desc(), studies.c.study_key)
        .limit(most)
    )
    found = connection.execute(query).all()
    versions = {r.study_key: (r.revision, r.produced_at, r.result_state) for r in found if r.revision is not None}
    said = memory.said(connection, versions)
    decided = {
        (row.study_key, row.report_id): Decided(outcome=row.outcome, at=row.signed_at, reader=row.reader)
        for row in connection.execute(_DECIDED)
    }
    return [
        WorkRow(
            **{name: getattr(row, name) for name in columns},
            first_image=row.first_image,
            said=(one := said.get(row.study_key)),
            decided=None if one is None else decided.get((row.study_key, one.report_id)),
            lease=None if row.lease is None else from_text(Lease, row.lease),
        )
        for row in found
    ]


def _said(report: Mapping[str, Any]) -> Said:
    return Said(
        report_id=report["report_id"],
        state=report["state"],
        modality=report["modality"],
        findings=tuple(
            SaidFinding(
                engine=f["engine"]["id"],
                flags=tuple(f["flags"]),
                **{name: f[name] for name in ("key", "display", "probability", "confidence", "zone")},
                **{name: f[name] for name in ("positive", "critical", "alert")},
            )
            for f in report["findings"]
        ),
    )


def version(connection: Connection, *, now: float) -> int:
    """A number that is another one whenever the worklist may be: cheap enough to be asked each second. 48 bits."""
    parts = [
        select(func.count(), func.max(studies.c.last_received_at), func.max(studies.c.done_at)),
        select(studies.c.state, func.count(), func.sum(studies.c.revision), func.sum(studies.c.attempts))
        .group_by(studies.c.state)
        .order_by(studies.c.state),
        select(func.count(), func.max(decisions.c.signed_at)),
        select(func.count(), func.max(leases.c.until)).where(leases.c.until > now),
        select(func.count(), func.max(results.c.produced_at)).where(results.c.state == "retracted"),
    ]
    found = [[tuple(row) for row in connection.execute(part)] for part in parts]
    return int(hashlib.sha256(repr(found).encode()).hexdigest()[:12], 16)
