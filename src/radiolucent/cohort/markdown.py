"""Numbers and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from radiolucent.cohort.measure import Interval

Names = Mapping[str, str]


def number(value: float) -> str:
    """Two decimals."""
    return "not measured" if math.isnan(value) else f"{value:.2f}"


def short(interval: Interval) -> str:
    """An interval, or that there is none."""
    return "not measured" if math.isnan(interval.value) else interval.text()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a header."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
