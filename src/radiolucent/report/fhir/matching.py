"""Whether a resource meets a search value (FHIR R4 section 3.1.1.4): tokens, references and dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from radiolucent.report.fhir.capability import SearchParameter
from radiolucent.report.fhir.datatypes import Resource

_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)
Span = tuple[datetime, datetime]


class ValueNotUnderstood(Exception):
    """A search value that has not the form of its parameter's type."""


def alternatives(value: str) -> list[str]:
    """The values that unescaped commas separate; escapes other than of the comma stay."""
    parts = re.split(r"(?<!\\)((?:\\\\)*),", value)
    joined = [parts[i] + (parts[i + 1] if i + 1 < len(parts) else "") for i in range(0, len(parts), 2)]
    return [part for part in joined if part]


def meets(resource: Resource, parameter: SearchParameter, value: str, *, base_url: str) -> bool:
    """Whether one of the comma-separated values is met.

    Raises
    ------
    ValueNotUnderstood
        A value that is no token, reference or date.
    """
    wanted = alternatives(value)
    if not wanted:
        raise ValueNotUnderstood
    found = [item for path in parameter.paths for item in _at(resource, path.split("."))]
    if parameter.kind == "token":
        return any(_token(item, one) for one in wanted for item in found)
    if parameter.kind == "reference":
        return any(_reference(item, one, parameter.target, base_url) for one in wanted for item in found)
    spans = [span for item in found if (span := _span(str(item))) is not None]
    return _dates(wanted, spans)


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _unescaped(words: str) -> str:
    return re.sub(r"\\([\\|,$])", r"\1", words)


def _token(item: Any, wanted: str) -> bool:
    """An Identifier, CodeableConcept, Coding or code against ``system|code``, ``|code``, ``system|`` or ``code``."""
    parts = re.split(r"(?<!\\)\|", wanted, maxsplit=1)
    system = _unescaped(parts[0]) if len(parts) == 2 else None
    code = _unescaped(parts[-1])
    if isinstance(item, str):
        return not system and item == code
    pairs = [item, *item.get("coding", [])] if isinstance(item, dict) else []
    for pair in pairs:
        value = pair.get("value", pair.get("code"))
        if value is None or (code and value != code) or (not code and not system):
            continue
        if system is None or pair.get("system", "") == system:
            return True
    return False


def _reference(item: Any, wanted: str, target: str, base_url: str) -> bool:
    said = str(item.get("reference", "")) if isinstance(item, dict) else ""
    if target and not said.startswith(f"{target}/"):
        return False
    asked = _unescaped(wanted).removeprefix(f"{base_url.rstrip('/')}/")
    return said == asked or ("/" not in asked and said.rpartition("/")[2] == asked and bool(said))


def _dates(wanted: list[str], spans: list[Span]) -> bool:
    met = False
    for one in wanted:
        prefix, rest = (one[:2], one[2:]) if one[:2] in _PREFIXES else ("eq", one)
        asked = _span(rest)
        if asked is None:
            raise ValueNotUnderstood
        met = met or any(_compare(prefix, span, asked) for span in spans)
    return met


def _compare(prefix: str, found: Span, asked: Span) -> bool:
    (low, high), (first, last) = found, asked
    equal = first <= low and high <= last
    answers = {
        "eq": equal,
        "ne": not equal,
        "gt": high > last,
        "lt": low < first,
        "ge": equal or high > last,
        "le": equal or low < first,
        "sa": low >= last,
        "eb": high <= first,
    }
    return answers[prefix]


def _span(value: str) -> Span | None:
    """From a moment's first instant to the first after it, in UTC; a moment without a zone is read as UTC."""
    found = _MOMENT.fullmatch(value.replace(" ", "+") if "T" in value else value)
    if found is None:
        return None
    part = found.groupdict()
    try:
        start = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int((part["fraction"] or "0")[:6].ljust(6, "0")),
            tzinfo=UTC,
        )
        return _shifted(start, part["zone"]), _shifted(_after(start, part), part["zone"])
    except (ValueError, OverflowError):
        return None


def _after(start: datetime, part: dict[str, str | Any]) -> datetime:
    if part["month"] is None:
        return start.replace(year=start.year + 1)
    if part["day"] is None:
        return (start + timedelta(days=31)).replace(day=1)
    if part["hour"] is None:
        return start + timedelta(days=1)
    if part["second"] is None:
        return start + timedelta(minutes=1)
    if part["fraction"] is None:
        return start + timedelta(seconds=1)
    return start + timedelta(seconds=10.0 ** -min(6, len(part["fraction"])))


def _shifted(when: datetime, zone: str | None) -> datetime:
    if zone in (None, "Z"):
        return when
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return when - offset if zone[0] == "+" else when + offset
