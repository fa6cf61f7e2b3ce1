"""What the hospital's systems tell us: orders, patient updates and merges, answered once they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.records.audit import AuditAction
from radiolucent.records.hl7 import Answer, Hl7Header, Hl7Message
from radiolucent.records.study import Order, Patient
from radiolucent.store import hospital

SENDER_CHARACTERS = 256
NOT_THE_SAME = Answer(code="AR", error_code="205", text="This control id was used for another message.")


class Orders:
    """Keeps what messages say. A message that comes again is answered as before and changes nothing.

    Parameters
    ----------
    on_kept
        Called when a priority may have changed.
    """

    def __init__(self, journal: Journal, *, on_kept: Callable[[], None] = lambda: None) -> None:
        self._journal, self._on_kept = journal, on_kept

    def take(self, message: Hl7Message) -> Answer:
        """Keep a message; when this returns it is committed.

        Raises
        ------
        PeerUnavailable
            ``database_unavailable``: nothing was kept.
        """
        digest = hashlib.sha256(message.payload).hexdigest()
        sender = message.header.key.rsplit("|", 1)[0][:SENDER_CHARACTERS]
        control = hashlib.sha256(message.header.control_id.encode()).hexdigest()
        with self._journal.entry() as entry:
            before = hospital.answered(entry.connection, sender, control)
            if before is not None:
                return Answer() if before[0] == digest else NOT_THE_SAME
            for order in message.orders:
                self._order(entry, order, message)
            for update in message.updates:
                said = Patient(patient_id=update.patient_id, issuer=update.issuer)
                known = hospital.patient_row(entry.connection, said) or said
                hospital.put_patient(entry.connection, update.applied_to(known), now=entry.at)
                self._audit(entry, message, "patient_update", patient_id=update.patient_id)
            for merge in message.merges:
                keys = hospital.merge_patients(
                    entry.connection, surviving=merge.surviving, retired=merge.retired, now=entry.at
                )
                self._audit(
                    entry,
                    message,
                    "patient_merge",
                    patient_id=merge.surviving.patient_id,
                    retired=merge.retired.patient_id,
                    studies=len(keys),
                )
            hospital.note_answer(entry.connection, sender, control, sha256=digest, answer="AA", now=entry.at)
        self._on_kept()
        return Answer()

    def refuse(self, code: str, header: Hl7Header, peer: str) -> None:
        """Put on record that a message was not taken."""
        with self._journal.entry() as entry:
            entry.audit(
                "refuse",
                outcome="minor_failure",
                actor=_name(header),
                peer=peer,
                code=code,
                interface="mllp",
            )

    def _order(self, entry: Entry, order: Order, message: Hl7Message) -> None:
        hospital.put_order(entry.connection, order, now=entry.at)
        self._audit(
            entry,
            message,
            "order",
            patient_id="" if order.patient is None else order.patient.patient_id,
            study_instance_uid=order.study_instance_uid,
            accession_number=order.accession_number,
            priority=order.priority,
            control="CA" if order.is_cancelled else "NW",
        )

    @staticmethod
    def _audit(
        entry: Entry,
        message: Hl7Message,
        action: AuditAction,
        *,
        patient_id: str,
        study_instance_uid: str = "",
        **details: str | int,
    ) -> None:
        entry.audit(
            action,
            actor=_name(message.header),
            peer=message.peer,
            patient_id=patient_id,
            study_instance_uid=study_instance_uid,
            interface="mllp",
            message=f"{message.header.message_code}^{message.header.trigger_event}",
            **details,  # type: ignore[arg-type] # none of them is named like a parameter
        )


def _name(header: Hl7Header) -> str:
    return header.sending_application or "unknown"
