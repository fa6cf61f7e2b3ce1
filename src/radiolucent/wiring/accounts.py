"""The accounts of an installation, as its settings say."""

from __future__ import annotations

from radiolucent.access.claims import ClaimRules
from radiolucent.access.oidc import Client, Provider
from radiolucent.pipeline.federated import Federated
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.people import People
from radiolucent.settings import Settings
from radiolucent.wiring import tls
from radiolucent.wiring.senders import secret


def people_of(settings: Settings, journal: Journal) -> People:
    """Who may sign in, and for how long."""
    http = settings.http
    return People(
        journal,
        idle_s=http.session_idle_minutes * 60,
        longest_s=http.session_hours * 3600,
        sites=settings.site_names,
        totp_roles=http.totp_roles,
    )


def federated_of(settings: Settings, journal: Journal, accounts: People) -> Federated | None:
    """Sign-in by the provider of the settings, where there is one.

    Raises
    ------
    SettingsError
        ``secret_file``, ``tls_files``.
    """
    row = settings.oidc
    if row is None:
        return None
    client = Client(
        issuer=row.issuer,
        client_id=row.client_id,
        secret=secret(row.secret, "oidc"),
        redirect_uri=f"{row.address.rstrip('/')}/api/session/oidc/callback",
        scopes=row.scopes,
        timeout_s=row.timeout_s,
        tls=tls.peer(row.tls, where="oidc"),
    )
    rules = ClaimRules(
        name_claim=row.name_claim,
        display_claim=row.display_claim,
        roles_claim=row.roles_claim,
        roles={each.value: each.role for each in row.roles},
        sites_claim=row.sites_claim,
        sites=row.sites,
    )
    return Federated(
        journal,
        accounts,
        Provider(client),
        rules,
        issuer=row.issuer,
        title=row.title,
        sites=settings.site_names,
    )
