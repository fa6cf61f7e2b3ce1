"""What turned out to be true of studies, known later than their reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Select, delete, func, insert, select

from radiolucent.store.schema import instances, studies, truths

Labels = dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Whether a finding is there: in an image (its SOP Instance UID), or in a study as a whole (``image`` empty)."""

    study_key: str
    image: str
    finding: str
    is_present: bool


def named(connection: Connection, name: str) -> list[tuple[str, str]]:
    """Study key and image of what a name means: a SOP or Study Instance UID, or an accession number, of which there may
    be several studies."""
    sought = select(instances.c.study_key).where(instances.c.sop_instance_uid == name, instances.c.role == "source")
    if (key := connection.execute(sought).scalar()) is not None:
        return [(key, name)]
    mine = (studies.c.study_instance_uid == name) | (studies.c.accession_number == name)
    return [(row.study_key, "") for row in connection.execute(select(studies.c.study_key).where(mine))]


def put(connection: Connection, known: Iterable[Truth], *, basis: str, now: float) -> None:
    """Keep truth in the place of what was said of the same before."""
    for each in known:
        same = (truths.c.study_key == each.study_key) & (truths.c.image == each.image)
        connection.execute(delete(truths).where(same, truths.c.finding == each.finding))
        connection.execute(
            insert(truths).values(
                study_key=each.study_key,
                finding=each.finding,
                image=each.image,
                is_present=each.is_present,
                basis=basis,
                at=now,
            )
        )


def by_study(connection: Connection) -> Mapping[str, Labels]:
    """Whether findings are in studies, by study key; of a study as a whole, else of its images.

    A finding is absent from a study of several images where it is known to be absent from each of them.
    """
    sources = dict(iter(connection.execute(_sources())))
    whole: dict[str, Labels] = defaultdict(dict)
    images: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in connection.execute(select(truths)):
        if row.image:
            images[row.study_key, row.finding].append(row.is_present)
        else:
            whole[row.study_key][row.finding] = row.is_present
    for (key, finding), said in images.items():
        if any(said) or len(said) == sources.get(key):
            whole[key].setdefault(finding, any(said))
    return dict(whole)


def by_image(connection: Connection) -> Mapping[str, Mapping[str, Labels]]:
    """Everything that is known, by study key and image (empty: the study as a whole)."""
    found: dict[str, dict[str, Labels]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(select(truths)):
        found[row.study_key][row.image][row.finding] = row.is_present
    return found


def _sources() -> Select[str, int]:
    return (
        select(instances.c.study_key, func.count())
        .where(instances.c.role == "source", instances.c.study_key.in_(select(truths.c.study_key)))
        .group_by(instances.c.study_key)
    )
