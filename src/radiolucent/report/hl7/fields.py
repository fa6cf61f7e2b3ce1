"""Our records as HL7 data types (HL7 v2.5.1 chapter 2A)."""

from __future__ import annotations

from datetime import datetime

from radiolucent.records.engine import Code
from radiolucent.records.study import Patient, Verification
from radiolucent.standards.hl7_text import Value

#: XPN.8 (HL7 table 0465), in the order of DICOM's component groups (PS3.5 section 6.2.1).
_REPRESENTATIONS = ("A", "I", "P")
_UNSPECIFIED_NAME = ("", "", "", "", "", "", "U")


def coded(code: Code) -> tuple[str, str, str]:
    """CE or CWE: identifier, text, coding system. Scheme designators of DICOM are those of HL7 table 0396."""
    return code.value, code.meaning, code.scheme


def timestamp(moment: datetime | None) -> str:
    """TS to the second, with its zone where it has one."""
    return moment.strftime("%Y%m%d%H%M%S%z") if moment else ""


def identifier(patient: Patient) -> Value:
    """CX: the medical record number with its assigning authority; empty without one."""
    return (patient.patient_id, "", "", patient.issuer, "MR") if patient.patient_id else ""


def person_name(name: str) -> Value:
    """XPN out of a DICOM name: prefix and suffix change places, component groups become repetitions.

    A patient without a name is one of unspecified name (HL7 table 0200: ``U``), because PID-5 must be there.
    """
    groups = name.split("=")[:3] if name.strip("=^ ") else []
    if not groups:
        return [_UNSPECIFIED_NAME]
    marks = _REPRESENTATIONS if len(groups) > 1 else ("",)
    # zip: a single group carries no mark
    return [(*_name(group), "", "", mark) for group, mark in zip(groups, marks, strict=False) if group.strip("^ ")]


def physician(name: str) -> Value:
    """XCN without an identifier, out of a DICOM name."""
    return ("", *_name(name.split("=")[0])) if name.strip("=^ ") else ""


def person(made: Verification | None) -> Value:
    """XCN of whoever decided: the name of the account, and the whole display name as family name."""
    return "" if made is None else (made.reader_name, made.reader_display)


def interpreter(made: Verification | None) -> Value:
    """NDL of whoever decided (OBR-32), with the time; its first component is a CNN of subcomponents."""
    return "" if made is None else ((made.reader_name, made.reader_display), timestamp(made.signed_at))


def _name(group: str) -> tuple[str, ...]:
    family, given, middle, prefix, suffix = (*(part.strip() for part in group.split("^")[:5]), *[""] * 5)[:5]
    return family, given, middle, suffix, prefix
