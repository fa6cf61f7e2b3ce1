"""Somebody who signs in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account. ``sites`` is whose studies it may see; ``*`` is every site."""

    name: str
    display: str
    roles: tuple[str, ...]
    sites: tuple[str, ...] = ("*",)
    is_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that holds, with what a browser must send back (``csrf``) and when it ends (seconds since 1970)."""

    person: Person
    csrf: str
    ends_at: float
