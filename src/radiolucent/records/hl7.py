"""What HL7 version 2 messages say, once read, and what is answered.

These records name patients; see `radiolucent.records.study`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from radiolucent.records.study import Order, Patient

Acknowledgement = Literal["AA", "AE", "AR"]
"""HL7 table 0008: accepted and kept; an error, send it again or mend it; rejected, sending it again will not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientUpdate:
    """What an ADT^A08 says of a patient: ``None`` leaves a value as it is, ``""`` deletes it."""

    patient_id: str
    issuer: str = ""
    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None

    def applied_to(self, patient: Patient) -> Patient:
        """The patient with what was said changed; identifier and issuer stay."""
        said = {"name": self.name, "birth_date": self.birth_date, "sex": self.sex}
        return replace(patient, **{key: value for key, value in said.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientMerge:
    """What an ADT^A40 says: everything of ``retired`` now belongs to ``surviving``."""

    surviving: Patient
    retired: Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Header:
    """MSH, as it was sent; what it leaves out is ``""``.

    ``message_code`` and ``trigger_event`` are MSH-9.1 and 9.2; ``accept_ack`` and ``application_ack`` MSH-15 and 16.
    """

    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    message_code: str = ""
    trigger_event: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept_ack: str = ""
    application_ack: str = ""
    character_set: str = ""

    @property
    def key(self) -> str:
        """Sender and control id: the same for the same message sent again (MSH-3, 4 and 10)."""
        parts = (self.sending_application, self.sending_facility, self.control_id)
        return "|".join(part.replace("\\", "\\E\\").replace("|", "\\F\\") for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Message:
    """A message that was understood. Of the three lists one has entries; all are empty if nothing has to be done.

    Parameters
    ----------
    payload
        The message as it came, byte for byte, without its frame.
    peer
        Network address of the sender, empty where there is none.
    """

    header: Hl7Header
    payload: bytes
    peer: str = ""
    orders: tuple[Order, ...] = ()
    updates: tuple[PatientUpdate, ...] = ()
    merges: tuple[PatientMerge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a message is answered with.

    Parameters
    ----------
    error_code
        HL7 table 0357; 207 is an application internal error.
    location
        Segment, its place among those of its name, and field, where one field is at fault.
    text
        For whoever runs the sender; never holds anything out of the message.
    """

    code: Acknowledgement = "AA"
    error_code: str = "0"
    text: str = ""
    location: tuple[str, int, int] | None = None
