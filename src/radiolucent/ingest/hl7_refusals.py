"""Why a message is refused, and how HL7 says so."""

from __future__ import annotations

from typing import Literal

from radiolucent.errors import InputRefused
from radiolucent.records.hl7 import Answer

Location = tuple[str, int, int]
#: Error code to acknowledgement (HL7 table 0008) and condition (HL7 table 0357). AR: the same bytes can never be
#: processed here. AE: the content is wrong, or the message did not arrive whole.
_VERDICTS: dict[str, tuple[Literal["AE", "AR"], str]] = {
    "hl7_not_a_message": ("AR", "100"),
    "hl7_several_messages": ("AR", "100"),
    "hl7_header": ("AR", "101"),
    "hl7_character_set": ("AR", "103"),
    "hl7_undecodable": ("AR", "102"),
    "hl7_too_large": ("AR", "207"),
    "hl7_message_type": ("AR", "200"),
    "hl7_trigger_event": ("AR", "201"),
    "hl7_processing_id": ("AR", "202"),
    "hl7_version": ("AR", "203"),
    "hl7_incomplete": ("AE", "207"),
    "hl7_segment_missing": ("AE", "100"),
    "hl7_field_missing": ("AE", "101"),
    "hl7_field_wrong": ("AE", "102"),
    "hl7_order_control": ("AE", "103"),
}


class MessageRefused(InputRefused):
    """A message that is not taken; ``location`` is the field at fault, where there is one."""

    def __init__(self, code: str, *, found: str, expected: str, action: str, location: Location | None = None) -> None:
        super().__init__(code, found=found, expected=expected, action=action)
        self.location = location


def refused(code: str, found: str, expected: str, action: str, *, location: Location | None = None) -> MessageRefused:
    """A refusal to raise. Nothing out of the message may stand in its texts."""
    return MessageRefused(code, found=found, expected=expected, action=action, location=location)


def too_large(limit: str) -> MessageRefused:
    """Refusal of a message beyond what is read."""
    return refused("hl7_too_large", "a larger message", f"at most {limit}", "Send less in one message.")


def answer_to(error: InputRefused) -> Answer:
    """How a refusal is answered; one that is not HL7's own is a matter of content (``AE``)."""
    code, condition = _VERDICTS.get(error.code, ("AE", "207"))
    location = error.location if isinstance(error, MessageRefused) else None
    return Answer(code=code, error_code=condition, text=f"[{error.code}] {error.text}", location=location)
