"""The page's table of a change of version by group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radiolucent.cohort.validation.change_groups import GroupChange, worse_places
from radiolucent.cohort.validation.records import Validation


def changes_of(found: Validation, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each finding with the groups of which something can be said; those that read worse somewhere come first."""
    if found.change is None:
        return []
    made = list(_findings(found.change.groups, names))
    return sorted(made, key=lambda one: not one["summary"])


def _findings(rows: Sequence[GroupChange], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys(row.key for row in rows):
        mine = [row for row in rows if row.key == key]
        kept = [row for row in mine if _says_something(row)]
        if kept:
            worse = "; ".join(place for _, place in worse_places(mine))
            yield {"name": names[key], "rows": kept, "summary": f"worse {worse}" if worse else ""}


def _says_something(row: GroupChange) -> bool:
    return any(not figure.saying for figure in row.figures) or not math.isnan(row.looks.distance)
