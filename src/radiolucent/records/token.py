"""A token by which a machine calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; the token itself is known to its machine alone.

    ``scopes`` are permissions. Times are seconds since 1970.
    """

    name: str
    scopes: tuple[str, ...]
    made_by: str
    made_at: float
    used_at: float | None = None
