"""The table of permissions, cell by cell, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiolucent.access.permissions import ALLOWED, PERMISSIONS, ROLES, SCOPES, as_markdown, permissions_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
READ = {"worklist.read", "study.read", "dicomweb.read"}
REPORT = READ | {"opinion.write", "lease.take", "lease.break", "decision.sign", "study.break_glass"}
MANAGE = {"people.manage", "tokens.manage", "metrics.read", "status.read"}
EXPECTED = {
    "radiologist": REPORT,
    "senior": REPORT | {"decision.override", "result.retract", "study.rerun", "oversight.read"},
    "technologist": READ | {"study.rerun"},
    "qa": READ | {"oversight.read", "result.retract", "study.rerun"},
    "auditor": {"audit.read"},
    "administrator": MANAGE,
    "service": {"dicomweb.read", "dicomweb.store", "fhir.read", "metrics.read", "status.read"},
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_every_cell(role: str, permission: str) -> None:
    assert (permission in ALLOWED[role]) == (permission in EXPECTED[role])  # type: ignore[index]


def test_roles_add_up_and_nobody_may_nothing() -> None:
    assert permissions_of(["auditor", "administrator"]) == {"audit.read"} | MANAGE
    assert permissions_of([]) == frozenset()


def test_whoever_manages_accounts_sees_no_patient() -> None:
    assert not permissions_of(["administrator"]) & READ


def test_a_token_may_be_given_no_more_than_a_machine_needs() -> None:
    assert set(SCOPES) == permissions_of(["service"])
    assert not [scope for scope in SCOPES if scope.endswith(".manage")]


def test_the_page_shows_the_table() -> None:
    assert as_markdown() in PAGE.read_text(encoding="utf-8")
