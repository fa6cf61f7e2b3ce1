"""A study report as ORU^R01 (HL7 v2.5.1 section 7.3.1).

The text is made by `radiolucent.standards.hl7_text`, because python-hl7 escapes every character beyond ASCII by code
point. The same report to the same destination is the same message, byte for byte: a resend is known by its MSH-10.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radiolucent.errors import SettingsError
from radiolucent.records.engine import Code
from radiolucent.records.study import Order, StudyReport
from radiolucent.report.hl7.fields import coded, identifier, interpreter, person_name, physician, timestamp
from radiolucent.report.hl7.observations import observations
from radiolucent.report.hl7.words import lineage, result_status
from radiolucent.standards import codes
from radiolucent.standards.hl7_text import CHARACTER_SETS, Value, message, segment

VERSION = "2.5.1"
_PRODUCT = "Radiolucent"
#: HL7 table 0074 (diagnostic service section); what is not here is ``RAD``.
_SECTIONS = {"CT": "CT", "MR": "NMR", "US": "RUS", "NM": "NMS", "PT": "NMS", "CR": "RX", "DX": "RX"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Route:
    """Where a message goes and how it is written.

    Parameters
    ----------
    destination
        Our own name of it: part of MSH-10, so that two destinations never share a control id.
    mode
        ``original``: one ACK with AA, AE or AR. ``enhanced``: an accept acknowledgement always (MSH-15 ``AL``), an
        application acknowledgement never (MSH-16 ``NE``).
    character_set
        MSH-18, a name of HL7 table 0211 that `radiolucent.standards.hl7_text.CHARACTER_SETS` lists.
    """

    destination: str
    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    mode: Literal["original", "enhanced"] = "original"
    character_set: str = "UNICODE UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class OruMessage:
    """A message ready to be framed; ``control_id`` is what its acknowledgement must name."""

    control_id: str
    payload: bytes


def build_oru(report: StudyReport, route: Hl7Route) -> OruMessage:
    """The message of a report.

    A character of a name or text that the character set lacks is written as ``?``, and an NTE says so. An identifier
    that cannot be written is an error: a result under a mangled identifier is a result under another one.

    Raises
    ------
    SettingsError
        ``hl7_character_set_unknown``, ``hl7_cannot_encode``.
    """
    codec = CHARACTER_SETS.get(route.character_set)
    if codec is None:
        raise SettingsError(
            "hl7_character_set_unknown",
            found="a character set that is not written here",
            expected="a name that docs/hl7.md lists",
            action="Change it for this destination; UNICODE UTF-8 holds everything.",
        )
    _check_identifiers(report, codec)
    is_lossy = not _holds(_text(report, route, control_id="", is_lossy=False), codec)
    control_id = _control_id(report, route, _text(report, route, control_id="", is_lossy=is_lossy))
    text = _text(report, route, control_id=control_id, is_lossy=is_lossy)
    return OruMessage(control_id=control_id, payload=text.encode(codec, "replace"))


def _holds(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _check_identifiers(report: StudyReport, codec: str) -> None:
    order = report.context.order
    identifiers = (
        report.context.patient.patient_id,
        report.context.patient.issuer,
        report.context.accession_number,
        report.context.study_instance_uid,
        *((order.placer_order_number, order.filler_order_number) if order else ()),
    )
    if not all(_holds(each, codec) for each in identifiers):
        raise SettingsError(
            "hl7_cannot_encode",
            found="an identifier with characters that the destination's character set lacks",
            expected="identifiers that can be written as they are",
            action="Set UNICODE UTF-8, or the set the hospital uses, for this destination.",
        )


def _control_id(report: StudyReport, route: Hl7Route, text: str) -> str:
    """20 characters (the length of MSH-10), a hundred bits of report, destination and everything that is said.

    A patient may be merged between two attempts: what is said then is another message, not the same one again.
    """
    parts = "\x00".join((report.report_id, str(report.revision), report.state, route.destination, text))
    return base64.b32encode(hashlib.sha256(parts.encode()).digest())[:20].decode()


def _text(report: StudyReport, route: Hl7Route, *, control_id: str, is_lossy: bool) -> str:
    notes = [lineage(report)]
    if is_lossy:
        notes.append(f"Characters that {route.character_set} lacks are written as a question mark.")
    return message(
        (
            segment("MSH", _header(report, route, control_id)),
            # SFT-4 is required: the version again, as there is no other name of the build.
            segment("SFT", {1: _PRODUCT, 2: report.software_version, 3: _PRODUCT, 4: report.software_version}),
            segment("PID", _patient(report)),
            segment("OBR", _request(report)),
            *(segment("NTE", {1: str(number), 2: "L", 3: note}) for number, note in enumerate(notes, 1)),
            *observations(report),
        )
    )


def _header(report: StudyReport, route: Hl7Route, control_id: str) -> Mapping[int, Value]:
    """MSH. MSH-7 is when the report was made, not when it is sent, so that a resend is the same."""
    enhanced = route.mode == "enhanced"
    return {
        3: route.sending_application,
        4: route.sending_facility,
        5: route.receiving_application,
        6: route.receiving_facility,
        7: timestamp(report.produced_at),
        9: ("ORU", "R01", "ORU_R01"),
        10: control_id,
        11: "P",
        12: VERSION,
        15: "AL" if enhanced else "",
        16: "NE" if enhanced else "",
        18: route.character_set,
    }


def _patient(report: StudyReport) -> Mapping[int, Value]:
    patient = report.context.patient
    return {
        1: "1",
        3: identifier(patient),
        5: person_name(patient.name),
        7: patient.birth_date,
        8: patient.sex,
    }


def _request(report: StudyReport) -> Mapping[int, Value]:
    """OBR. OBR-25 is ``P`` until a person finalises: an AI result is never final, nor a correction of something final.

    So is a retraction, with every OBX-11 ``W``: ``X`` would say that the order is cancelled, and it is the hospital's
    order whose numbers stand in OBR-2 and OBR-3. OBR-32, the interpreter, is the person who decided.
    """
    context = report.context
    order = context.order or Order(accession_number=context.accession_number)
    return {
        1: "1",
        2: order.placer_order_number,
        3: order.filler_order_number or context.accession_number,
        4: coded(order.procedure or _procedure(report)),
        7: timestamp(context.started),
        16: physician(context.referring_physician),
        18: context.accession_number or order.accession_number,
        22: timestamp(report.produced_at),
        24: _SECTIONS.get(report.modality, "RAD"),
        25: result_status(report),
        31: [("", order.reason)] if order.reason else "",
        32: interpreter(report.verification),
    }


def _procedure(report: StudyReport) -> Code:
    return codes.PROCEDURE_BY_MODALITY.get(report.modality, codes.IMAGING_PROCEDURE)
