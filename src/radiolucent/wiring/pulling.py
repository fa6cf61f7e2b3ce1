"""Earlier studies of a patient, fetched while the new one still comes in, so that they can be compared with.

What comes later than the new study's report is there for the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import date, timedelta

from radiolucent.deliver import association
from radiolucent.errors import PeerUnavailable, RadiolucentError
from radiolucent.ingest.pull import Archive, Candidate, Fetched, Keep, Pace, PriorQuery, PullLimits, pull_priors
from radiolucent.ingest.pull_dimse import DimseArchive
from radiolucent.ingest.pull_web import WebArchive
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.priors import current_of
from radiolucent.pipeline.receiving import Intake
from radiolucent.pipeline.study_context import study_context
from radiolucent.records.destination import DimsePeer, WebPeer
from radiolucent.records.door import Offered
from radiolucent.settings import Settings
from radiolucent.settings.peers import Archive as ArchiveRow
from radiolucent.store import intake, priors, work
from radiolucent.wiring import tls
from radiolucent.wiring.senders import secret

log = logging.getLogger(__name__)
DAYS_OF_A_YEAR = 366


class _Expected:
    """An archive whose studies are expected by our door while they are fetched; what is here is not fetched again."""

    def __init__(self, archive: Archive, journal: Journal, door: Intake, *, site: str) -> None:
        self._archive, self._journal, self._door, self._site = archive, journal, door, site

    def find(self, query: PriorQuery, *, limits: PullLimits) -> Sequence[Candidate]:
        return self._archive.find(query, limits=limits)

    def fetch(self, study_instance_uid: str, keep: Keep, *, limits: PullLimits) -> Fetched:
        with self._journal.reading() as connection:
            known = priors.key_of(connection, study_instance_uid)
        if known is not None:
            return Fetched(study_instance_uid=study_instance_uid, instances=0, is_complete=True)
        with self._door.expecting(study_instance_uid, site=self._site):
            return self._archive.fetch(study_instance_uid, keep, limits=limits)


class Pulling:
    """Asks an archive of the settings for earlier studies of the same patient.

    Raises
    ------
    SettingsError
        ``secret_file``, ``tls_files``.
    """

    def __init__(self, row: ArchiveRow, settings: Settings, journal: Journal, door: Intake) -> None:
        self._row, self._journal, self._door = row, journal, door
        self._archive = archive_of(row, settings)
        self._pace = Pace(row.interval_s, clock=time.monotonic, sleep=time.sleep)

    def pull(self, study_key: str) -> None:
        """Ask it once for a study's priors; what goes wrong is on record.

        Raises
        ------
        PeerUnavailable
            It may be asked again.
        """
        row = self._row
        with self._journal.reading() as connection:
            study = work.study(connection, study_key)
            headers = [row.header for row in work.sources(connection, study_key)]
        patient, current = study_context(study, None).patient, current_of(study, headers)
        query = PriorQuery(
            patient_id=patient.patient_id,
            issuer=patient.issuer,
            modalities=(current.modality,) if current.modality else (),
            since=date.today() - timedelta(days=DAYS_OF_A_YEAR * row.years),
        )
        if not query.is_askable or not current.modality:
            return
        failed: RadiolucentError | None = None
        fetched: tuple[Fetched, ...] = ()
        over = time.monotonic() + row.total_s
        limits = PullLimits(studies=1, instances=row.max_instances, is_over=lambda: time.monotonic() > over)
        try:
            archive = _Expected(self._archive, self._journal, self._door, site=study.site)
            fetched = pull_priors(archive, query, self._keep, of=current, limits=limits, pace=self._pace)
        except RadiolucentError as error:
            failed = error
            event(log, "prior_not_pulled", level=logging.WARNING, destination=row.name, code=error.code)
        with self._journal.entry() as entry:
            for each in fetched:
                key = priors.key_of(entry.connection, each.study_instance_uid)
                if key is not None and each.instances:
                    intake.force_complete(entry.connection, key, now=entry.at)
            entry.audit(
                "query",
                outcome="success" if failed is None else "minor_failure",
                peer=row.host or row.url or "",
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                interface="dimse" if row.kind == "dimse" else "dicomweb",
                archive=row.name,
                fetched=sum(each.instances for each in fetched),
                code=None if failed is None else failed.code,
            )
        if isinstance(failed, PeerUnavailable):
            raise failed

    def _keep(self, offered: Offered) -> None:
        self._door.keep(offered)


def archive_of(row: ArchiveRow, settings: Settings) -> DimseArchive | WebArchive:
    """A configured archive, with its certificates and secrets; raises ``secret_file``, ``tls_files``."""
    context = tls.peer(row.tls, where=f"archive {row.name}")
    if row.kind == "dicomweb":
        assert row.url is not None
        return WebArchive(
            WebPeer(
                url=row.url,
                token=secret(row.token, row.name),
                user=row.user,
                password=secret(row.password, row.name),
                timeout_s=row.timeout_s,
                tls=context,
            )
        )
    assert row.host is not None and row.port is not None and row.ae_title is not None  # noqa: PT018
    peer = DimsePeer(
        host=row.host,
        port=row.port,
        called_ae_title=row.ae_title,
        calling_ae_title=settings.dicom.ae_title,
        dimse_timeout_s=row.timeout_s,
        tls=context,
    )
    move_to = settings.dicom.ae_title if row.retrieve == "move" else None
    return DimseArchive(peer, association.opened, move_to=move_to)
