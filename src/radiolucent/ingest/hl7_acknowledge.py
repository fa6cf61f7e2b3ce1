"""Acknowledgements, in the original and the enhanced mode (HL7 v2.5.1 section 2.9)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from radiolucent.ingest.hl7_header import SUPPORTED_VERSION
from radiolucent.records.hl7 import Acknowledgement, Answer, Hl7Header
from radiolucent.standards.hl7_text import Value, codec_of, message, segment

ACCEPT_CODES: dict[Acknowledgement, str] = {"AA": "CA", "AE": "CE", "AR": "CR"}
"""Application to accept acknowledgement codes (HL7 table 0008)."""
_OWN_VERSION = "2.5.1"
_TEXTS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "207": "Application internal error",
}
"""HL7 table 0357."""


def acknowledgements(header: Hl7Header, answer: Answer, now: datetime) -> tuple[bytes, ...]:
    """The messages that answer one message, in the order in which they are sent; none where none is wanted.

    Original mode (MSH-15 and MSH-16 both empty): one ``ACK`` with AA, AE or AR. Enhanced mode: first an accept
    acknowledgement with CA, CE or CR, if MSH-15 asks for it; then an application acknowledgement, if MSH-16 asks for
    it. After CE or CR none follows, because nothing was taken that could be worked on.

    The same message and answer give the same acknowledgements but for MSH-7, so a message sent twice is answered alike.

    Parameters
    ----------
    header
        Of the message that is answered; an empty one if it could not be read.
    """
    if not header.accept_ack and not header.application_ack:
        return (_acknowledgement(header, answer, answer.code, now),)
    codes: list[str] = []
    if _is_wanted(header.accept_ack, answer):
        codes.append(ACCEPT_CODES[answer.code])
    if _is_wanted(header.application_ack, answer) and (answer.code == "AA" or not codes):
        codes.append(answer.code)
    return tuple(_acknowledgement(header, answer, code, now) for code in codes)


def _is_wanted(condition: str, answer: Answer) -> bool:
    """HL7 table 0155; empty in enhanced mode is ``NE``, and an unknown value is taken for ``AL``."""
    good = answer.code == "AA"
    return {"": False, "NE": False, "ER": not good, "SU": good}.get(condition, True)


def _acknowledgement(header: Hl7Header, answer: Answer, code: str, now: datetime) -> bytes:
    version = header.version if SUPPORTED_VERSION.fullmatch(header.version) else _OWN_VERSION
    readable = header.character_set and codec_of(header.character_set)
    msh: dict[int, Value] = {
        3: header.receiving_application,
        4: header.receiving_facility,
        5: header.sending_application,
        6: header.sending_facility,
        7: now.strftime("%Y%m%d%H%M%S"),
        9: ("ACK", header.trigger_event, "ACK") if _has_structures(version) else ("ACK", header.trigger_event),
        10: _control_id(header, code),
        11: header.processing_id or "P",
        12: version,
        18: list(header.character_set.split("~")) if readable else "",
    }
    msa: dict[int, Value] = {1: code, 2: header.control_id, 3: "" if _has_coded_errors(version) else answer.text}
    lines = [segment("MSH", msh), segment("MSA", msa)]
    if answer.code != "AA":
        lines.append(_error(answer, version))
    return message(lines).encode(readable or "ascii", "replace")


def _error(answer: Answer, version: str) -> str:
    """ERR: since v2.5 ERL, code, severity and text in fields of their own, before that all in ERR-1 (ELD)."""
    condition: Value = (answer.error_code, _TEXTS.get(answer.error_code, "Error"), "HL70357")
    name, number, field = answer.location or ("", 0, 0)
    where = (name, str(number), str(field)) if name else ()
    if not _has_coded_errors(version):
        place = where or ("", "", "")
        return segment("ERR", {1: (*place, condition)})
    return segment("ERR", {2: where, 3: condition, 4: "E", 8: answer.text[:250]})


def _has_structures(version: str) -> bool:
    """MSH-9.3 came with v2.3.1."""
    return version >= "2.3.1"


def _has_coded_errors(version: str) -> bool:
    return version >= "2.5"


def _control_id(header: Hl7Header, code: str) -> str:
    """At most 20 characters (the length of MSH-10 up to v2.6), out of the message that is answered."""
    return hashlib.sha256(f"{header.key}|{code}".encode()).hexdigest()[:20].upper()
