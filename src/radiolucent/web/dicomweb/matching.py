"""What it means that a row matches a query (PS3.4 C.2.2.2), in one place for every archive."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from radiolucent.web.dicomweb.archive import Condition, Query, Row
from radiolucent.web.dicomweb.attributes import BY_NAME, value_of

R = TypeVar("R", bound=Row)


def select(rows: Iterable[R], query: Query) -> Iterator[R]:
    """The rows that match, in their order, from ``offset`` on and at most ``limit``.

    An archive may narrow ``rows`` by whatever it has an index for, and leave the rest to this.
    """
    found = (row for row in rows if all(matches(row, condition) for condition in query.conditions))
    return islice(found, query.offset, query.offset + query.limit)


def matches(row: Row, condition: Condition) -> bool:
    """Whether one condition holds; of an attribute with several values, one suffices."""
    attribute = BY_NAME[condition.keyword]
    values = [str(value) for value in value_of(row, attribute)]
    if attribute.matching == "time":
        return any(_within(_time(value, "0"), condition, time=True) for value in values)
    if condition.kind == "range":
        return any(_within(value, condition, time=False) for value in values)
    if attribute.matching == "name":
        return any(_name_matches(value, condition) for value in values)
    return any(_text_matches(value, condition) for value in values)


def _text_matches(value: str, condition: Condition) -> bool:
    if condition.kind == "wildcard":
        return pattern(condition.values[0]).fullmatch(value) is not None
    return value in condition.values


def _name_matches(value: str, condition: Condition) -> bool:
    """Whatever the case (PS3.4 C.2.2.2.1), in any of the three groups, empty components at the end left out."""
    wanted = condition.values[0].casefold()
    groups = [value.casefold(), *value.casefold().split("=")]
    if condition.kind == "wildcard":
        return any(pattern(wanted).fullmatch(group.rstrip("^ ")) for group in groups)
    return any(group.rstrip("^ ") == wanted.rstrip("^ ") for group in groups)


def pattern(text: str) -> re.Pattern[str]:
    """A DICOM wildcard (``*`` any characters, ``?`` any one) as a regular expression that never backtracks."""
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _within(value: str, condition: Condition, *, time: bool) -> bool:
    low, high = condition.values[0], condition.values[-1]
    if time:
        low, high = (_time(low, "0") if low else ""), (_time(high, "9") if high else "")
    return (not low or low <= value) and (not high or value <= high)


def _time(text: str, fill: str) -> str:
    """``HHMMSSFFFFFF``; what is not stated is filled, so that ``10`` reaches from 10:00 to the end of that hour."""
    return "".join(c for c in text if c.isdigit()).ljust(12, fill)[:12]
