"""What an operator and a reader ask a running installation."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import radiolucent
from radiolucent.errors import PeerUnavailable
from radiolucent.records.study import StudyReport
from radiolucent.report.fhir.bundle import build_bundle
from radiolucent.report.fhir.capability import capability_statement
from radiolucent.store import hospital, work
from radiolucent.wiring.senders import fhir_options
from radiolucent.wiring.serving import Installation, clock
from radiolucent.wiring.standing import standing

SHOWN = 50


class RunningOperations:
    """Answers out of the store and the process."""

    def __init__(self, installation: Installation) -> None:
        self._it = installation
        fhir = next((row for row in installation.settings.destinations if row.kind == "fhir"), None)
        self._options = fhir_options(fhir)

    def problems(self) -> Mapping[str, str]:
        """What keeps it from working now, by part."""
        found: dict[str, str] = {}
        try:
            with self._it.journal.reading() as connection:
                work.counts(connection)
        except PeerUnavailable as error:
            found["database"] = error.code
        if self._it.blobs.free_bytes() < self._it.settings.storage.reserve_mb * 2**20:
            found["disk"] = "storage_full"
        if any(not reader.is_alive for reader in self._it.readers):
            found["reader"] = "reader_restarting"
        return found

    def metrics(self) -> bytes:
        """Prometheus exposition."""
        return self._it.meters.text(self._it.levels())

    def status(self) -> Mapping[str, Any]:
        """Counts, ages and the last studies."""
        return standing(self._it.journal, self._it.blobs, limit=SHOWN)

    def capability(self, base_url: str) -> Mapping[str, Any]:
        """FHIR CapabilityStatement."""
        return capability_statement(software_version=radiolucent.__version__, base_url=base_url, now=clock())

    def bundles(self) -> Iterable[Mapping[str, Any]]:
        """FHIR transactions of all kept reports, oldest first."""
        said: dict[str, list[StudyReport]] = {}
        with self._it.journal.reading() as connection:
            for report in work.all_reports(connection):
                earlier = said.setdefault(report.context.study_instance_uid, [])
                yield build_bundle(hospital.as_known_today(connection, report), self._options, earlier=earlier)
                earlier.append(report)

    def turned_away(self, code: str, user: str, peer: str) -> None:
        """Put on record that somebody asked for what they may not have."""
        self._it.intake.refuse(code, user, peer)

    def accessed(self, user: str, path: str, *, is_query: bool, status: int, peer: str) -> None:
        """Put on record that somebody read."""
        parts = urllib.parse.unquote(path).split("/")
        study = parts[parts.index("studies") + 1] if "studies" in parts[:-1] else ""
        with self._it.journal.entry() as entry:
            entry.audit(
                "query" if is_query or not study else "access",
                outcome="success" if status < 400 else "minor_failure",
                actor=user,
                peer=peer,
                study_instance_uid=study if len(study) <= 64 else "",
                interface="dicomweb" if parts[1] == "dicom-web" else "fhir",
                query="/".join(parts[:3]),
                status=status,
            )
