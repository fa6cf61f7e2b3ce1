"""Sign-in by an OpenID provider: who is vouched for has an account here, with the roles that the provider says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radiolucent.access.claims import ClaimRules, person_of
from radiolucent.access.oidc import Begun, Provider
from radiolucent.errors import InputRefused, RadiolucentError
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.pipeline.people import People
from radiolucent.records.person import Person, SignedIn
from radiolucent.store import identities, people


class Federated:
    """People of one provider.

    Parameters
    ----------
    title
        What the page calls the provider.
    sites
        Every site that there is.
    """

    def __init__(
        self,
        journal: Journal,
        accounts: People,
        provider: Provider,
        rules: ClaimRules,
        *,
        issuer: str,
        title: str,
        sites: tuple[str, ...],
    ) -> None:
        self._journal, self._accounts, self._provider, self._rules = journal, accounts, provider, rules
        self._issuer, self.title, self._sites = issuer, title, sites

    def begin(self) -> tuple[str, Begun]:
        """Where the browser goes, and what it keeps meanwhile; raises as `Provider.begin`."""
        return self._provider.begin(now=self._now())

    def finish(self, begun: Begun, answer: Mapping[str, str], *, peer: str) -> tuple[str, SignedIn]:
        """The secret of a new session, and the session; refusals are on record.

        Raises
        ------
        InputRefused
            As `Provider.finish` and `person_of`; ``oidc_account`` where the name is of another account, or disabled.
        PeerUnavailable
            ``oidc_unavailable``.
        """
        subject = ""
        try:
            claims = self._provider.finish(begun, answer, now=self._now())
            subject = str(claims["sub"])[:255]
            person = person_of(claims, self._rules, known_sites=self._sites)
            with self._journal.entry() as entry:
                person = self._account(entry, person, subject)
                return self._accounts.open(entry, person, peer, method="oidc")
        except RadiolucentError as error:
            with self._journal.entry() as entry:
                entry.audit(
                    "login",
                    outcome="minor_failure",
                    actor=subject or "unknown",
                    peer=peer,
                    method="oidc",
                    code=error.code,
                )
            raise

    def _account(self, entry: Entry, person: Person, subject: str) -> Person:
        """The account of a subject, made at the first sign-in and changed to what the provider says now.

        A name that somebody else has here is not taken over, whatever the provider says.
        """
        connection = entry.connection
        known = identities.account_of(connection, issuer=self._issuer, subject=subject)
        before = people.find(connection, known or person.name)
        if (known is None and before is not None) or (before is not None and before.is_disabled):
            raise InputRefused(
                "oidc_account",
                found="an account here that is disabled, or of somebody else of this name",
                expected="a free name, or the own account",
                action="Ask the administrator of this site.",
            )
        after = person
        if before is not None:
            after = replace(before, display=person.display, roles=person.roles, sites=person.sites)
        people.put(connection, after, now=entry.at)
        if known is None:
            identities.put(connection, issuer=self._issuer, subject=subject, name=after.name)
        if before is None or (before.roles, before.sites) != (after.roles, after.sites):
            told = "account_made" if before is None else "account_changed"
            roles, sites = ", ".join(after.roles), ", ".join(after.sites)
            entry.audit("setting_change", actor="oidc", setting=told, account=after.name, roles=roles, sites=sites)
        return after

    def _now(self) -> float:
        return self._journal.clock().timestamp()
