"""Failed attempts at a password or code: noted, on record, and each next one waits longer."""

from __future__ import annotations

from sqlalchemy import Connection

from radiolucent.access import limits
from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Entry
from radiolucent.store import people


class SignInRefused(InputRefused):
    """Not signed in; ``wait_s`` is how long the next try must wait."""

    wait_s: float = 0.0


def check_pause(connection: Connection, name: str, *, peer: str, now: float) -> None:
    """Let pass whoever need not wait.

    Raises
    ------
    SignInRefused
        ``too_many_attempts``.
    """
    of_name, of_peer, last = people.failures(connection, name=name, peer=peer, since=now - limits.WINDOW_S)
    wait_s = limits.wait_s(of_name, of_peer) - max(0.0, now - last)
    if wait_s > 0:
        refused = SignInRefused(
            "too_many_attempts",
            found="too many failed attempts",
            expected="a pause",
            action="Wait a moment, then try again.",
        )
        refused.wait_s = wait_s
        raise refused


def note_failure(entry: Entry, name: str, *, peer: str, code: str) -> None:
    """Note a failed attempt, for the pause and on record."""
    people.failed(entry.connection, name=name, peer=peer, now=entry.at, window_s=limits.WINDOW_S)
    entry.audit("login", outcome="minor_failure", actor=name or "unknown", peer=peer, code=code)
