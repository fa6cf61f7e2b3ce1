"""Tokens by which machines call: made, shown once, used, withdrawn; each act with its audit entry."""

from __future__ import annotations

from collections.abc import Sequence

from radiolucent.access import limits
from radiolucent.access.names import fit_name, name_taken
from radiolucent.access.permissions import SCOPES
from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Journal
from radiolucent.records.token import Token
from radiolucent.store import people, tokens

TOUCH_S = 60.0
"""A token's last use is noted to this precision."""
MARK = "rl_"
"""Begins every token, so that one that lies about is known for what it is."""


class Machines:
    """The tokens of an installation."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def make(self, name: str, scopes: Sequence[str], *, by: str) -> str:
        """A new token, which is shown this once.

        Raises
        ------
        InputRefused
            ``name_unfit``, ``name_taken``, ``scope_unknown``.
        """
        name = fit_name(name)
        if not scopes or set(scopes) - set(SCOPES):
            raise InputRefused(
                "scope_unknown",
                found="no scope, or one that is not known",
                expected=f"one or more of {', '.join(SCOPES)}",
                action="See docs/permissions.md.",
            )
        shown = MARK + limits.secret()
        with self._journal.entry() as entry:
            names = {each.name for each in tokens.all_of(entry.connection)}
            if name in names or people.find(entry.connection, name) is not None:
                raise name_taken()
            made = Token(name=name, scopes=tuple(sorted(set(scopes))), made_by=by, made_at=entry.at)
            tokens.put(entry.connection, made, limits.digest(shown))
            entry.audit("setting_change", actor=by, setting="token_made", token=name, scopes=", ".join(made.scopes))
        return shown

    def withdraw(self, name: str, *, by: str) -> None:
        """End a token.

        Raises
        ------
        InputRefused
            ``no_such_token``.
        """
        with self._journal.entry() as entry:
            if not tokens.remove(entry.connection, name):
                raise InputRefused(
                    "no_such_token",
                    found="a name without a token",
                    expected="the name of a token",
                    action="See `radiolucent tokens list`.",
                )
            entry.audit("setting_change", actor=by, setting="token_withdrawn", token=name)

    def everybody(self) -> list[Token]:
        """Every token, by name."""
        with self._journal.reading() as connection:
            return tokens.all_of(connection)

    def is_any(self) -> bool:
        """Whether there are tokens."""
        with self._journal.reading() as connection:
            return tokens.is_any(connection)

    def known(self, shown: str) -> Token | None:
        """What is known of a token that somebody shows; its use is noted."""
        digest = limits.digest(shown)
        with self._journal.reading() as connection:
            found = tokens.find(connection, digest)
        if found is None:
            return None
        now = self._journal.clock().timestamp()
        if found.used_at is None or now - found.used_at > TOUCH_S:
            with self._journal.entry() as entry:
                tokens.used(entry.connection, digest, now=entry.at)
        return found
