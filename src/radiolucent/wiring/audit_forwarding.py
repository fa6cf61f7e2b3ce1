"""The audit log to the hospital's collector: DICOM audit messages over syslog, in order, from where it was left."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from radiolucent.audit import atna
from radiolucent.audit.canonical import parse
from radiolucent.audit.participants import Reporter
from radiolucent.audit.syslog import Collector, SyslogSender
from radiolucent.errors import PeerUnavailable
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.settings import Audit
from radiolucent.wiring import tls

log = logging.getLogger(__name__)
EVERY_S, LONGEST_S, BATCH = 1.0, 300.0, 500


class AuditForwarding:
    """Sends what the collector has not had yet. Where it is kept in a file, so a restart repeats at most one batch.

    A collector that is away is tried again with doubling waits; the log itself never waits for it.
    """

    def __init__(self, journal: Journal, settings: Audit, reporter: Reporter, *, place: Path) -> None:
        assert settings.syslog_host is not None
        collector = Collector(host=settings.syslog_host, port=settings.syslog_port, transport=settings.syslog_transport)
        context = tls.peer(settings.syslog_tls, where="audit.syslog") if settings.syslog_transport == "tls" else None
        self._journal, self._reporter, self._place = journal, reporter, place
        self._sender = SyslogSender(collector, tls=context)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-forwarding", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what is left goes out after the next start."""
        self._ending.set()
        self._thread.join(15)
        self._sender.close()

    def forward(self) -> int:
        """Send one batch; how many entries went out.

        Raises
        ------
        PeerUnavailable
            ``syslog_unavailable``, ``database_unavailable``.
        """
        after = self._read_place()
        sent = 0
        for entry in self._journal.log.entries(after):
            told = parse(entry.text)
            self._sender.send(atna.message(told, self._reporter, entry=entry), at=told.at)
            after, sent = entry.sequence, sent + 1
            if sent >= BATCH:
                break
        if sent:
            self._write_place(after)
        return sent

    def _run(self) -> None:
        wait_s = EVERY_S
        while not self._ending.wait(wait_s):
            try:
                wait_s = 0.0 if self.forward() >= BATCH else EVERY_S
            except PeerUnavailable as error:
                wait_s = min(LONGEST_S, max(wait_s, EVERY_S) * 2)
                event(log, "audit_waits", level=logging.WARNING, code=error.code)
            except Exception:  # noqa: BLE001  the log must go on whatever one entry does
                wait_s = LONGEST_S
                event(log, "audit_forwarding_failed", level=logging.ERROR, error=True)

    def _read_place(self) -> int:
        try:
            return int(self._place.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _write_place(self, sequence: int) -> None:
        partial = self._place.with_suffix(".partial")
        with partial.open("w", encoding="ascii") as out:
            out.write(str(sequence))
            out.flush()
            os.fsync(out.fileno())
        partial.replace(self._place)
