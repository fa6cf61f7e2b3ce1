"""Who took part in an event, for the ATNA and FHIR forms (PS3.15 A.5.3)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from radiolucent.audit.vocabulary import (
    APPLICATION,
    APPLICATION_LAUNCHER,
    DESTINATION_MEDIA,
    DESTINATION_ROLE,
    SOURCE_ROLE,
    Meaning,
    Shape,
    clean,
)
from radiolucent.records.audit import AuditEvent
from radiolucent.records.engine import Code

OURSELVES = "radiolucent"
"""Actor of what this software does on its own."""
UNKNOWN = "unknown"
PointType = Literal["1", "2", "5"]
"""NetworkAccessPointTypeCode: machine name, IP address, URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who reports: this installation.

    ``source_id`` is AuditSourceID, ``site_id`` AuditEnterpriseSiteID; ``ae_title`` is ours, ``address`` the name or
    address under which others reach this machine.
    """

    source_id: str = "radiolucent"
    site_id: str = ""
    ae_title: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One who took part; exactly one of an event asked for it."""

    user_id: str
    is_requestor: bool
    address: str = ""
    role: Code | None = None
    is_reporter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPoint:
    """Where somebody is in the network."""

    id: str
    type: PointType


# Roles of the other side and of ourselves, where the standard names them.
_ROLES: dict[Shape, tuple[Code | None, Code | None]] = {
    "application": (APPLICATION_LAUNCHER, APPLICATION),
    "received": (SOURCE_ROLE, DESTINATION_ROLE),
    "sent": (DESTINATION_ROLE, SOURCE_ROLE),
    "exported": (DESTINATION_MEDIA, None),
}


def participants(event: AuditEvent, meaning: Meaning, reporter: Reporter) -> tuple[Participant, ...]:
    """All who took part: the other side, if there is one, and this installation.

    The other side is the actor; where the actor is this installation itself, it is who ``details`` names as
    ``destination`` or ``source``, or whoever is at the address ``peer``.
    """
    is_ours = is_reporter(event, reporter)
    # Whoever caused an alert did not ask for it (A.5.3.11); the report of it is ours.
    asked = is_ours or meaning.shape == "alert"
    other_role, our_role = _query_roles(is_ours=is_ours) if meaning.shape == "query" else _roles(meaning)
    us = Participant(
        user_id=clean(reporter.source_id) or OURSELVES,
        is_requestor=asked,
        address=clean(reporter.address),
        role=our_role,
        is_reporter=True,
    )
    name = _counterpart(event) if is_ours else clean(event.actor) or UNKNOWN
    if is_ours and not name and (other_role is None or meaning.shape == "application"):
        return (us,)
    other = Participant(user_id=name or UNKNOWN, is_requestor=not asked, address=clean(event.peer), role=other_role)
    return (us, other) if is_ours else (other, us)


def is_reporter(event: AuditEvent, reporter: Reporter) -> bool:
    """Whether this installation itself is the actor."""
    return event.actor in {OURSELVES, reporter.source_id} or (bool(event.actor) and event.actor == reporter.ae_title)


def _roles(meaning: Meaning) -> tuple[Code | None, Code | None]:
    return _ROLES.get(meaning.shape, (None, None))


def _query_roles(*, is_ours: bool) -> tuple[Code, Code]:
    """Who asks is the source of the query, whoever answers its destination (A.5.3.10)."""
    return (DESTINATION_ROLE, SOURCE_ROLE) if is_ours else (SOURCE_ROLE, DESTINATION_ROLE)


def _counterpart(event: AuditEvent) -> str:
    named = event.details.get("destination") or event.details.get("source") or event.peer
    return clean(named)


def access_point(address: str) -> AccessPoint | None:
    """What kind of address this is; a port after it is left out. ``None`` for none."""
    if not address:
        return None
    if "://" in address:
        return AccessPoint(id=address, type="5")
    host = _without_port(address)
    try:
        return AccessPoint(id=str(ipaddress.ip_address(host)), type="2")
    except ValueError:
        return AccessPoint(id=host, type="1")


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.partition(":")
    return host if port.isdigit() else address
