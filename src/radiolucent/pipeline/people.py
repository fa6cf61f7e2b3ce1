"""Accounts and sessions: every act in one transaction with its audit entry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from radiolucent.access import limits, passwords
from radiolucent.access.names import fit_name, name_taken
from radiolucent.errors import InputRefused
from radiolucent.pipeline import attempts
from radiolucent.pipeline.attempts import SignInRefused
from radiolucent.pipeline.journal import OURSELVES, Entry, Journal
from radiolucent.pipeline.second_factor import takes_code
from radiolucent.records.person import MAIN_SITE, ROLES, Person, SignedIn
from radiolucent.store import factors, openings, people

ENTERS = "enters "
"""Before the secret of a link that signs in, so that no other link does."""
TOUCH_S = 30.0
"""A session's last use is noted to this precision: not every request writes."""


class People:
    """Who may sign in, and who has.

    Parameters
    ----------
    idle_s, longest_s
        A session ends when it was not used for so long, or was begun so long ago.
    sites
        Every site that there is.
    totp_roles
        Whoever has one of these needs a second factor.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        idle_s: float,
        longest_s: float,
        sites: Collection[str] = (MAIN_SITE,),
        totp_roles: Collection[str] = (),
    ) -> None:
        self._journal, self.idle_s, self.longest_s = journal, idle_s, longest_s
        self._sites, self._totp_roles = {*sites, "*"}, frozenset(totp_roles)

    def first_link(self) -> str | None:
        """The secret of a new link that makes the first administrator; ``None`` once anybody can sign in."""
        with self._journal.entry() as entry:
            if people.has_password(entry.connection):
                return None
            shown = limits.secret()
            people.put_link(entry.connection, limits.digest(shown), "", now=entry.at)
            self._told(entry, OURSELVES, "first_link")
        return shown

    def has_users(self) -> bool:
        """Whether anybody can sign in."""
        with self._journal.reading() as connection:
            return people.has_password(connection)

    def sign_in(self, name: str, password: str, *, peer: str, totp: str = "") -> tuple[str, SignedIn]:
        """The secret of a new session, and the session.

        Raises
        ------
        SignInRefused
            ``sign_in_failed``, whatever was wrong; ``totp_needed`` where only a code is missing; ``too_many_attempts``.
        """
        name = name.strip().casefold()[:64]
        with self._journal.reading() as connection:
            attempts.check_pause(connection, name, peer=peer, now=self._journal.clock().timestamp())
            kept, person = people.password_of(connection, name), people.find(connection, name)
        right = passwords.is_right(kept, password) and person is not None and not person.is_disabled
        with self._journal.entry() as entry:
            attempts.check_pause(entry.connection, name, peer=peer, now=entry.at)  # again: others guess meanwhile
            if right and person is not None:
                if person.has_totp and not totp.strip():
                    raise _totp_needed()
                if not person.has_totp or takes_code(entry, name, totp):
                    people.forgive(entry.connection, name)
                    return self.open(entry, person, peer)
            attempts.note_failure(entry, name, peer=peer, code="sign_in_failed")
        raise _failed()

    def session(self, shown: str, *, in_use: bool = True) -> SignedIn | None:
        """The session of a secret, where it holds; that a person uses it is noted."""
        digest = limits.digest(shown)
        with self._journal.reading() as connection:
            row = people.session(connection, digest)
            person = None if row is None else people.find(connection, row.name)
        if row is None or person is None or person.is_disabled:
            return None
        now = self._journal.clock().timestamp()
        if limits.is_over(
            begun_at=row.begun_at, seen_at=row.seen_at, now=now, idle_s=self.idle_s, longest_s=self.longest_s
        ):
            self.sign_out(shown)
            return None
        if in_use and now - row.seen_at > TOUCH_S:
            with self._journal.entry() as entry:
                people.saw(entry.connection, digest, now=entry.at)
        with self._journal.reading() as connection:
            opened = openings.of(connection, person.name, now=now)
        return self._signed_in(person, csrf=row.csrf, begun_at=row.begun_at, opened=opened)

    def sign_out(self, shown: str) -> None:
        """End a session."""
        with self._journal.entry() as entry:
            people.close_session(entry.connection, limits.digest(shown))

    def enrol(self, link: str, *, name: str, display: str, password: str, peer: str) -> tuple[str, SignedIn]:
        """Use a one-time link: set the password, and sign in. The first administrator chooses a name as well.

        Raises
        ------
        InputRefused
            ``link_used``, ``name_unfit``, ``password_weak``.
        """
        with self._journal.entry() as entry:
            since = entry.at - limits.LINK_S
            meant = people.take_link(entry.connection, limits.digest(link), since=since)
            first = meant == "" and not people.has_password(entry.connection)
            found = people.find(entry.connection, meant) if meant else None
            if not first and (found is None or found.is_disabled):
                raise _link_used()
            person = found or Person(name=fit_name(name), display=display.strip() or name, roles=("administrator",))
            hashed = passwords.hashed(password, name=person.name)
            people.put(entry.connection, person, now=entry.at)
            people.set_password(entry.connection, person.name, hashed)
            self._told(entry, person.name, "password_set")
            return self.open(entry, replace(person, has_password=True), peer)

    def entry_link(self, name: str) -> str:
        """The secret of a link that signs its holder in once, without a password: for a demo.

        Raises
        ------
        InputRefused
            ``no_such_account``.
        """
        shown = limits.secret()
        with self._journal.entry() as entry:
            _known(people.find(entry.connection, name))
            people.put_link(entry.connection, limits.digest(ENTERS + shown), name, now=entry.at)
            self._told(entry, OURSELVES, "entry_link", account=name)
        return shown

    def enter(self, link: str, *, peer: str) -> tuple[str, SignedIn]:
        """Use a link that signs in.

        Raises
        ------
        InputRefused
            ``link_used``.
        """
        with self._journal.entry() as entry:
            since = entry.at - limits.LINK_S
            meant = people.take_link(entry.connection, limits.digest(ENTERS + link), since=since)
            found = people.find(entry.connection, meant) if meant else None
            if found is None or found.is_disabled:
                raise _link_used()
            return self.open(entry, found, peer, method="link")

    def change_password(self, name: str, *, old: str, new: str, peer: str) -> None:
        """Set another password; every session ends, this one too.

        Raises
        ------
        InputRefused
            ``sign_in_failed`` where the old one is wrong, ``too_many_attempts``, ``password_weak``.
        """
        with self._journal.reading() as connection:
            attempts.check_pause(connection, name, peer=peer, now=self._journal.clock().timestamp())
            kept = people.password_of(connection, name)
        if not passwords.is_right(kept, old):
            with self._journal.entry() as entry:
                attempts.note_failure(entry, name, peer=peer, code="sign_in_failed")
            raise _failed()
        hashed = passwords.hashed(new, name=name)
        with self._journal.entry() as entry:
            people.set_password(entry.connection, name, hashed)
            self._told(entry, name, "password_set")

    def everybody(self) -> list[Person]:
        """Every account."""
        with self._journal.reading() as connection:
            return people.everybody(connection)

    def add(self, person: Person, *, by: str) -> str:
        """Make an account; the secret of the link with which its owner sets a password.

        Raises
        ------
        InputRefused
            ``name_unfit``, ``name_taken``, ``role_unknown``, ``site_unknown``.
        """
        _check_roles(person.roles)
        self._check_sites(person.sites)
        person = replace(person, name=fit_name(person.name), display=person.display.strip() or person.name)
        with self._journal.entry() as entry:
            if people.find(entry.connection, person.name) is not None:
                raise name_taken()
            people.put(entry.connection, person, now=entry.at)
            self._told(entry, by, "account_made", account=person.name, **_may(person))
            return self._link(entry, person.name)

    def change(
        self,
        name: str,
        *,
        by: str,
        roles: Sequence[str] | None = None,
        sites: Sequence[str] | None = None,
        is_disabled: bool | None = None,
    ) -> Person:
        """Change what an account may; a disabled one is signed out.

        Raises
        ------
        InputRefused
            ``no_such_account``, ``role_unknown``, ``site_unknown``, ``last_administrator``.
        """
        if sites is not None:
            self._check_sites(sites)
        with self._journal.entry() as entry:
            before = _known(people.find(entry.connection, name))
            after = replace(
                before,
                roles=before.roles if roles is None else tuple(roles),
                sites=before.sites if sites is None else tuple(sites),
                is_disabled=before.is_disabled if is_disabled is None else is_disabled,
            )
            _check_roles(after.roles)
            others = [p for p in people.everybody(entry.connection) if p.name != name and _administers(p)]
            if _administers(before) and not _administers(after) and not others:
                raise InputRefused(
                    "last_administrator",
                    found="the only administrator",
                    expected="another one first",
                    action="Make another administrator, then change this one.",
                )
            people.put(entry.connection, after, now=entry.at)
            if after.is_disabled:
                people.end_all(entry.connection, name)
            told = "disabled" if after.is_disabled else "enabled"
            self._told(entry, by, "account_changed", account=name, state=told, **_may(after))
        return after

    def reset(self, name: str, *, by: str) -> str:
        """The secret of a link with which an account's owner sets a new password.

        Its sessions end, and its second factor is off: whoever has lost the phone needs no more than this.

        Raises
        ------
        InputRefused
            ``no_such_account``.
        """
        with self._journal.entry() as entry:
            _known(people.find(entry.connection, name))
            people.end_all(entry.connection, name)
            factors.remove(entry.connection, name)
            self._told(entry, by, "password_reset", account=name)
            return self._link(entry, name)

    def open(self, entry: Entry, person: Person, peer: str, *, method: str = "password") -> tuple[str, SignedIn]:
        """A session for whoever has shown who they are: its secret, and the session."""
        shown, csrf = limits.secret(), limits.secret()
        people.open_session(entry.connection, limits.digest(shown), person.name, csrf=csrf, now=entry.at)
        entry.audit("login", actor=person.name, peer=peer, roles=", ".join(person.roles), method=method)
        return shown, self._signed_in(person, csrf=csrf, begun_at=entry.at)

    def _signed_in(
        self, person: Person, *, csrf: str, begun_at: float, opened: frozenset[str] = frozenset()
    ) -> SignedIn:
        return SignedIn(
            person=person,
            csrf=csrf,
            ends_at=begun_at + self.longest_s,
            opened=opened,
            must_enrol_totp=person.has_password
            and not person.has_totp
            and not self._totp_roles.isdisjoint(person.roles),
        )

    def _check_sites(self, sites: Sequence[str]) -> None:
        if not sites or set(sites) - self._sites:
            raise InputRefused(
                "site_unknown",
                found="no site, or one that is not known",
                expected=f"one or more of {', '.join(sorted(self._sites))}",
                action="Name sites in the settings ([[sites]]).",
            )

    @staticmethod
    def _link(entry: Entry, name: str) -> str:
        shown = limits.secret()
        people.put_link(entry.connection, limits.digest(shown), name, now=entry.at)
        return shown

    @staticmethod
    def _told(entry: Entry, by: str, what: str, **details: str) -> None:
        entry.audit("setting_change", actor=by, setting=what, **details)  # type: ignore[arg-type]


def _may(person: Person) -> dict[str, str]:
    return {"roles": ", ".join(person.roles), "sites": ", ".join(person.sites)}


def _administers(person: Person) -> bool:
    return "administrator" in person.roles and not person.is_disabled


def _link_used() -> InputRefused:
    return InputRefused(
        "link_used",
        found="a link that was used, replaced, or is older than a day",
        expected="a fresh one-time link",
        action="Ask the administrator for a new one.",
    )


def _known(person: Person | None) -> Person:
    if person is None:
        raise InputRefused(
            "no_such_account",
            found="a name without an account",
            expected="the name of an account",
            action="See `radiolucent users list`.",
        )
    return person


def _check_roles(roles: Sequence[str]) -> None:
    if not roles or set(roles) - set(ROLES):
        raise InputRefused(
            "role_unknown",
            found="no role, or one that is not known",
            expected=f"one or more of {', '.join(ROLES)}",
            action="See docs/permissions.md.",
        )


def _failed() -> SignInRefused:
    return SignInRefused(
        "sign_in_failed",
        found="a name, password or code that do not belong together",
        expected="the name and password of an account, and a code where it has a second factor",
        action="Try again, or ask the administrator for a new link.",
    )


def _totp_needed() -> SignInRefused:
    return SignInRefused(
        "totp_needed",
        found="an account with a second factor",
        expected="the six digits that the authenticator app shows",
        action="Enter the code.",
    )
