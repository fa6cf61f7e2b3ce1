"""What an operator does from the command line while, or while not, a server runs over the same store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radiolucent.audit.export import from_lines
from radiolucent.audit.key import open_key
from radiolucent.audit.participants import Reporter
from radiolucent.cohort.drift import Chart
from radiolucent.cohort.teaching import Written
from radiolucent.errors import SettingsError
from radiolucent.ingest.rules import StudyFacts, Tried, explain, facts_of
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.machines import Machines
from radiolucent.pipeline.people import People
from radiolucent.pipeline.rereading import not_ready, read_again
from radiolucent.pipeline.retracting import Retraction
from radiolucent.prepare.identity import identify, split_part10
from radiolucent.records.audit import AuditEntry
from radiolucent.records.engine import EngineSpec
from radiolucent.records.person import MAIN_SITE
from radiolucent.report.dicom.rejection import RejectionReason
from radiolucent.settings import Rule, Settings
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store import intake, outbox, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.database import Database, file_of
from radiolucent.wiring.accounts import people_of
from radiolucent.wiring.drift_watch import Drift
from radiolucent.wiring.serving import MEGABYTE, clock
from radiolucent.wiring.standing import standing
from radiolucent.wiring.teaching import export_for_training

CLI = "command line"


def accounts(settings: Settings) -> People:
    """The accounts of an installation, which need not have run before.

    Raises
    ------
    SettingsError
        Whatever of the database cannot be done.
    """
    return people_of(settings, Journal(Database(settings.database), clock=clock))


def machines(settings: Settings) -> Machines:
    """The tokens of an installation, which need not have run before.

    Raises
    ------
    SettingsError
        Whatever of the database cannot be done.
    """
    return Machines(Journal(Database(settings.database), clock=clock))


class Desk:
    """An operator's view of the store.

    Raises
    ------
    SettingsError
        ``no_store`` where nothing was ever stored under these settings.
    """

    def __init__(self, settings: Settings) -> None:
        file = file_of(settings.database)
        if file is not None and not file.exists():
            raise SettingsError(
                "no_store",
                found=f"no store at {file}",
                expected="the database of a server that has run",
                action="Name the settings file or data folder of the server with --config or --data.",
            )
        self.settings = settings
        self._journal = Journal(Database(settings.database), clock=clock)
        self._blobs = Blobs(settings.data, reserve_bytes=settings.storage.reserve_mb * MEGABYTE)

    def status(self, *, limit: int) -> dict[str, Any]:
        """Counts, ages and the last studies, without a word of a patient."""
        return standing(self._journal, self._blobs, limit=limit)

    def drift(self) -> tuple[Chart, ...]:
        """Control charts over every report that is kept, up to yesterday."""
        return Drift(self._journal).look()

    def export_for_training(self, spec: EngineSpec, out: Path) -> Written:
        """Write what people signed as a table to learn from; raises as `teaching.export_for_training`."""
        return export_for_training(self.settings, self._journal, self._blobs, spec, out=out, actor=CLI)

    def rerun(self, study_key: str) -> None:
        """Open a finished, unrouted or quarantined study again.

        Raises
        ------
        SettingsError
            ``study_not_ready``.
        """
        with self._journal.reading() as connection:
            self._known(connection, study_key)
        read_again(self._journal, study_key, actor=CLI)

    def complete(self, study_key: str) -> None:
        """Let a study that is still receiving be complete at once.

        Raises
        ------
        SettingsError
            ``study_not_ready``.
        """
        with self._journal.entry() as entry:
            self._known(entry.connection, study_key)
            if not intake.force_complete(entry.connection, study_key, now=entry.at):
                raise not_ready("a study that is not receiving")

    def move(self, study_key: str, site: str) -> None:
        """Give a study to another site: whose people see it from then on.

        Raises
        ------
        SettingsError
            ``study_not_ready``, ``no_such_site``.
        """
        sites = sorted({MAIN_SITE, *(row.name for row in self.settings.sites)})
        if site not in sites:
            raise SettingsError(
                "no_such_site",
                found="a site that the settings do not name",
                expected=f"one of {', '.join(sites)}",
                action="Name one of them, or add it to [[sites]].",
            )
        with self._journal.entry() as entry:
            self._known(entry.connection, study_key)
            study = work.study(entry.connection, study_key)
            work.set_site(entry.connection, study_key, site)
            entry.audit(
                "setting_change",
                actor=CLI,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                setting="study_site",
                before=study.site,
                after=site,
            )

    def retract(self, study_key: str, reason: RejectionReason) -> list[str]:
        """Take a study's result back; the destinations that will be told.

        Raises
        ------
        SettingsError
            ``study_not_ready``, ``nothing_to_retract``.
        """
        with self._journal.reading() as connection:
            self._known(connection, study_key)
        retraction = Retraction(self._journal, self._blobs, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
        return retraction.retract(study_key, reason=reason, actor=CLI)

    def retry(self, destination: str | None) -> int:
        """Let refused and dead deliveries be tried again; how many."""
        with self._journal.entry() as entry:
            count = outbox.retry(entry.connection, now=entry.at, destination=destination)
            entry.audit("rerun", actor=CLI, destination=destination, deliveries=count)
        return count

    def audit_entries(self) -> Iterator[AuditEntry]:
        """The whole audit chain."""
        return self._journal.log.entries()

    def read_log(self) -> None:
        """Put on record that the audit log was read."""
        with self._journal.entry() as entry:
            entry.audit("access", actor=CLI, resource="audit_log")

    @property
    def checkpoints(self) -> Path:
        """Where the signed checkpoints are."""
        return self.settings.audit.checkpoints or self.settings.data / "audit" / "checkpoints.jsonl"

    @property
    def public_key(self) -> str:
        """The public key that verifies them, PEM."""
        return open_key(self.settings.data / "audit" / "key.pem").public_pem

    @property
    def reporter(self) -> Reporter:
        """Who this installation is, in exported audit messages."""
        return reporter_of(self.settings)

    @staticmethod
    def _known(connection: Any, study_key: str) -> None:
        if work.site_of(connection, study_key) is None:
            raise not_ready("a key of no study")


@contextmanager
def own_public_key(desk: Desk, given: Path | None) -> Iterator[Path]:
    """A file with the public key: the one given, or a passing one with the installation's own."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="radiolucent-") as folder:
        path = Path(folder) / "public.pem"
        path.write_text(desk.public_key, encoding="ascii")
        yield path


def stored_lines(path: Path) -> Iterator[AuditEntry]:
    """The entries of an exported log.

    Raises
    ------
    SettingsError
        ``no_such_path``, ``audit_export``.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            yield from from_lines(lines)
    except OSError as error:
        raise SettingsError(
            "no_such_path", found=f"no file at {path}", expected="an exported log", action="Check the path."
        ) from error


def reporter_of(settings: Settings) -> Reporter:
    """Who an installation is, in audit messages."""
    return Reporter(
        source_id=settings.site.application,
        site_id=settings.site.facility,
        ae_title=settings.dicom.ae_title,
        address=settings.dicom.host,
    )


def try_rules(rules: Sequence[Rule], path: Path, calling_ae: str) -> tuple[StudyFacts, list[Tried]]:
    """What the rules say of one DICOM file, as if it were a study: the facts they see, and each rule in order.

    Raises
    ------
    SettingsError
        ``no_such_path``.
    InputRefused
        What the door would refuse it with.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            "no_such_path", found=f"no file at {path}", expected="a DICOM file", action="Check the path."
        ) from error
    dataset, syntax = split_part10(data)
    received = identify(
        dataset,
        transfer_syntax_uid=syntax,
        calling_ae=calling_ae,
        peer="",
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
    ).received
    facts = facts_of(received.study_header, [(received.instance_header, calling_ae)])
    return facts, explain(rules, facts)
