"""What a provider's claims mean here: name, roles and sites of an account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from radiolucent.access.names import NAME
from radiolucent.errors import InputRefused
from radiolucent.records.person import Person

MOST_CHARACTERS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """How claims are read.

    Parameters
    ----------
    roles
        Role by value of the claim of roles; other values mean nothing here.
    sites_claim
        Claim with names of sites; without it everybody is given ``sites``.
    """

    name_claim: str
    display_claim: str
    roles_claim: str
    roles: Mapping[str, str]
    sites_claim: str | None
    sites: tuple[str, ...]


def person_of(claims: Mapping[str, Any], rules: ClaimRules, *, known_sites: Collection[str]) -> Person:
    """The account that claims speak of.

    Raises
    ------
    InputRefused
        ``oidc_no_name``; ``oidc_no_role``; ``oidc_no_site``.
    """
    name = str(claims.get(rules.name_claim, "")).strip().casefold()
    if not NAME.fullmatch(name):
        raise _no(
            "oidc_no_name", "a provider that gives no name, or one that cannot be used", f"the claim {rules.name_claim}"
        )
    roles = tuple(
        sorted({rules.roles[value] for value in values_of(claims, rules.roles_claim) if value in rules.roles})
    )
    if not roles:
        raise _no("oidc_no_role", "somebody without a role here", "a group that [[oidc.roles]] names")
    sites = rules.sites
    if rules.sites_claim is not None:
        sites = tuple(site for site in values_of(claims, rules.sites_claim) if site == "*" or site in known_sites)
    if not sites:
        raise _no("oidc_no_site", "somebody without a site here", "a site that [[sites]] names")
    display = str(claims.get(rules.display_claim) or name).strip()[:MOST_CHARACTERS]
    return Person(name=name, display=display or name, roles=roles, sites=sites)


def values_of(claims: Mapping[str, Any], path: str) -> list[str]:
    """Texts of a claim, which may lie in others: ``realm_access.roles``. One text is taken for a list of one."""
    found: Any = claims
    for step in [path] if path in claims else path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, str)]


def _no(code: str, found: str, expected: str) -> InputRefused:
    return InputRefused(code, found=found, expected=expected, action="Ask the administrator of this site.")
