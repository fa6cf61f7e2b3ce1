"""Who and what a study is about, out of its kept header and its order."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol

from radiolucent.records.study import Order, Patient, StudyContext

TAGS = {
    "name": "00100010",
    "birth_date": "00100030",
    "sex": "00100040",
    "patient_id": "00100020",
    "issuer": "00100021",
    "description": "00081030",
    "referring": "00080090",
    "date": "00080020",
    "time": "00080030",
    "offset": "00080201",
}


class Stated(Protocol):
    """A study with what its images state."""

    @property
    def study_instance_uid(self) -> str:
        """Its UID."""

    @property
    def accession_number(self) -> str:
        """Its accession number."""

    @property
    def patient_id(self) -> str:
        """Of whom it is."""

    @property
    def issuer(self) -> str:
        """Assigning authority of the patient's identifier."""

    @property
    def header(self) -> str:
        """Attributes of the study level, DICOM JSON."""


def study_context(study: Stated, order: Order | None) -> StudyContext:
    """The context of a study as its images state it; merges and later orders are looked up when something is sent."""
    header: dict[str, Any] = json.loads(study.header)
    said = {name: _first(header, tag) for name, tag in TAGS.items()}
    return StudyContext(
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        patient=Patient(
            patient_id=study.patient_id,
            issuer=study.issuer,
            name=said["name"],
            birth_date=said["birth_date"],
            sex=said["sex"].upper()[:1],
        ),
        started=_time(said["date"], said["time"], said["offset"]),
        description=said["description"],
        referring_physician=said["referring"],
        order=order,
    )


def _first(header: dict[str, Any], tag: str) -> str:
    values = header.get(tag, {}).get("Value") or [""]
    first = values[0]
    if isinstance(first, dict):
        first = next((first[group] for group in ("Alphabetic", "Ideographic", "Phonetic") if first.get(group)), "")
    return str(first if first is not None else "").strip()


def _time(date: str, time: str, offset: str) -> datetime | None:
    """DA and TM (PS3.5 6.2) as a time; in UTC where the header states no offset, ``None`` where it states no date."""
    digits, clock = re.sub(r"\D", "", date), re.sub(r"[^\d.]", "", time).split(".")[0].ljust(6, "0")
    stated = re.fullmatch(r"([+-])(\d\d)(\d\d)", offset)
    zone = UTC
    if stated:
        delta = timedelta(hours=int(stated[2]), minutes=int(stated[3]))
        zone = timezone(delta if stated[1] == "+" else -delta)
    try:
        return datetime.strptime(digits[:8] + clock[:6], "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        return None
