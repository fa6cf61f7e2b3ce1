"""What the API answers, but for studies; an answer with another field is not sent."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float, float] | None
"""Estimate, lower and upper end of its 95 % interval."""


class Answer(BaseModel):
    """An answer without fields that are not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """What went wrong; some codes tell more."""

    model_config = ConfigDict(extra="allow", frozen=True)

    code: str
    found: str
    expected: str
    action: str


class CodedText(Answer):
    """A code with its words."""

    code: str
    text: str


class Provider(Answer):
    """Who else signs people in."""

    title: str


class Door(Answer):
    """What this is, before anybody has signed in."""

    product: str
    version: str
    notice: str
    oidc: Provider | None
    has_users: bool


class User(Answer):
    """Who is signed in."""

    name: str
    display: str
    roles: list[str]
    sites: list[str]
    totp: bool


class Session(Answer):
    """A session, and what its owner may do. ``csrf`` goes into ``X-CSRF-Token`` of all that writes."""

    user: User
    permissions: list[str]
    csrf: str
    idle_s: float
    expires_at: str
    must_enrol_totp: bool


class Person(User):
    """An account."""

    disabled: bool


class Link(Answer):
    """A one-time link, as a place in the page."""

    link: str


class Secret(Answer):
    """A secret for an authenticator app; ``uri`` as the app reads it, ``picture`` as its camera does (QR code, SVG)."""

    secret: str
    uri: str
    picture: str


class Token(Answer):
    """A machine's token; it is not shown again."""

    id: str
    name: str
    scopes: list[str]
    made_by: str
    created_at: str
    last_used_at: str | None


class NewToken(Answer):
    """A token, shown this once."""

    token: str


class OpenedUntil(Answer):
    """A study of another site, open for a while."""

    study_key: str
    until: str


class Reliance(Answer):
    """Agreement where the engine was right and where it was wrong, as far as truth is known.

    ``false_alarms`` are those of ``wrong`` that the engine called; the others are misses.
    """

    right: int
    right_agreed: int
    agreed_right: Interval
    wrong: int
    wrong_agreed: int
    agreed_wrong: Interval
    false_alarms: int
    false_alarms_agreed: int


class EngineReliance(Reliance):
    """Of one engine version."""

    engine: str
    version: str


class ReaderReliance(EngineReliance):
    """Of one finding and reader."""

    finding: str
    reader: str


class Reliances(Answer):
    """The same, put together in two ways."""

    engines: list[EngineReliance]
    rows: list[ReaderReliance]


class OversightRow(Reliance):
    """Decisions counted by finding, engine version, reader and confidence."""

    engine: str
    version: str
    finding: str
    reader: str
    confidence: str
    n: int
    accepted: int
    modified: int
    rejected: int
    missed: int
    override_rate: Interval
    median_decision_s: float | None


class OversightTotals(Answer):
    """The same over all rows."""

    n: int
    accepted: int
    modified: int
    rejected: int
    missed: int
    override_rate: Interval


class Bias(Answer):
    """Of readers who looked first: how often they moved to the engine, and agreed with it beforehand."""

    moved_to_engine: Interval
    agreed_first: Interval


class Oversight(Answer):
    """Meters of agreement."""

    rows: list[OversightRow]
    totals: OversightTotals
    bias: Bias
    reliance: Reliances


class AuditLine(Answer):
    """An entry of the audit log, without the patient."""

    sequence: int
    at: str
    action: str
    outcome: str
    actor: str
    study_instance_uid: str | None
    details: dict[str, Any] | None


class AuditLines(Answer):
    """Entries of the audit log, oldest first."""

    entries: list[AuditLine]
    verified: None


class Verified(Answer):
    """Whether the whole audit chain holds."""

    verified: bool
    entries: int
    checkpoints: int
    anchored_to: int
    problems: list[str]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in (("4XX", "A request that is refused, and why."), ("5XX", "What failed here."))
}


def described() -> APIRouter:
    """A router whose endpoints say in their description how they refuse."""
    return APIRouter(responses=PROBLEMS)
