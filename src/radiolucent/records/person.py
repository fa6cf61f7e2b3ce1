"""Somebody who signs in, and whose studies they may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["radiologist", "senior", "technologist", "qa", "auditor", "administrator", "service"]
ROLES: tuple[Role, ...] = get_args(Role)
MAIN_SITE = "main"
"""Of every study whose sender no site names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whose studies somebody may see: those of ``sites`` (``*`` is every one), and single ``studies`` by their keys."""

    sites: frozenset[str]
    studies: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is out of sight."""
        return "*" in self.sites

    def covers(self, site: str, study_key: str) -> bool:
        """Whether a study of that site may be shown."""
        return self.is_everything or site in self.sites or study_key in self.studies


EVERYTHING = Sight(sites=frozenset({"*"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account. ``sites`` is whose studies it may see; ``*`` is every site. ``has_totp``: a second factor is on.

    ``has_password``: a person has set one; whoever signs in by a provider needs none.
    """

    name: str
    display: str
    roles: tuple[str, ...]
    sites: tuple[str, ...] = ("*",)
    is_disabled: bool = False
    has_totp: bool = False
    has_password: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that holds, with what a browser must send back (``csrf``) and when it ends (seconds since 1970).

    ``opened``: keys of studies that the person has opened in an emergency. ``must_enrol_totp``: the person may set up a
    second factor and nothing else.
    """

    person: Person
    csrf: str
    ends_at: float
    opened: frozenset[str] = frozenset()
    must_enrol_totp: bool = False

    @property
    def sight(self) -> Sight:
        """Whose studies the person may see now."""
        return Sight(sites=frozenset(self.person.sites), studies=self.opened)
