"""What is kept, as an archive is searched: rows with their DICOM JSON headers, newest studies first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, or_, select, true

from radiolucent.records.person import EVERYTHING, Sight
from radiolucent.store.schema import instances, studies

PAGE = 500
INDEXED: Mapping[str, str] = {
    "StudyInstanceUID": "study_instance_uid",
    "AccessionNumber": "accession_number",
}
"""Attributes by which the database narrows a search; the rest is matched outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyHeader:
    """A study and its header."""

    study_key: str
    study_instance_uid: str
    header: str
    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeader:
    """A kept instance and its header."""

    study_key: str
    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str
    header: str


def in_sight(sight: Sight) -> ColumnElement[bool]:
    """The studies that somebody may see."""
    if sight.is_everything:
        return true()
    return or_(studies.c.site.in_(sorted(sight.sites)), studies.c.study_key.in_(sorted(sight.studies)))


def studies_of(connection: Connection, exact: Mapping[str, str], sight: Sight = EVERYTHING) -> Iterator[StudyHeader]:
    """Studies in sight whose indexed attributes have exactly these values, newest first."""
    names = [studies.c[name] for name in StudyHeader.__dataclass_fields__]
    rows = select(*names).where(in_sight(sight))
    for keyword, value in exact.items():
        rows = rows.where(studies.c[INDEXED[keyword]] == value)
    found = connection.execution_options(yield_per=PAGE).execute(
        rows.order_by(studies.c.first_received_at.desc(), studies.c.study_key)
    )
    for row in found:
        yield StudyHeader(**row._mapping)


def instances_of(
    connection: Connection, study_keys: list[str], *, series: str | None = None, instance: str | None = None
) -> list[InstanceHeader]:
    """Kept instances of studies, images before results, in a stable order."""
    names = [instances.c[name] for name in InstanceHeader.__dataclass_fields__]
    rows = select(*names).where(instances.c.study_key.in_(study_keys), instances.c.path != "")
    if series is not None:
        rows = rows.where(instances.c.series_instance_uid == series)
    if instance is not None:
        rows = rows.where(instances.c.sop_instance_uid == instance)
    ordered = rows.order_by(instances.c.role.desc(), instances.c.series_instance_uid, instances.c.sop_instance_uid)
    return [InstanceHeader(**row._mapping) for row in connection.execute(ordered)]


def path_of(connection: Connection, sop_instance_uid: str) -> str | None:
    """Relative path of a kept instance."""
    found = connection.execute(
        select(instances.c.path).where(instances.c.sop_instance_uid == sop_instance_uid)
    ).scalar()
    return found or None


def are_in_sight(connection: Connection, study_instance_uids: Collection[str], sight: Sight) -> set[str]:
    """Those of these studies that somebody may see; one that is not here is in nobody's sight but of everything's."""
    if sight.is_everything:
        return set(study_instance_uids)
    named = studies.c.study_instance_uid.in_(sorted(study_instance_uids))
    return set(connection.execute(select(studies.c.study_instance_uid).where(named, in_sight(sight))).scalars())
