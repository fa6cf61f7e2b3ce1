"""What happened, for the record: one event of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

AuditAction = Literal[
    "start",
    "stop",
    "receive",
    "refuse",
    "order",
    "patient_update",
    "patient_merge",
    "inference",
    "result",
    "send",
    "retract",
    "query",
    "access",
    "decision",
    "truth",
    "login",
    "setting_change",
    "quarantine",
    "rerun",
    "delete",
    "checkpoint",
]
AuditOutcome = Literal["success", "minor_failure", "serious_failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that somebody or something did.

    Parameters
    ----------
    actor
        Who: an application entity title, a user, or ``radiolucent`` itself; ``peer`` is its network address.
    study_instance_uid, patient_id
        What it was about, where it was about a study or a patient. The audit log is patient data and kept as such.
    details
        Further facts as text, by name: engine id, version and hash; counts; reason codes; destinations.
    """

    action: AuditAction
    outcome: AuditOutcome
    at: datetime
    actor: str
    peer: str = ""
    study_instance_uid: str = ""
    patient_id: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An event in its place in the chain: ``sha256`` is over ``previous_sha256`` and the canonical ``text``.

    ``sequence`` starts at 1 without gaps; ``text`` is the canonical JSON of the event, byte for byte as hashed.
    """

    sequence: int
    text: str
    previous_sha256: str
    sha256: str
