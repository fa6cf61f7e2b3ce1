"""A running installation: every room put together out of one settings object."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import radiolucent
from radiolucent.audit.checkpoint import CheckpointFile
from radiolucent.audit.key import open_key
from radiolucent.deliver import commitment
from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.errors import EngineError, SettingsError
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.logs import event
from radiolucent.pipeline.durable import Durable, Width
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.heart import Heart
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.meters import Levels, Meters
from radiolucent.pipeline.reader import Reader, ReaderCrashed
from radiolucent.pipeline.receiving import Intake
from radiolucent.pipeline.retracting import Retraction
from radiolucent.pipeline.sending import Dispatch, Patience, Sender
from radiolucent.pipeline.service import Service, Upkeep
from radiolucent.pipeline.steps import Steps
from radiolucent.records.door import Offered
from radiolucent.records.engine import EngineSpec
from radiolucent.settings import Settings
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store import outbox, upkeep, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.database import Database
from radiolucent.wiring import tls
from radiolucent.wiring.accounts import people_of
from radiolucent.wiring.drift_watch import DriftWatch
from radiolucent.wiring.senders import senders as make_senders

log = logging.getLogger(__name__)
MEGABYTE = 2**20


def clock() -> datetime:
    """Now, with the time zone of this machine."""
    return datetime.now().astimezone()


class Installation:
    """Everything a process of an installation holds, from start to stop.

    Raises
    ------
    SettingsError
        Whatever of the settings cannot be done here: a folder, a port, a certificate, a database.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        faults: Faults | None = None,
        senders: Mapping[str, Sender] | None = None,
        clock: Callable[[], datetime] = clock,
    ) -> None:
        self.settings = settings
        self.faults = faults or Faults()
        self.worker_id = settings.worker_id or socket.gethostname()
        self.specs = _engines(settings)
        _make_folder(settings.data)
        self.database = Database(settings.database)
        self.blobs = Blobs(settings.data, reserve_bytes=settings.storage.reserve_mb * MEGABYTE)
        self.journal = Journal(self.database, clock=clock)
        self.meters = Meters()
        reader = settings.reader
        made = [
            Reader(
                reader.engines,
                timeout_s=reader.timeout_s,
                memory_bytes=reader.memory_mb * MEGABYTE,
                yields=reader.urgent_process and number < reader.processes,
            )
            for number in range((reader.processes + reader.urgent_process) if reader.enabled else 0)
        ]
        self.readers = tuple(made)
        self.alarm = alarm = threading.Event()
        self.steps = Steps(
            self.journal,
            self.blobs,
            self.meters,
            self.faults,
            rules=settings.rules,
            readers=made[: reader.processes],
            urgent=made[-1] if reader.enabled and reader.urgent_process else None,
            guards=reader.guards,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            specs=self.specs,
            on_recorded=alarm.set,
        )
        delivery = settings.delivery
        self.dispatch = Dispatch(
            self.journal,
            self.blobs,
            make_senders(settings) if senders is None else senders,
            Patience(
                first_wait_s=delivery.first_wait_s,
                longest_wait_s=delivery.longest_wait_s,
                max_attempts=delivery.max_attempts,
            ),
            self.faults,
        )
        self.durable = Durable(
            self.steps,
            self.dispatch,
            self.faults,
            url=_workflow_url(settings),
            worker_id=self.worker_id,
            width=Width(
                readers=reader.processes,
                urgent=1 if reader.urgent_process else 0,
                senders=delivery.parallel,
                max_attempts=reader.max_attempts,
            ),
            works=reader.enabled,
        )
        self._anchor = CheckpointFile(
            settings.audit.checkpoints or settings.data / "audit" / "checkpoints.jsonl",
            open_key(settings.data / "audit" / "key.pem"),
        )
        self.heart = Heart(self.journal, worker_id=self.worker_id)
        self.service = Service(
            self.journal,
            self.blobs,
            self.durable,
            heart=self.heart,
            alarm=alarm,
            upkeep=Upkeep(
                images_days=settings.retention.images_days,
                results_days=settings.retention.results_days,
                checkpoint_s=settings.audit.checkpoint_minutes * 60,
                max_attempts=reader.max_attempts,
                quiet_s=settings.completion.quiet_s,
                longest_wait_s=delivery.longest_wait_s,
            ),
            checkpoint=self.checkpoint,
            priorities=self.steps.priorities,
        )
        self.intake = Intake(
            self.journal,
            self.blobs,
            self.meters,
            self.faults,
            quiet_s=settings.completion.quiet_s,
            most_bytes=settings.dicom.max_instance_mb * MEGABYTE,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            sites=settings.site_by_caller,
            on_due=self.service.wake,
        )
        self.retraction = Retraction(self.journal, self.blobs, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
        self.people = people_of(settings, self.journal)
        self.drift = DriftWatch(self.journal, self.meters)
        self.dicom: DicomServer | None = None

    def start(self) -> None:
        """Load engines, open the queues, then the doors.

        Raises
        ------
        SettingsError
            ``worker_id_taken``, and what the doors raise.
        """
        self.heart.claim()
        for reader in self.readers:
            try:
                reader.start()
            except ReaderCrashed:  # images are taken all the same; each study tries again
                event(log, "reader_not_started", level=logging.ERROR)
        self.heart.confirm()
        with self.journal.entry() as entry:
            entry.audit("start", version=radiolucent.__version__, worker=self.worker_id)
        self.service.start()
        dicom = self.settings.dicom
        if dicom.enabled:
            self.dicom = DicomServer(
                dicom,
                Doors(
                    keep=self._keep,
                    refused=self.intake.refuse,
                    prepare=commitment.accept_reports,
                    further=((commitment.REPORTED, commitment.report_handler(self._committed)),),
                ),
                callers(dicom.callers),
                tls=tls.door(dicom.tls, where="dicom"),
            )
            event(log, "dicom_open", port=self.dicom.port)
        event(log, "started", worker=self.worker_id, version=radiolucent.__version__)

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Close the doors, let what runs end, sign the audit log."""
        if self.dicom is not None:
            self.dicom.stop()
        self.service.stop(timeout_s=timeout_s)
        for reader in self.readers:
            reader.stop()
        with suppress(Exception):
            with self.journal.entry() as entry:
                entry.audit("stop", worker=self.worker_id)
            self.checkpoint()
        self.database.close()
        event(log, "stopped", worker=self.worker_id)

    def checkpoint(self) -> None:
        """Sign the end of the audit chain into the checkpoint file."""
        with self.journal.entry() as entry:
            self.journal.log.checkpoint(entry.rows, self._anchor, at=entry.now)

    def levels(self) -> Levels:
        """How things stand now."""
        with self.journal.reading() as connection:
            oldest = upkeep.oldest_waiting(connection)
            return Levels(
                studies=work.counts(connection),
                deliveries=outbox.counts(connection),
                oldest_waiting_s=0.0 if oldest is None else max(0.0, self.journal.clock().timestamp() - oldest),
                disk_free_bytes=self.blobs.free_bytes(),
                associations=0 if self.dicom is None else self.dicom.associations,
                reader_crashes=sum(reader.crashes for reader in self.readers),
            )

    def _committed(self, told: commitment.Commitment) -> None:
        """Put on record what a destination says of its keeping, whenever it says it."""
        with self.journal.entry() as entry:
            entry.audit(
                "send",
                outcome="success" if told.is_complete else "serious_failure",
                interface="dimse",
                transaction=told.transaction_uid,
                committed=len(told.committed),
                not_committed=len(told.failed),
            )

    def _keep(self, offered: Offered) -> None:
        self.intake.keep(offered)


def _engines(settings: Settings) -> tuple[EngineSpec, ...]:
    """The installed engines; every one that a rule names is there. A broken package is the reader's business."""
    try:
        registry = Registry(settings.reader.engines or (shipped_folder(),))
    except EngineError:
        return ()
    for rule in settings.rules:
        if rule.engine is not None:
            registry.files(rule.engine)
    return tuple(registry.specs)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            "data_folder",
            found=f"{folder}, which cannot be made or written",
            expected="a folder that this user may write",
            action="Mend data in the settings file, or its permissions.",
        ) from error


def _workflow_url(settings: Settings) -> str:
    """Workflows live beside the store: in its PostgreSQL database, or in a file of their own."""
    if settings.database.startswith("sqlite"):
        return f"sqlite:///{settings.data / 'workflows.sqlite'}"
    return settings.database
