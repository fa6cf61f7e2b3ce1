"""PID and MRG as patients, updates and merges (HL7 v2.5.1 sections 3.4.2 and 3.4.9)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from radiolucent.ingest.hl7_refusals import refused
from radiolucent.ingest.hl7_segments import Cell, Segment
from radiolucent.records.hl7 import PatientMerge, PatientUpdate
from radiolucent.records.study import Patient

#: HL7 table 0001 to DICOM Patient's Sex (PS3.3 C.7.1.1); U, N and what a site made up say nothing.
_SEX = {"M": "M", "F": "F", "O": "O", "A": "O"}
_MEDICAL_RECORD = "MR"
#: XPN.8 (HL7 table 0465) in the order of DICOM's component groups (PS3.5 section 6.2.1).
_REPRESENTATIONS = ("A", "I", "P")


def patient_of(pid: Segment, *, authority: str = "") -> Patient:
    """The patient that a PID names.

    Raises
    ------
    MessageRefused
        ``hl7_field_missing`` without any identifier in PID-3 or PID-2.
    """
    patient_id, issuer = identity(pid, (3, 2), authority=authority)
    return Patient(
        patient_id=patient_id,
        issuer=issuer,
        name=person_name(pid.cells(5)),
        birth_date=_date(pid.text(7)),
        sex=_SEX.get(pid.text(8).upper(), ""),
    )


def update_of(pid: Segment, *, authority: str = "") -> PatientUpdate:
    """What an A08 changes. A date or sex that cannot be read leaves what is known.

    Raises
    ------
    MessageRefused
        ``hl7_field_missing`` without any identifier in PID-3 or PID-2.
    """
    said = patient_of(pid, authority=authority)

    def change(field: int, value: str) -> str | None:
        return value if value or any(cell.is_null() for cell in pid.cells(field)) else None

    return PatientUpdate(
        patient_id=said.patient_id,
        issuer=said.issuer,
        name=change(5, said.name),
        birth_date=change(7, said.birth_date),
        sex=change(8, said.sex),
    )


def merges_of(segments: Sequence[Segment], *, authority: str = "") -> tuple[PatientMerge, ...]:
    """The pairs of PID and MRG of an A40, in their order.

    Raises
    ------
    MessageRefused
        ``hl7_segment_missing``, ``hl7_field_missing``; ``hl7_field_wrong`` for a patient merged with itself.
    """
    named = [each for each in segments if each.name in ("PID", "MRG")]
    names = [each.name for each in named]
    if not named or names != ["PID", "MRG"] * (len(named) // 2):
        raise refused(
            "hl7_segment_missing", "PID and MRG that do not pair", "one MRG after each PID", "Mend it at the sender."
        )
    return tuple(_merge(pid, mrg, authority) for pid, mrg in zip(named[::2], named[1::2], strict=True))


def _merge(pid: Segment, mrg: Segment, authority: str) -> PatientMerge:
    surviving = patient_of(pid, authority=authority)
    # Both must be identifiers of one kind, or the merge would join numbers of two registers.
    patient_id, issuer = identity(mrg, (1,), authority=authority or surviving.issuer)
    retired = Patient(patient_id=patient_id, issuer=issuer, name=person_name(mrg.cells(7)))
    if (retired.patient_id, retired.issuer) == (surviving.patient_id, surviving.issuer):
        raise mrg.wrong(1, "the surviving identifier", "the identifier that is retired")
    return PatientMerge(surviving=surviving, retired=retired)


def identity(segment: Segment, fields: Sequence[int], *, authority: str) -> tuple[str, str]:
    """Identifier and assigning authority (CX.1 and CX.4) out of the first of these fields that has one.

    Of several the one of ``authority`` wins, then a medical record number (CX.5 ``MR``), then the first. The authority
    is its name (HD.1), else its universal identifier (HD.2).

    Raises
    ------
    MessageRefused
        ``hl7_field_missing``.
    """
    for field in fields:
        usable = [cell for cell in segment.cells(field) if cell.text()]
        if usable:
            ours = [cell for cell in usable if authority and authority in (cell.text(4), cell.text(4, 2))]
            records = [cell for cell in usable if cell.text(5).upper() == _MEDICAL_RECORD]
            chosen = (ours or records or usable)[0]
            return chosen.text(), chosen.text(4) or chosen.text(4, 2)
    raise segment.missing(fields[0], "patient identifier")


def person_name(cells: Sequence[Cell]) -> str:
    """A name in DICOM's form, ``Family^Given^Middle^Prefix^Suffix``, out of XPN or XCN-like components 1 to 5.

    Repetitions that XPN.8 marks as alphabetic, ideographic and phonetic become component groups; else the first is
    meant. Characters that would divide a DICOM name become spaces.
    """
    groups = {cell.text(8).upper(): _group(cell) for cell in reversed(cells)}
    groups.setdefault("A", groups.get("", ""))
    marked = [groups.get(each, "") for each in _REPRESENTATIONS]
    if cells and any(marked[1:]):
        return "=".join(marked).rstrip("=")
    return _group(cells[0]) if cells else ""


def _group(cell: Cell) -> str:
    family, given, middle, suffix, prefix = (
        re.sub(r"[\^=\\]", " ", cell.text(component)).strip() for component in range(1, 6)
    )
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")


def _date(text: str) -> str:
    """The day of a TS value; ``""`` for less than a day, or what is no date."""
    day = text[:8]
    if not (day.isascii() and day.isdigit() and len(day) == 8):
        return ""
    try:
        datetime.strptime(day, "%Y%m%d")
    except ValueError:
        return ""
    return day
