"""The accounts of an installation, as its settings say."""

from __future__ import annotations

from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.people import People
from radiolucent.settings import Settings


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
