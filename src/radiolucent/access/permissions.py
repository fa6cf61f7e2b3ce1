"""The one table of who may do what. What is not in it is not allowed.

``docs/permissions.md`` shows it; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from radiolucent.records.person import ROLES, Role

Permission = Literal[
    "worklist.read",
    "study.read",
    "study.break_glass",
    "opinion.write",
    "lease.take",
    "lease.break",
    "decision.sign",
    "decision.override",
    "result.retract",
    "study.rerun",
    "oversight.read",
    "audit.read",
    "people.manage",
    "tokens.manage",
    "dicomweb.read",
    "dicomweb.store",
    "fhir.read",
    "metrics.read",
    "status.read",
]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
SCOPES: tuple[Permission, ...] = ("dicomweb.read", "dicomweb.store", "fhir.read", "metrics.read", "status.read")
"""What a token may be given: no more than machines need."""
_READING: frozenset[Permission] = frozenset({"worklist.read", "study.read", "dicomweb.read"})
_REPORTING: frozenset[Permission] = _READING | {
    *("study.break_glass", "opinion.write", "lease.take", "lease.break", "decision.sign"),
}
ALLOWED: Mapping[Role, frozenset[Permission]] = {
    "radiologist": _REPORTING,
    "senior": _REPORTING | {"decision.override", "result.retract", "study.rerun", "oversight.read"},
    "technologist": _READING | {"study.rerun"},
    "qa": _READING | {"oversight.read", "result.retract", "study.rerun"},
    "auditor": frozenset({"audit.read"}),
    "administrator": frozenset({"people.manage", "tokens.manage", "metrics.read", "status.read"}),
    "service": frozenset(SCOPES),
}
"""Whoever manages accounts sees no patient. Tokens of ``http.tokens`` are of the role ``service``."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything that any of the roles may do."""
    return frozenset().union(*(ALLOWED[role] for role in roles))


def as_markdown() -> str:
    """The table, a row for each permission."""
    rows = ["| Permission | " + " | ".join(ROLES) + " |", "|" + "---|" * (len(ROLES) + 1)]
    for permission in PERMISSIONS:
        marks = " | ".join("yes" if permission in ALLOWED[role] else "" for role in ROLES)
        rows.append(f"| `{permission}` | {marks} |")
    return "\n".join(rows) + "\n"
