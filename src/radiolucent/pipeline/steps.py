"""The steps of a study in the hospital: route, read, record. Each may be repeated and does its work once in effect."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

from sqlalchemy import Connection

from radiolucent.errors import InvariantBroken
from radiolucent.ingest.rules import choose, facts_of
from radiolucent.pipeline import priors
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.read_job import ReadDone, ReadJob
from radiolucent.pipeline.reader import Reader, ReaderCrashed
from radiolucent.pipeline.reading_folder import attempt, is_whole, settle
from radiolucent.pipeline.study_context import study_context
from radiolucent.pipeline.study_report import Source, build_report, not_processed, object_rows
from radiolucent.records.engine import EngineSpec
from radiolucent.records.received import PRIOR
from radiolucent.records.result import Reason
from radiolucent.records.study import Priority, StudyReport
from radiolucent.settings import Rule
from radiolucent.store import hospital, outbox, upkeep, work
from radiolucent.store.blobs import Blobs, disk_full
from radiolucent.store.kept import ObjectRow
from radiolucent.store.work import Job, StudyRow

Outcome = Literal["read", "not_processed", "crashed", "stale"]
CLEARED = Reason(
    code="images_cleared",
    text="Found images that the retention rules have cleared; expected all images of the study. "
    "What was said of it before stands; a part of a study is not read as if it were the whole.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What the rules say of a study: nothing to do where ``rule`` is ``None``."""

    rule: str | None
    engine: str | None
    destinations: tuple[str, ...]


class Steps:
    """The work behind the durable workflow. What travels between steps are keys, counts and codes, never a patient."""

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        meters: Meters,
        faults: Faults,
        *,
        rules: Sequence[Rule],
        readers: Sequence[Reader],
        urgent: Reader | None,
        guards: Literal["refuse", "flag"],
        implementation_class_uid: str,
        specs: Sequence[EngineSpec] = (),
        on_recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_recorded, self._specs = on_recorded, specs
        self._journal, self._blobs, self._meters, self._faults = journal, blobs, meters, faults
        self._rules, self._guards, self._implementation = rules, guards, implementation_class_uid
        self._idle: queue.Queue[Reader] = queue.Queue()
        for reader in readers:
            self._idle.put(reader)
        self._urgent = urgent

    def priorities(self, connection: Connection, study_keys: Sequence[str]) -> dict[str, Priority]:
        """The priority that its rule gives a study, by key; a study whose rule gives none is left out."""
        if all(rule.priority is None for rule in self._rules):
            return {}
        rules = {key: self._rule(connection, work.study(connection, key)) for key in study_keys}
        return {key: rule.priority for key, rule in rules.items() if rule is not None and rule.priority is not None}

    def _rule(self, connection: Connection, study: StudyRow) -> Rule | None:
        images = work.sources(connection, study.study_key)
        return choose(self._rules, facts_of(study.header, ((i.header, i.calling_ae) for i in images)))

    def route(self, job: Job, *, by: str) -> Routed | None:
        """Take a study into work and find its rule; ``None`` if somebody else has it, or it has moved on."""
        with self._journal.entry() as entry:
            if not work.claim(entry.connection, job, by=by):
                return None
            study = work.study(entry.connection, job.study_key)
            if study.rule == PRIOR:
                work.move(entry.connection, job, to="processing")
                return Routed(rule=PRIOR, engine=None, destinations=())
            rule = self._rule(entry.connection, study)
            if rule is None:
                work.move(entry.connection, job, to="unrouted", code="no_rule")
                entry.audit("refuse", study_instance_uid=study.study_instance_uid, code="no_rule")
                return Routed(rule=None, engine=None, destinations=())
            work.move(entry.connection, job, to="processing", rule=rule.name)
            self._faults.at("routing")
        self._faults.at("routed")
        return Routed(rule=rule.name, engine=rule.engine, destinations=rule.destinations)

    def read(self, job: Job, engine: str | None) -> tuple[Outcome, str, str]:
        """Read a study's images into its folder: the outcome, and code and text where no engine could run.

        Raises
        ------
        PeerUnavailable
            ``storage_full``: there is no room for the result, and it is tried again.
        """
        started = perf_counter()
        with self._journal.reading() as connection:
            study = work.study(connection, job.study_key)
            if study.revision != job.revision or study.state not in upkeep.PENDING:
                return "stale", "", ""
            sources = work.sources(connection, job.study_key)
            issue = work.retractions_before(connection, job)
        paths = tuple(self._blobs.path(row.path) for row in sources if row.path)
        if len(paths) < len(sources):
            return "not_processed", CLEARED.code, CLEARED.text
        folder = self._folder(job)
        if is_whole(folder, len(paths)):
            return "read", "", ""
        with attempt(folder) as scratch:
            asked = ReadJob(paths=paths, out=scratch, engine=engine, guards=self._guards, issue=issue)
            try:
                done = self._with_reader(job, asked)
            except ReaderCrashed:
                return "crashed", "reader_crashed", ""
            if done.code == "disk_full":
                raise disk_full("a data disk that takes no more")
            if done.code is None:
                settle(scratch, folder)
        self._meters.step("read", perf_counter() - started)
        self._faults.at("read")
        if done.code is not None:
            return "not_processed", done.code, done.text or ""
        return "read", "", ""

    def _with_reader(self, job: Job, asked: ReadJob) -> ReadDone:
        if job.priority == "stat" and self._urgent is not None:
            return self._urgent.read(asked)
        reader = self._idle.get()
        try:
            return reader.read(asked)
        finally:
            self._idle.put(reader)

    def record(self, job: Job, destinations: Sequence[str], outcome: Outcome, code: str, text: str) -> bool:
        """Keep the report, its objects and what is to be sent, in one transaction; no if the study has moved on."""
        started = perf_counter()
        with self._journal.reading() as connection:
            study = work.study(connection, job.study_key)
            if study.revision != job.revision or study.state != "processing":
                return False  # Recorded before the process died, or moved on: its folder is not ours to judge.
            order = hospital.order_of(
                connection, accession_number=study.accession_number, study_instance_uid=study.study_instance_uid
            )
            before = work.report(connection, job.study_key, before=job.revision)
            source = Source(
                images=work.sources(connection, job.study_key),
                context=study_context(study, order),
                revision=job.revision,
                replaces=None if before is None else before.report_id,
            )
            kept_studies = priors.kept_before(connection, study)
        now = self._journal.clock()
        if outcome == "read":
            folder = self._whole(job, len(source.images))
            made = object_rows(folder, self._blobs.root, implementation_class_uid=self._implementation)
            rows = self._as_first_made(made)
            report = build_report(folder, source, objects=rows, now=now)
            prior = priors.prior_of(kept_studies, study, [row.header for row in source.images], root=self._blobs.root)
            if prior is not None:
                report = priors.with_changes(report, folder, prior, specs=self._specs)
        else:
            rows, report = [], not_processed(Reason(code=code, text=text), source, now=now)
        self._faults.at("reported")
        with self._journal.entry() as entry:
            kept = work.record(entry.connection, job, report, rows, destinations, now=entry.at)
            if kept:
                self._audit(entry, report, study)
            self._faults.at("recording")
        self._faults.at("recorded")
        self._on_recorded()
        self._meters.step("record", perf_counter() - started)
        return kept

    def _as_first_made(self, rows: Sequence[ObjectRow]) -> list[ObjectRow]:
        """Objects that an earlier revision made already keep their content: a destination may have it.

        The same image and engine say the same, but for the time of saying it.
        """
        with self._journal.reading() as connection:
            known = outbox.made_before(connection, [row.sop_instance_uid for row in rows])
        found = []
        for row in rows:
            made = known.get(row.sop_instance_uid)
            if made is not None and self._blobs.holds(made.path, made.sha256):
                row = replace(row, path=made.path, sha256=made.sha256, size_bytes=made.bytes, header=made.header)
            found.append(row)
        return found

    def crashed(self, job: Job, *, final: bool) -> None:
        """Note that a reading process died over a study; after the last attempt it is quarantined."""
        with self._journal.entry() as entry:
            study = work.study(entry.connection, job.study_key)
            to = "quarantined" if final else "processing"
            if work.move(entry.connection, job, to=to, code="reader_crashed", attempts=1) and final:
                entry.audit(
                    "quarantine",
                    outcome="serious_failure",
                    study_instance_uid=study.study_instance_uid,
                    patient_id=study.patient_id,
                    code="reader_crashed",
                )

    def _whole(self, job: Job, images: int) -> Path:
        """A study's result folder; one from which something is gone is never reported as if it were all."""
        folder = self._folder(job)
        if not is_whole(folder, images):
            shutil.rmtree(folder, ignore_errors=True)
            raise InvariantBroken(
                "result_folder_incomplete",
                found="a result folder from which images are missing",
                expected="a result for every image of the study",
                action="See to the disk; the study is read again by itself.",
            )
        return folder

    def _folder(self, job: Job) -> Path:
        return priors.folder_of(self._blobs.root, job.study_key, job.revision)

    @staticmethod
    def _audit(entry: Entry, report: StudyReport, study: StudyRow) -> None:
        for engine in report.engines:
            entry.audit(
                "inference",
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                engine=engine.id,
                version=engine.version,
                sha256=engine.sha256,
                images=len(report.images),
            )
        entry.audit(
            "result",
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient_id,
            report=report.report_id,
            status=report.status,
            revision=report.revision,
            positives=len(report.positives),
            code=report.refusals[0].code if report.refusals else None,
        )
