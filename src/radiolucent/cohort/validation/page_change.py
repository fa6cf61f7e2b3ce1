"""The page's table of a change of version by group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radiolucent.cohort.validation.change_groups import ALL, GroupChange
from radiolucent.cohort.validation.records import Validation


def changes_of(found: Validation, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each finding with the groups of which something can be said; those that read worse somewhere come first."""
    if found.change is None:
        return []
    made = list(_findings(found.change.groups, names))
    return sorted(made, key=lambda one: not one["worse"])


def _findings(rows: Sequence[GroupChange], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys(row.key for row in rows):
        kept = [row for row in rows if row.key == key and _says_something(row)]
        worse = [row for row in kept if row.worse and row.by != ALL]
        if kept:
            yield {"name": names[key], "rows": kept, "worse": bool(worse), "summary": _summary(worse)}


def _says_something(row: GroupChange) -> bool:
    return any(not figure.saying for figure in row.figures) or not math.isnan(row.looks.distance)


def _summary(worse: Sequence[GroupChange]) -> str:
    said = [f"{' and '.join(row.worse)} where {row.by.replace('_', ' ')} is {row.value}" for row in worse]
    return f"worse in {'; '.join(said)}" if said else ""
