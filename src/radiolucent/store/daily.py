"""Reports as they were kept, for whoever follows them: first where the new ones are, then a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_

from radiolucent.records.received import PRIOR
from radiolucent.records.study import StudyReport
from radiolucent.store.documents import from_text
from radiolucent.store.schema import results, studies


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a report stands in the order in which reports were made (seconds since 1970)."""

    produced_at: float = 0.0
    study_key: str = ""
    revision: int = 0


def places_after(connection: Connection, last: Place) -> list[Place]:
    """Places of all reports after one, oldest first; those of studies that were only compared with are left out."""
    rows = connection.execute(
        select(results.c.produced_at, results.c.study_key, results.c.revision)
        .join(studies, studies.c.study_key == results.c.study_key)
        .where(results.c.produced_at >= last.produced_at, studies.c.rule.is_distinct_from(PRIOR))
    )
    return sorted(place for row in rows if (place := Place(*row)) > last)


def reports_at(connection: Connection, places: Sequence[Place]) -> dict[Place, StudyReport]:
    """The reports at some places that are still there; a hundred or so at a time."""
    wanted = [(place.study_key, place.revision) for place in places]
    rows = connection.execute(
        select(results.c.produced_at, results.c.study_key, results.c.revision, results.c.report).where(
            tuple_(results.c.study_key, results.c.revision).in_(wanted)
        )
    )
    return {Place(r.produced_at, r.study_key, r.revision): from_text(StudyReport, r.report) for r in rows}
