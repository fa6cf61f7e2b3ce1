"""An event as canonical text, and its place in the chain.

The text is JSON in the sense of RFC 8785: keys sorted by UTF-16 code units, no spaces, characters kept, only what JSON
demands escaped. There are no numbers in it. Times are UTC with six digits of a second and ``Z``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import get_args

from radiolucent.errors import InvariantBroken
from radiolucent.records.audit import AuditAction, AuditEntry, AuditEvent, AuditOutcome

GENESIS = "0" * 64
"""``previous_sha256`` of the first entry."""
DOMAIN = b"radiolucent audit entry 1\x00"
"""First bytes of what is hashed, so that no hash of anything else can stand for an entry's."""
KEYS = frozenset({"action", "actor", "at", "details", "outcome", "patient_id", "peer", "study_instance_uid"})
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical(event: AuditEvent) -> str:
    """The event as canonical JSON.

    A lone surrogate, which UTF-8 cannot hold, is written as its JSON escape, so that no event is lost to a name in a
    broken character set; two that stand side by side as a pair are the one character that they encode.

    Raises
    ------
    InvariantBroken
        ``audit_time`` for an event whose time has no time zone.
    """
    if event.at.utcoffset() is None:
        raise InvariantBroken(
            "audit_time",
            found="an audit event whose time has no time zone",
            expected="a time with its time zone",
            action="This is a defect of Radiolucent; report the action that was under way.",
        )
    return canonical_json(
        {
            "action": event.action,
            "actor": event.actor,
            "at": utc(event.at),
            "details": dict(event.details),
            "outcome": event.outcome,
            "patient_id": event.patient_id,
            "peer": event.peer,
            "study_instance_uid": event.study_instance_uid,
        }
    )


def canonical_json(fields: Mapping[str, object]) -> str:
    """A mapping of texts, whole numbers and such mappings as canonical JSON, fit for UTF-8.

    A whole number that a double cannot hold exactly is outside RFC 8785; there are none here.
    """
    text = json.dumps(_sorted(fields), ensure_ascii=False, separators=(",", ":"))
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", joined)


def _sorted(fields: Mapping[str, object]) -> dict[str, object]:
    ordered = sorted(fields.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))
    return {key: _sorted(value) if isinstance(value, Mapping) else value for key, value in ordered}


def utc(at: datetime) -> str:
    """A time with a time zone as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse(text: str) -> AuditEvent:
    """The event of a canonical text, exactly; its time is in UTC.

    Raises
    ------
    InvariantBroken
        ``audit_text`` for any other text, also for one that says the same in another form.
    """
    try:
        fields = json.loads(text)
        event = _event(fields)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _not_canonical(type(error).__name__) from error
    if canonical(event) != text:
        raise _not_canonical("another form")
    return event


def _event(fields: object) -> AuditEvent:
    if not isinstance(fields, dict) or fields.keys() != KEYS:
        raise ValueError
    details = fields.pop("details")
    if not isinstance(details, dict) or not all(isinstance(v, str) for v in (*fields.values(), *details.values())):
        raise TypeError
    if fields["action"] not in get_args(AuditAction) or fields["outcome"] not in get_args(AuditOutcome):
        raise ValueError
    at = datetime.fromisoformat(fields.pop("at"))
    if at.tzinfo is None:
        raise ValueError
    return AuditEvent(at=at, details=details, **fields)


def _not_canonical(why: str) -> InvariantBroken:
    return InvariantBroken(
        "audit_text",
        found=f"an audit entry that is no event as Radiolucent writes it ({why})",
        expected="canonical JSON of one event",
        action="Run `radiolucent audit verify`: it says which entry was changed. If it finds nothing, report this.",
    )


def digest(previous_sha256: str, sequence: int, text: str) -> str:
    """SHA-256, in lower-case hex, that chains an entry: domain, previous hash (32 bytes), sequence (8 bytes), text.

    All parts but the last have a fixed length, so no two different entries give the same bytes.

    Raises
    ------
    ValueError
        A previous hash that is not 64 hexadecimal digits, a sequence number outside 1 to 2^63 - 1, or a text that is
        not UTF-8.
    """
    before = bytes.fromhex(previous_sha256)
    if len(before) != 32 or not 1 <= sequence < 2**63:
        raise ValueError("not the parts of an audit entry")
    return hashlib.sha256(DOMAIN + before + sequence.to_bytes(8, "big") + text.encode("utf-8")).hexdigest()


def link(previous: AuditEntry | None, event: AuditEvent) -> AuditEntry:
    """The entry that follows ``previous``; ``None`` begins a chain at sequence 1 after `GENESIS`.

    Raises
    ------
    InvariantBroken
        As `canonical`.
    """
    text = canonical(event)
    sequence = 1 if previous is None else previous.sequence + 1
    before = GENESIS if previous is None else previous.sha256
    return AuditEntry(sequence=sequence, text=text, previous_sha256=before, sha256=digest(before, sequence, text))
