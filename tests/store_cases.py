"""Instances, studies and reports for tests of the store, and threads that begin together."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from radiolucent.records.received import Kept, Received
from radiolucent.records.study import InstanceRef, Patient, ResultObject, StudyContext, StudyReport
from radiolucent.store import intake, work
from radiolucent.store.database import Database
from radiolucent.store.kept import ObjectRow
from radiolucent.store.work import Job

T = TypeVar("T")
ROOT = "1.2.826.0.1.3680043.8.498"
CR, SC = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT = "1.2.840.10008.1.2.1"
NOW = 1_800_000_000.0
QUIET_S = 5.0
PATIENT = Patient(patient_id="MARKER-ID-77", issuer="", name="Marker^Patient^Name", birth_date="19600102", sex="F")


def study_uid(number: int = 1) -> str:
    return f"{ROOT}.1.{number}"


def received(number: int = 1, *, study: int = 1, content: str = "a", **changes: object) -> Received:
    """Instance ``number`` of a study."""
    made = Received(
        sop_instance_uid=f"{ROOT}.3.{study}.{number}",
        sop_class_uid=CR,
        transfer_syntax_uid=EXPLICIT,
        study_instance_uid=study_uid(study),
        series_instance_uid=f"{ROOT}.2.{study}",
        sha256=hashlib.sha256(f"{study}/{number}/{content}".encode()).hexdigest(),
        size_bytes=100,
        patient=PATIENT,
        accession_number=f"ACC{study}",
        study_header=json.dumps({"00100020": {"vr": "LO", "Value": [PATIENT.patient_id]}}),
        instance_header=json.dumps({"00080060": {"vr": "CS", "Value": ["CR"]}}),
        calling_ae="MODALITY",
        peer="10.0.0.7",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def take(database: Database, one: Received, *, now: float = NOW, path: str = "instances/x.dcm") -> Kept:
    with database.transaction() as connection:
        return intake.keep(connection, one, path=path, now=now, quiet_s=QUIET_S)


def standing(database: Database, key: str) -> work.StudyRow:
    with database.reading() as connection:
        return work.study(connection, key)


def due_at(database: Database, key: str) -> float | None:
    from sqlalchemy import select

    from radiolucent.store.schema import studies

    with database.reading() as connection:
        return connection.execute(select(studies.c.due_at).where(studies.c.study_key == key)).scalar_one()


def in_work(database: Database, number: int = 1, *, priority: str = "routine") -> Job:
    """A study with one image that is due, ready and claimed."""
    take(database, received(study=number, is_stat=priority == "stat"))
    with database.transaction() as connection:
        jobs = {job.study_key: job for job in work.claim_due(connection, now=NOW + QUIET_S)}
        (job,) = [
            j for j in jobs.values() if work.study(connection, j.study_key).study_instance_uid == study_uid(number)
        ]
        assert work.claim(connection, job, by=f"workflow-{number}")
    return job


def object_row(number: int, *, study: int = 1, kind: str = "secondary_capture") -> ObjectRow:
    return ObjectRow(
        sop_instance_uid=f"{ROOT}.9.{study}.{number}",
        sop_class_uid=SC,
        series_instance_uid=f"{ROOT}.8.{study}",
        transfer_syntax_uid=EXPLICIT,
        kind=kind,
        source_uid=f"{ROOT}.3.{study}.1",
        sha256=f"{study:032x}{number:032x}",
        size_bytes=10,
        path=f"results/{study}/{number}.dcm",
        header="{}",
    )


def report(job: Job, *, study: int = 1, objects: Sequence[ObjectRow] = (), **changes: object) -> StudyReport:
    made = StudyReport(
        report_id=f"{study:016x}{job.revision:016x}",
        revision=job.revision,
        state="preliminary",
        status="nothing_found",
        context=StudyContext(
            study_instance_uid=study_uid(study),
            accession_number=f"ACC{study}",
            patient=PATIENT,
            started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        produced_at=datetime(2026, 1, 2, 3, 5, 0, tzinfo=UTC),
        software_version="0",
        engines=(),
        findings=(),
        refusals=(),
        images=(InstanceRef(sop_class_uid=CR, sop_instance_uid=f"{ROOT}.3.{study}.1", series_instance_uid=ROOT),),
        objects=tuple(
            ResultObject(kind="secondary_capture", instance=row.ref, source_sop_instance_uid=row.source_uid)
            for row in objects
        ),
        impression="Nothing found.",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def record(
    database: Database,
    job: Job,
    *,
    study: int = 1,
    destinations: Sequence[str] = ("pacs",),
    objects: Sequence[ObjectRow] = (),
    now: float = NOW + 10,
) -> bool:
    with database.transaction() as connection:
        said = report(job, study=study, objects=objects)
        return work.record(connection, job, said, objects, destinations, now=now)


def together(count: int, do: Callable[[int], T]) -> list[T]:
    """What ``count`` threads give that begin at the same moment."""
    line = threading.Barrier(count)

    def begin(number: int) -> T:
        line.wait(30)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))
