"""Earlier studies of a patient that were read and are still kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, tuple_

from radiolucent.records.received import PRIOR
from radiolucent.records.study import Patient
from radiolucent.store.hospital import patient_of
from radiolucent.store.kept import SIGNED
from radiolucent.store.schema import instances, patients, results, studies

READ = ("positive", "nothing_found")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStudy:
    """A study of the same patient with a result that stands.

    ``headers`` holds one image header for each of its series, as DICOM JSON; ``revision`` is that of the result.
    """

    study_key: str
    study_instance_uid: str
    revision: int
    header: str
    headers: tuple[str, ...]


def identities(connection: Connection, patient: Patient) -> list[tuple[str, str]]:
    """Every identifier and issuer under which images of a patient may stand: merges are followed both ways.

    Empty without an identifier: many images of nobody are not one patient.
    """
    if not patient.patient_id.strip():
        return []
    survivor = patient_of(connection, patient)
    rows = connection.execute(
        select(patients.c.patient_id, patients.c.issuer).where(
            patients.c.merged_into_id == survivor.patient_id, patients.c.merged_into_issuer == survivor.issuer
        )
    )
    found = [(patient.patient_id, patient.issuer), (survivor.patient_id, survivor.issuer)]
    return sorted({*found, *((row.patient_id, row.issuer) for row in rows)})


def read_before(connection: Connection, patient: Patient, *, but: str, limit: int) -> list[KeptStudy]:
    """Studies of the patient that were read, most recently received first; ``but`` is the study that asks.

    Two issuers that differ are two patients; an image that names no issuer is taken for the site's own.
    """
    who = identities(connection, patient)
    if not who:
        return []
    whose = [*who, *((identifier, "") for identifier, _ in who)]
    same = tuple_(studies.c.patient_id, studies.c.issuer).in_(sorted(set(whose)))
    if not patient.issuer:
        same = studies.c.patient_id.in_(sorted({identifier for identifier, _ in who}))
    last = (
        select(results.c.study_key, func.max(results.c.revision).label("revision"))
        .where(results.c.state.not_in(SIGNED))
        .group_by(results.c.study_key)
        .subquery()
    )
    rows = connection.execute(
        select(studies.c.study_key, studies.c.study_instance_uid, studies.c.header, last.c.revision)
        .join(last, last.c.study_key == studies.c.study_key)
        .where(same, studies.c.study_key != but, studies.c.state == "done", studies.c.status.in_(READ))
        .order_by(studies.c.first_received_at.desc())
        .limit(limit)
    ).all()
    headers = _headers(connection, [row.study_key for row in rows])
    return [
        KeptStudy(
            study_key=row.study_key,
            study_instance_uid=row.study_instance_uid,
            revision=row.revision,
            header=row.header,
            headers=headers.get(row.study_key, ()),
        )
        for row in rows
    ]


def just_come(connection: Connection, *, since: float) -> list[str]:
    """Keys of studies of which the first image came since, and that were not asked for."""
    rows = connection.execute(
        select(studies.c.study_key)
        .where(
            studies.c.first_received_at >= since,
            studies.c.state.in_(["receiving", "ready", "processing"]),
            studies.c.rule.is_distinct_from(PRIOR),
        )
        .order_by(studies.c.first_received_at)
    )
    return [row.study_key for row in rows]


def key_of(connection: Connection, study_instance_uid: str) -> str | None:
    """The key of a study that is here."""
    wanted = select(studies.c.study_key).where(studies.c.study_instance_uid == study_instance_uid)
    return connection.execute(wanted).scalar()


def _headers(connection: Connection, keys: list[str]) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        select(instances.c.study_key, func.min(instances.c.header).label("header"))
        .where(instances.c.study_key.in_(keys), instances.c.role == "source")
        .group_by(instances.c.study_key, instances.c.series_instance_uid)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        found[row.study_key] = (*found.get(row.study_key, ()), row.header)
    return found
