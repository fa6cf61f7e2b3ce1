"""Serve until told to stop: every door of an installation, opened in order and closed in the other."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from types import FrameType

from radiolucent.ingest.mllp_server import MllpServer
from radiolucent.logs import event
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.orders import Orders
from radiolucent.settings import Settings
from radiolucent.wiring.audit_forwarding import AuditForwarding
from radiolucent.wiring.begun import Begun
from radiolucent.wiring.doors import HttpDoor, hl7_door
from radiolucent.wiring.folder_watch import FolderWatch
from radiolucent.wiring.operator import reporter_of
from radiolucent.wiring.order_asking import OrderAsking
from radiolucent.wiring.pulling import Pulling
from radiolucent.wiring.serving import Installation, clock

log = logging.getLogger(__name__)
DRAIN_S = 60.0


class Running:
    """An installation with all its doors. Use as a context manager.

    Raises
    ------
    SettingsError
        Whatever of the settings cannot be done here; nothing stays open.
    """

    def __init__(
        self, settings: Settings, *, faults: Faults | None = None, clock: Callable[[], datetime] = clock
    ) -> None:
        self.installation = Installation(settings, faults=faults, clock=clock)
        self.http: HttpDoor | None = None
        self.hl7: MllpServer | None = None
        self.watch: FolderWatch | None = None
        self.asking: list[Begun] = []
        self.forwarding: AuditForwarding | None = None

    def __enter__(self) -> Running:
        settings = self.installation.settings
        try:
            self.installation.start()
            if settings.audit.syslog_host is not None:
                self.forwarding = AuditForwarding(
                    self.installation.journal,
                    settings.audit,
                    reporter_of(settings),
                    place=settings.data / "audit" / "syslog-place",
                )
            if settings.mllp.enabled:
                orders = Orders(self.installation.journal, on_kept=self.installation.service.wake)
                self.hl7 = hl7_door(settings.mllp, orders)
            if settings.reader.enabled:
                self.asking = self._asked_elsewhere(settings)
                for each in self.asking:
                    each.start()
            if settings.reader.enabled or settings.http.enabled:
                self.installation.drift.start()
            if settings.watch.folder is not None:
                self.watch = FolderWatch(settings.watch, self.installation.intake)
            if settings.http.enabled:
                self.http = HttpDoor(self.installation)
        except BaseException:
            self.stop()
            raise
        return self

    def _asked_elsewhere(self, settings: Settings) -> list[Begun]:
        """Orders, and each archive, by themselves: orders say how urgent a study is, and wait for no archive."""
        journal = self.installation.journal
        orders = [OrderAsking(row, journal).ask for row in settings.destinations if row.kind == "fhir" and row.orders]
        intake = self.installation.intake
        pulls = [[Pulling(row, settings, journal, intake).pull] for row in settings.archives]
        return [Begun(journal, todo) for todo in (orders, *pulls) if todo]

    def tell_first_link(self) -> None:
        """On the console, and in no log: how the first administrator signs in. There is no default password."""
        shown = None if self.http is None else self.installation.people.first_link()
        if shown is None or self.http is None:
            return
        scheme = "http" if self.installation.settings.http.tls is None else "https"
        http = self.installation.settings.http
        place = http.public_url or f"{scheme}://{http.host}:{self.http.port}"
        sys.stderr.write(
            "\nNobody can sign in yet. The first administrator opens, once and within a day:\n"
            f"  {place}/#/enrol/{shown}\n\n"
        )
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the doors, let what runs end."""
        for door in (self.watch, *self.asking, self.installation.drift, self.hl7, self.http, self.forwarding):
            if door is not None:
                door.stop()
        self.installation.stop(timeout_s=DRAIN_S)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain: what runs is finished, what waits is kept."""
    ending = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        event(log, "stopping", signal=signal.Signals(number).name)
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with Running(settings) as running:
        running.tell_first_link()
        gc.collect()
        gc.freeze()  # what start-up made stays: looking through it again and again would hold up every thread
        ending.wait()
