"""Tables about people: whose studies there are, who vouches for readers, and which studies may be learnt from."""

from __future__ import annotations

from pydantic import Field, model_validator

from radiolucent.records.person import Role
from radiolucent.settings.kinds import AeTitle, File, Many, Name, SafeAddress, Seconds, Table, Tls


class ReadingSite(Table):
    """A site, and the application entity titles that send for it; who is named nowhere sends for the site ``main``."""

    name: Name
    callers: Many[AeTitle] = ()


class ReadFirst(Table):
    """Where readers say what they see before the engines' findings are shown; empty holds for all.

    ``findings``: keys; it holds for a study whose engine looks for any of them.
    """

    sites: Many[Name] = ()
    findings: Many[str] = ()


class TrainingConsent(Table):
    """That studies of a site may be learnt from, and on what ground.

    ``basis``: the ground in the hospital's own words (a vote, a form), which goes into every export. ``studies``: a
    file of accession numbers, one a line, where consent is recorded study by study; without it every study of the site.
    """

    site: Name
    basis: str = Field(min_length=1)
    studies: File | None = None


class OidcRole(Table):
    """What a value of the claim of roles is worth here."""

    value: str
    role: Role


class Oidc(Table):
    """An OpenID provider that vouches for people. ``address`` is the page's own, as browsers call it.

    Whoever has none of ``roles`` does not come in. ``sites_claim`` names a claim with names of sites; without it
    everybody sees ``sites``.
    """

    issuer: SafeAddress
    client_id: str
    secret: File | None = None
    address: SafeAddress
    title: str = "Sign in with the hospital's account"
    scopes: Many[str] = ("openid", "profile")
    name_claim: str = "preferred_username"
    display_claim: str = "name"
    roles_claim: str = "groups"
    sites_claim: str | None = None
    sites: Many[str] = ("*",)
    timeout_s: Seconds = 10.0
    roles: Many[OidcRole] = ()
    tls: Tls | None = None

    @model_validator(mode="after")
    def _useful(self) -> Oidc:
        if "openid" not in self.scopes:
            raise ValueError("scopes with openid")
        if not self.roles:
            raise ValueError("one [[oidc.roles]] or more: without any nobody comes in")
        return self
