"""ORC, TQ1, OBR, IPC and ZDS as orders (HL7 v2.5.1 chapter 4; IHE RAD TF-2 section 4.4 for the accession number)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from radiolucent.ingest.hl7_patient import patient_of
from radiolucent.ingest.hl7_refusals import refused
from radiolucent.ingest.hl7_segments import Segment
from radiolucent.records.engine import Code
from radiolucent.records.study import Order, Patient, Priority

#: HL7 table 0119 (order control), by what it means for a study that is to be read.
WANTED = frozenset(("NW", "XO", "XX", "RO"))
CANCELLED = frozenset(("CA", "DC", "OC", "OD", "RP", "RU"))
#: Valid, and of no consequence here: status reports, answers, holds, referrals.
_WITHOUT_EFFECT = frozenset(
    (
        *("AF", "CH", "CN", "CR", "DE", "DF", "DR", "FU", "HD", "HR", "LI", "MC", "NA", "NR", "OE", "OF", "OH", "OK"),
        *("OP", "OR", "PA", "PR", "PY", "RE", "RF", "RL", "RQ", "RR", "SC", "SN", "SR", "SS", "UA", "UC", "UD", "UF"),
        *("UH", "UM", "UN", "UR", "UX", "XR"),
    )
)
#: HL7 table 0027 (priority): stat, and "as soon as possible".
_URGENT = frozenset(("S", "STAT", "A", "ASAP"))
_UID = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
LONGEST_REASON = 4000


@dataclass(slots=True, kw_only=True)
class _Group:
    """The segments of one order: what follows an ORC, or a further OBR under the same ORC."""

    control: Segment
    rest: dict[str, Segment] = field(default_factory=dict)

    def text(self, place: str, component: int = 1) -> str:
        """A value by its name, such as ``OBR-18``; ``""`` where there is none."""
        name, number = place.split("-")
        segment = self.control if name == "ORC" else self.rest.get(name)
        return segment.text(int(number), component) if segment else ""

    def first(self, *places: str) -> str:
        """The first of these values that says anything."""
        return next((value for value in map(self.text, places) if value), "")


def orders_of(segments: Sequence[Segment], *, authority: str = "") -> tuple[Order, ...]:
    """The orders of an ORM^O01 or OMI^O23; those whose order control changes nothing here are left out.

    Raises
    ------
    MessageRefused
        ``hl7_segment_missing``, ``hl7_field_missing``, ``hl7_field_wrong``, ``hl7_order_control``.
    """
    groups = _groups(segments)
    if not groups:
        raise refused("hl7_segment_missing", "an order without ORC", "ORC and OBR", "Mend it at the sender.")
    wanted = [group for group in groups if _control(group) not in _WITHOUT_EFFECT]
    pid = next((each for each in segments if each.name == "PID"), None)
    patient = patient_of(pid, authority=authority) if pid and wanted else None
    return tuple(_order(group, patient) for group in wanted)


def _groups(segments: Sequence[Segment]) -> list[_Group]:
    groups: list[_Group] = []
    for segment in segments:
        if segment.name == "ORC":
            groups.append(_Group(control=segment))
        elif groups and segment.name in ("TQ1", "OBR", "IPC", "ZDS"):
            if segment.name == "OBR" and "OBR" in groups[-1].rest:
                groups.append(_Group(control=groups[-1].control))
            groups[-1].rest.setdefault(segment.name, segment)
    return groups


def _control(group: _Group) -> str:
    code = group.control.text(1).upper()
    if not code:
        raise group.control.missing(1, "order control")
    if code not in WANTED | CANCELLED | _WITHOUT_EFFECT:
        raise refused(
            "hl7_order_control",
            "an unknown order control",
            "a code of HL7 table 0119 in ORC-1",
            "Mend it at the sender.",
            location=("ORC", group.control.number, 1),
        )
    return code


def _order(group: _Group, patient: Patient | None) -> Order:
    if "OBR" not in group.rest:
        raise refused("hl7_segment_missing", "an order without OBR", "ORC and OBR", "Mend it at the sender.")
    accession = group.first("IPC-1", "OBR-18", "ORC-3", "OBR-3")
    if not accession:
        raise group.rest["OBR"].missing(18, "accession number (nor in IPC-1, ORC-3, OBR-3)")
    return Order(
        accession_number=accession,
        placer_order_number=group.first("ORC-2", "OBR-2"),
        filler_order_number=group.first("ORC-3", "OBR-3"),
        priority=_priority(group),
        reason=_reason(group.rest["OBR"]),
        procedure=_procedure(group.rest["OBR"]),
        study_instance_uid=_study_uid(group),
        patient=patient,
        is_cancelled=_control(group) in CANCELLED,
    )


def _priority(group: _Group) -> Priority:
    """The first of TQ1-9, OBR-27.6, ORC-7.6 and OBR-5 that says anything."""
    said = (group.text("TQ1-9"), group.text("OBR-27", 6), group.text("ORC-7", 6), group.text("OBR-5"))
    return "stat" if next((each for each in said if each), "").upper() in _URGENT else "routine"


def _reason(obr: Segment) -> str:
    """OBR-31 (text, else code), all its repetitions; else OBR-13, relevant clinical information."""
    cells = obr.cells(31)
    words = (cell.text(2, limit=LONGEST_REASON) or cell.text(limit=LONGEST_REASON) for cell in cells)
    return "; ".join(word for word in words if word) or obr.text(13, limit=LONGEST_REASON)


def _procedure(obr: Segment) -> Code | None:
    """OBR-4; a code without a coding system is a local one (HL7 table 0396: ``L``)."""
    value = obr.text(4)
    return Code(scheme=obr.text(4, 3, default="L"), value=value, meaning=obr.text(4, 2)) if value else None


def _study_uid(group: _Group) -> str:
    """IPC-3 (v2.5 on), else ZDS-1 of IHE's Scheduled Workflow."""
    for name, number in (("IPC", 3), ("ZDS", 1)):
        segment = group.rest.get(name)
        uid = segment.text(number) if segment else ""
        if segment and uid:
            if not _UID.fullmatch(uid):
                raise segment.wrong(number, "no legal UID", "digits and dots, at most 64 (PS3.5 section 9.1)")
            return uid
    return ""
