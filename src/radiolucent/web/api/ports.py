"""What the API needs of the installation; `wiring` fulfils it. Called from several threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from radiolucent.pipeline.break_glass import BreakGlass
from radiolucent.pipeline.federated import Federated
from radiolucent.pipeline.machines import Machines
from radiolucent.pipeline.people import People
from radiolucent.pipeline.second_factor import SecondFactor
from radiolucent.records.decision import Decision, Draft, Lease
from radiolucent.web.api.caller import Caller

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A search of the worklist; what is empty holds for all. Times are ISO dates, ``until`` is not within."""

    states: frozenset[str] = frozenset()
    engines: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()
    confidences: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None
    text: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may come in, and what they may see."""

    people: People
    factor: SecondFactor
    glass: BreakGlass
    machines: Machines
    oidc: Federated | None = None


class Desk(Protocol):
    """Where people read and decide. What is told of a study raises `InputRefused` ``no_such_study``, ``other_site``."""

    def worklist(self, caller: Caller, wanted: Wanted) -> Json:
        """The worklist as the contract says."""

    def version(self) -> int:
        """A number that changes when the worklist may have."""

    def study(self, caller: Caller, study_key: str) -> Json:
        """Everything a reading view shows of a study; puts on record that it was opened."""

    def map(self, caller: Caller, study_key: str, image_key: int, engine: str, finding: str) -> NDArray[np.uint8]:
        """A finding's map on an image; `InputRefused` ``no_such_map``, ``read_first``."""

    def opinion(
        self, caller: Caller, study_key: str, findings: tuple[str, ...], *, is_nothing: bool, comment: str
    ) -> None:
        """Record what a reader says before the result is shown; a second one changes nothing."""

    def lease(self, caller: Caller, study_key: str, *, break_reason: str) -> Lease:
        """Take, renew or take over a study; `LeaseHeld`."""

    def give_back(self, caller: Caller, study_key: str) -> None:
        """End the own lease."""

    def vocabulary(self) -> Json:
        """Reasons, findings, words of confidence."""


class Deciding(Protocol):
    """Where people sign, take back, and have read again. A study raises as in `Desk`."""

    def decide(self, caller: Caller, study_key: str, draft: Draft) -> tuple[Decision, bool]:
        """Sign; the decision, and whether it is new. `InputRefused`, `LeaseHeld`."""

    def told(self, caller: Caller, decision: Decision) -> Json:
        """A decision as the contract says."""

    def decisions(self, caller: Caller, study_key: str) -> Sequence[Json]:
        """All decisions on a study, newest first."""

    def retract(self, caller: Caller, study_key: str, reason: Literal["quality", "patient_safety"]) -> list[str]:
        """Take a result back; the destinations that are told."""

    def rerun(self, caller: Caller, study_key: str) -> None:
        """Have a study read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which decisions are counted; what is empty holds for all. Both days are within."""

    since: date | None = None
    until: date | None = None
    engine: str = ""
    finding: str = ""
    reader: str = ""


class Overseeing(Protocol):
    """What quality officers and auditors see."""

    def oversight(self, caller: Caller, wanted: Meant) -> Json:
        """Meters of agreement."""

    def audit(self, caller: Caller, from_sequence: int | None, limit: int) -> Sequence[Json]:
        """Entries of the audit log."""

    def verify(self, caller: Caller) -> Json:
        """Whether the audit chain holds."""


class Quality(Protocol):
    """What moves, and how engines did on the patients of the house.

    All of it is over every site: `InputRefused` ``other_site`` for whoever sees some; a report ``no_such_validation``.
    """

    def drift(self, caller: Caller, days: int) -> Json:
        """Control charts of live results, with so many last days of each."""

    def validations(self, caller: Caller) -> Json:
        """Every validation that is kept, the newest first."""

    def report(self, caller: Caller, name: str) -> bytes:
        """The report of one as a page; it leads to `cases`."""

    def printed(self, caller: Caller, name: str) -> bytes:
        """The same as PDF."""

    def cases(self, caller: Caller, name: str) -> bytes:
        """The page of its cases, which are images of patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """Everything that the API asks."""

    reading: Desk
    deciding: Deciding
    overseeing: Overseeing
    quality: Quality
