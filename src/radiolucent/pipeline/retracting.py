"""Take a wrong result back everywhere it was sent: a rejection note, corrections by HL7 and FHIR, an audit entry."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from radiolucent.deliver.image_folder import write_dicom
from radiolucent.errors import SettingsError
from radiolucent.pipeline.journal import OURSELVES, Journal
from radiolucent.pipeline.study_report import object_rows, report_id, result_object, standing_objects
from radiolucent.records.study import StudyReport
from radiolucent.report.dicom.build import encode
from radiolucent.report.dicom.rejection import RejectionReason, build_rejection
from radiolucent.store import hospital, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.kept import ObjectRow
from radiolucent.store.work import Job


class Retraction:
    """Takes results back."""

    def __init__(self, journal: Journal, blobs: Blobs, *, implementation_class_uid: str) -> None:
        self._journal, self._blobs, self._implementation = journal, blobs, implementation_class_uid

    def retract(self, study_key: str, *, reason: RejectionReason, actor: str = OURSELVES) -> list[str]:
        """Retract the last report of a study; the destinations that will be told.

        Raises
        ------
        SettingsError
            ``nothing_to_retract``.
        """
        while True:  # a new result may be recorded at the same moment: then that one is taken back
            names = self._try(study_key, reason, actor)
            if names is not None:
                return names

    def _try(self, study_key: str, reason: RejectionReason, actor: str) -> list[str] | None:
        with self._journal.reading() as connection:
            study = work.study(connection, study_key)
            report = work.report(connection, study_key)
            if report is not None:
                report = hospital.as_known_today(connection, report)
                earlier = work.reports_before(connection, study_key, report.revision)
                report = replace(report, objects=standing_objects(report, earlier))
        if report is None or report.state == "retracted":
            raise SettingsError(
                "nothing_to_retract",
                found="a study without a result, or whose result is retracted already",
                expected="a study with a result",
                action="See `radiolucent status` for the studies and their states.",
            )
        rows = self._note(report, study_key, reason)
        told = _retracted(report, rows)
        job = Job(study_key=study_key, revision=report.revision, priority=study.priority)
        with self._journal.entry() as entry:
            names = work.retract(entry.connection, job, told, rows, now=entry.at)
            if names is None:
                return None
            entry.audit(
                "retract",
                actor=actor,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                report=report.report_id,
                reason=reason,
                destinations=", ".join(names),
            )
        return names

    def _note(self, report: StudyReport, study_key: str, reason: RejectionReason) -> list[ObjectRow]:
        if not report.objects:
            return []
        folder = (
            self._blobs.root
            / "results"
            / study_key
            / "retraction"
            / hashlib.sha256(f"{report.report_id}/{reason}".encode()).hexdigest()[:16]
        )
        note = build_rejection(report, reason=reason, now=self._journal.clock())
        write_dicom(folder / "study", "rejection", encode(note))
        return object_rows(folder, self._blobs.root, implementation_class_uid=self._implementation)


def _retracted(report: StudyReport, rows: list[ObjectRow]) -> StudyReport:
    note = tuple(result_object(row) for row in rows)
    return replace(
        report,
        report_id=report_id(report.context.study_instance_uid, report.revision, report.engines, "retracted"),
        state="retracted",
        replaces=report.report_id,
        objects=(*report.objects, *note),
    )
