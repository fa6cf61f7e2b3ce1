"""FHIR data types out of our records (FHIR R4 section 2.24): every function gives legal JSON or nothing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.report.fhir import systems

Resource = dict[str, Any]
"""A resource or data type as JSON. Absent elements have no key: FHIR knows neither null nor an empty string."""

UID = re.compile(r"[0-9.]{1,64}")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_GENDER = {"M": "male", "F": "female", "O": "other"}
_REPRESENTATIONS = ("ABC", "IDE", "SYL")
_FURTHEST_OFFSET = timedelta(hours=14)


def present(**elements: Any) -> Resource:
    """The elements that say something; a trailing underscore frees a name that Python keeps for itself."""
    return {name.rstrip("_"): value for name, value in elements.items() if value not in (None, "", [], {}, ())}


def text(words: str) -> str:
    """Text without the characters that FHIR strings and XHTML may not hold; ``""`` where nothing is left."""
    kept = (
        " " if char.isspace() and char not in "\t\n" else char
        for char in words.replace("\r\n", "\n")
        if char in "\t\n" or (unicodedata.category(char) not in ("Cc", "Cs") and char not in "\ufffe\uffff")
    )
    return "".join(kept).strip()


def token(words: str) -> str:
    """Text as a FHIR ``code``: single blanks inside, none around."""
    return " ".join(text(words).split())


def coding(code: Code, code_systems: Mapping[str, str] = systems.CODE_SYSTEMS) -> Resource:
    """A Coding; without ``system`` where the scheme is unknown, for a guessed one would be another concept.

    Nothing where there is no code.
    """
    value = token(code.value)
    if not value:
        return {}
    return present(
        system=code_systems.get(code.scheme) or systems.CODE_SYSTEMS.get(code.scheme),
        code=value,
        display=text(code.meaning),
    )


def concept(*codings: Resource, words: str = "") -> Resource:
    """A CodeableConcept."""
    return present(coding=[c for c in codings if c], text=text(words))


def coded(system: str, code: str, display: str, words: str = "") -> Resource:
    """A CodeableConcept of one code."""
    return concept({"system": system, "code": code, "display": display}, words=words)


def identifier(system: str | None, value: str, kind: str = "", *, use: str = "") -> Resource:
    """An Identifier; ``kind`` is a code of HL7 table 0203. Nothing where there is no value."""
    if not text(value):
        return {}
    return present(
        use=use,
        type={"coding": [{"system": systems.IDENTIFIER_TYPE, "code": kind}]} if kind else None,
        system=system,
        value=text(value),
    )


def uid_identifier(uid: str) -> Resource:
    """A DICOM UID as FHIR R4 writes it: system ``urn:dicom:uid``, value ``urn:oid:...``."""
    return identifier(systems.DICOM_UID, f"urn:oid:{uid}") if UID.fullmatch(uid) else {}


def number(value: float) -> float:
    """A decimal of at most six places.

    Raises
    ------
    InvariantBroken
        ``result_not_finite``: JSON holds neither NaN nor infinity.
    """
    if not math.isfinite(value):
        raise InvariantBroken(
            "result_not_finite",
            found="a probability, threshold or share that is not finite",
            expected="finite numbers in a report",
            action="Please report this defect.",
        )
    return round(float(value), 6)


def ratio(value: float) -> Resource:
    """A Quantity without a unit, UCUM ``1``."""
    return {"value": number(value), "unit": "1", "system": systems.CODE_SYSTEMS["UCUM"], "code": "1"}


def instant(when: datetime) -> str:
    """An ``instant`` with its time zone, to the millisecond.

    Raises
    ------
    InvariantBroken
        ``datetime_without_zone``: a moment that was never tied to a zone.
    """
    offset = when.utcoffset()
    if offset is None:
        raise InvariantBroken(
            "datetime_without_zone",
            found="a report whose time of production names no time zone",
            expected="a time with its zone",
            action="Please report this defect.",
        )
    # FHIR writes whole minutes up to 14 hours; historic and odd zones have others
    if offset % timedelta(minutes=1) or abs(offset) > _FURTHEST_OFFSET:
        when = when.astimezone(UTC)
    return when.isoformat(timespec="milliseconds")


def date_time(when: datetime | None, zone: tzinfo | None) -> str | None:
    """A ``dateTime``: whole where a zone is known, else the date alone (a time without zone is not legal)."""
    if when is None:
        return None
    if when.tzinfo is None and zone is None:
        return when.date().isoformat()
    return instant(when if when.tzinfo else when.replace(tzinfo=zone))


def birth_date(value: str) -> str | None:
    """A ``date`` out of a DICOM DA; ``None`` where it is no day of the calendar."""
    found = _DATE.fullmatch(value.strip())
    try:
        return date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


def gender(sex: str) -> str | None:
    """An ``administrative-gender`` out of Patient's Sex (0010,0040); ``None`` where unknown."""
    return _GENDER.get(sex.strip().upper())


def human_names(name: str) -> list[Resource]:
    """A HumanName per component group of a DICOM PN (PS3.5 section 6.2.1.1).

    Ideographic and phonetic groups are marked as such; where there is one group it is not marked.
    """
    groups = [part.split("^") for part in name.split("=")[:3]]
    names = []
    for representation, parts in zip(_REPRESENTATIONS, groups, strict=False):
        family, given, middle, prefix, suffix = (text(p) for p in (*parts, "", "", "", "", "")[:5])
        said = " ".join(p for p in (prefix, given, middle, family, suffix) if p)
        if said:
            mark = [{"url": systems.NAME_REPRESENTATION, "valueCode": representation}] if len(groups) > 1 else None
            names.append(
                present(
                    extension=mark,
                    text=said,
                    family=family,
                    given=[p for p in (given, middle) if p],
                    prefix=[prefix] if prefix else None,
                    suffix=[suffix] if suffix else None,
                )
            )
    return names


def person_text(name: str) -> str:
    """A PN in reading order, of its first group that says something."""
    return next((str(n["text"]) for n in human_names(name)), "")
