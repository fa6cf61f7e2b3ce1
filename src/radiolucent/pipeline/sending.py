"""One attempt at one delivery: what is to go, whether it went, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from radiolucent.deliver.fhir import FhirUnavailable
from radiolucent.errors import PeerRefused, PeerUnavailable, RadiolucentError
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Journal
from radiolucent.records.study import ObjectKind, StudyReport
from radiolucent.store import hospital, outbox, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.outbox import Delivery, State
from radiolucent.store.work import StudyRow

MESSAGES = frozenset(("mllp", "fhir"))
MOST_ASKED_S = 3600.0
"""No destination makes us wait longer by asking for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFile:
    """One of our objects as a file."""

    kind: ObjectKind
    sop_instance_uid: str
    path: Path


class PartlySent(Exception):
    """Some objects were stored before the peer failed: ``stored`` and the error that stopped the rest."""

    def __init__(self, stored: Sequence[str], error: PeerUnavailable | PeerRefused) -> None:
        self.stored, self.error = tuple(stored), error
        super().__init__(error.code)


class Sender(Protocol):
    """A way to one destination."""

    @property
    def interface(self) -> str:
        """``dimse``, ``stow``, ``mllp`` or ``fhir``."""

    @property
    def address(self) -> str:
        """Host or base address."""

    def send(
        self,
        report: StudyReport,
        files: Sequence[ObjectFile],
        *,
        earlier: Sequence[StudyReport],
        delivery_id: str,
    ) -> Sequence[str]:
        """Send what this destination wants of it; the SOP Instance UIDs it has stored (none for messages).

        Parameters
        ----------
        earlier
            Reports of the same study that may have been sent before.

        Raises
        ------
        PartlySent, PeerUnavailable, PeerRefused
            Whatever was not taken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long a silent destination is tried."""

    first_wait_s: float
    longest_wait_s: float
    max_attempts: int

    def wait_s(self, attempts: int) -> float:
        """Before the next attempt, after this many."""
        return float(min(self.longest_wait_s, self.first_wait_s * 2 ** min(attempts, 30)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one attempt ended. ``wait_s``: how long the destination asked not to be tried."""

    state: State
    code: str | None = None
    stored: tuple[str, ...] = ()
    wait_s: float = 0.0


class Dispatch:
    """Makes attempts. One destination that fails holds up no other."""

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        senders: Mapping[str, Sender],
        patience: Patience,
        faults: Faults | None = None,
    ) -> None:
        self._journal, self._blobs, self._senders, self._patience = journal, blobs, senders, patience
        self._faults = faults or Faults()

    def attempt(self, delivery_id: str) -> str:
        """One attempt at a delivery that still waits, with its outcome noted: its new state, or "nothing"."""
        with self._journal.reading() as connection:
            delivery = outbox.find(connection, delivery_id)
            if delivery is None or delivery.state != "waiting":
                return "nothing"
            study = work.study(connection, delivery.study_key)
            report = work.report(connection, delivery.study_key, delivery.revision)
            before = outbox.stored_before(connection, delivery.study_key, delivery.destination)
            earlier = work.reports_before(connection, delivery.study_key, delivery.revision)
            last = work.report(connection, delivery.study_key)
            uids = [] if report is None else [each.instance.sop_instance_uid for each in report.objects]
            rows = outbox.files(connection, uids)
            if report is not None:
                report = hospital.as_known_today(connection, report)
        if report is None or self._is_overtaken(delivery, report, earlier, last):
            attempt = Attempt(state="superseded")
        else:
            places = {each.instance.sop_instance_uid: place for place, each in enumerate(report.objects)}
            files = [
                ObjectFile(kind=kind, sop_instance_uid=uid, path=self._blobs.path(path))  # type: ignore[arg-type]
                for kind, uid, path in sorted(rows, key=lambda row: places.get(row[1], len(places)))
                if uid not in before and (kind == "rejection") == (delivery.purpose == "retract")
            ]
            attempt = self._send(delivery, report, files, earlier)
            self._faults.at("delivered")
        self._note(delivery, attempt, study)
        return attempt.state

    def _is_overtaken(
        self, delivery: Delivery, report: StudyReport, earlier: Sequence[StudyReport], last: StudyReport | None
    ) -> bool:
        """Whether a message would say what no longer stands.

        A message is the study's whole result: an older one must not follow a newer one, and what the engines say anew
        must not take the place of what a person has signed; that person, or another, decides on it first. Objects
        stand beside each other, and are sent.
        """
        sender = self._senders.get(delivery.destination)
        if sender is None or sender.interface not in MESSAGES:
            return False
        if last is not None and last.revision > delivery.revision:
            return True
        stands = next((each for each in reversed(earlier) if each.is_signed or each.state == "retracted"), None)
        return stands is not None and stands.is_signed and report.verification is None and report.state != "retracted"

    def failed(self, delivery: Delivery) -> None:
        """Note an attempt that ended without saying how."""
        with self._journal.reading() as connection:
            study = work.study(connection, delivery.study_key)
        self._note(delivery, Attempt(state=self._again(delivery), code="workflow_failed"), study)

    def _send(
        self, delivery: Delivery, report: StudyReport, files: Sequence[ObjectFile], earlier: Sequence[StudyReport]
    ) -> Attempt:
        sender = self._senders.get(delivery.destination)
        if sender is None:
            return Attempt(state="refused", code="destination_unknown")
        try:
            stored = sender.send(report, files, earlier=earlier, delivery_id=delivery.delivery_id)
        except PartlySent as partly:
            return self._failed(delivery, partly.error, partly.stored)
        except (PeerUnavailable, PeerRefused) as error:
            return self._failed(delivery, error, ())
        except RadiolucentError as error:
            return Attempt(state="refused", code=error.code)
        except Exception:  # noqa: BLE001  a defect of one sender stops no other
            return Attempt(state="refused", code="internal_error")
        return Attempt(state="sent", stored=tuple(stored))

    def _failed(self, delivery: Delivery, error: RadiolucentError, stored: tuple[str, ...]) -> Attempt:
        if isinstance(error, PeerRefused):
            return Attempt(state="refused", code=error.code, stored=stored)
        asked_s = (error.retry_after_s or 0.0) if isinstance(error, FhirUnavailable) else 0.0
        return Attempt(state=self._again(delivery), code=error.code, stored=stored, wait_s=min(asked_s, MOST_ASKED_S))

    def _again(self, delivery: Delivery) -> State:
        last = delivery.attempts + 1 - delivery.retried_at >= self._patience.max_attempts
        return "dead" if last else "waiting"

    def _note(self, delivery: Delivery, attempt: Attempt, study: StudyRow) -> None:
        sender = self._senders.get(delivery.destination)
        with self._journal.entry() as entry:
            noted = outbox.settle(
                entry.connection,
                delivery,
                state=attempt.state,
                now=entry.at,
                code=attempt.code,
                next_at=entry.at + max(attempt.wait_s, self._patience.wait_s(delivery.attempts - delivery.retried_at)),
                done=attempt.stored,
            )
            if not noted:
                return
            entry.audit(
                "retract" if delivery.purpose == "retract" else "send",
                outcome="success" if attempt.state == "sent" else "minor_failure",
                peer="" if sender is None else sender.address,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                interface=None if sender is None else sender.interface,
                destination=delivery.destination,
                state=attempt.state,
                code=attempt.code,
                revision=delivery.revision,
                stored=len(attempt.stored),
            )
            self._faults.at("noting")
