"""Shares with intervals."""

from __future__ import annotations

from scipy.stats import binomtest

Interval = tuple[float, float, float]


def wilson(hits: int, of: int) -> Interval | None:
    """A share with its 95 % interval (Wilson 1927); ``None`` of nothing."""
    if of == 0:
        return None
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return hits / of, float(found.low), float(found.high)
