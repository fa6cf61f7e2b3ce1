"""What a provider's claims are worth here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.access.claims import ClaimRules, person_of, values_of
from radiolucent.errors import InputRefused
from radiolucent.records.person import ROLES

RULES = ClaimRules(
    name_claim="preferred_username",
    display_claim="name",
    roles_claim="groups",
    roles={"rad": "radiologist", "chief": "senior"},
    sites_claim="sites",
    sites=("main",),
)
SITES = ("main", "north")
GOOD: dict[str, Any] = {
    "preferred_username": "Ana",
    "name": "Dr Ana",
    "groups": ["chief", "rad", "x"],
    "sites": "north",
}


def test_claims_become_an_account() -> None:
    made = person_of(GOOD, RULES, known_sites=SITES)
    assert (made.name, made.display) == ("ana", "Dr Ana")
    assert (made.roles, made.sites) == (("radiologist", "senior"), ("north",))
    everywhere = person_of(GOOD, replace(RULES, sites_claim=None), known_sites=SITES)
    assert everywhere.sites == ("main",)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"groups": ["RAD", "radiologist"]}, "oidc_no_role"),
        ({"groups": None}, "oidc_no_role"),
        ({"groups": {"rad": True}}, "oidc_no_role"),
        ({"sites": ["nowhere"]}, "oidc_no_site"),
        ({"sites": None}, "oidc_no_site"),
        ({"preferred_username": ""}, "oidc_no_name"),
        ({"preferred_username": "../x"}, "oidc_no_name"),
        ({"preferred_username": ["ana"]}, "oidc_no_name"),
    ],
)
def test_whoever_is_not_known_well_enough_does_not_come_in(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(InputRefused) as told:
        person_of(GOOD | changed, RULES, known_sites=SITES)
    assert told.value.code == code


def test_a_claim_may_lie_in_another() -> None:
    assert values_of({"realm_access": {"roles": ["a", 5, "b"]}}, "realm_access.roles") == ["a", "b"]
    assert values_of({"https://x.example/roles": "a"}, "https://x.example/roles") == ["a"]
    assert values_of({"realm_access": "a"}, "realm_access.roles") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["rad", "north", "*"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"preferred_username": JSON, "name": JSON, "groups": JSON, "sites": JSON}))
def test_whatever_a_provider_says_gives_known_roles_and_sites_or_a_refusal(claims: dict[str, Any]) -> None:
    try:
        made = person_of(claims, RULES, known_sites=SITES)
    except InputRefused:
        return
    assert made.roles
    assert set(made.roles) <= set(ROLES) & set(RULES.roles.values())
    assert made.sites
    assert set(made.sites) <= {*SITES, "*"}
    assert len(made.display) <= 128
