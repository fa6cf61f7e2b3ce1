"""Second factors: set up, confirmed, asked for, taken away."""

from __future__ import annotations

from radiolucent.access import totp
from radiolucent.errors import InputRefused
from radiolucent.pipeline import attempts
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.store import factors


class SecondFactor:
    """One's own second factor."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def begin(self, name: str) -> tuple[str, str]:
        """A new secret, and the address by which an app takes it; nothing changes until a code confirms it.

        Raises
        ------
        InputRefused
            ``totp_is_on``.
        """
        secret = totp.new_secret()
        with self._journal.entry() as entry:
            found = factors.find(entry.connection, name)
            if found is not None and found.is_confirmed:
                raise InputRefused(
                    "totp_is_on",
                    found="a second factor that is on",
                    expected="none",
                    action="Turn it off first, with a code of it.",
                )
            factors.begin(entry.connection, name, secret)
        return secret, totp.uri(secret, name)

    def confirm(self, name: str, code: str, *, peer: str) -> None:
        """Turn the second factor on by a first code of it.

        Raises
        ------
        InputRefused
            ``totp_wrong``, ``too_many_attempts``.
        """
        self._use(name, code, peer=peer, is_confirmed=False)

    def remove(self, name: str, code: str, *, peer: str) -> None:
        """Turn the second factor off by a code of it.

        Raises
        ------
        InputRefused
            ``totp_wrong``, ``too_many_attempts``.
        """
        self._use(name, code, peer=peer, is_confirmed=True)

    def _use(self, name: str, code: str, *, peer: str, is_confirmed: bool) -> None:
        with self._journal.entry() as entry:
            attempts.check_pause(entry.connection, name, peer=peer, now=entry.at)
            found = factors.find(entry.connection, name)
            if found is not None and found.is_confirmed == is_confirmed and takes_code(entry, name, code):
                if is_confirmed:
                    factors.remove(entry.connection, name)
                told = "second_factor_off" if is_confirmed else "second_factor_on"
                entry.audit("setting_change", actor=name, peer=peer, setting=told)
                return
            attempts.note_failure(entry, name, peer=peer, code="totp_wrong")
        raise InputRefused(
            "totp_wrong",
            found="a code that is wrong, too old, or was used",
            expected="the six digits that the authenticator app shows now",
            action="Wait for the next code; see that the clock of the phone is right.",
        )


def takes_code(entry: Entry, name: str, code: str) -> bool:
    """Whether a code is right; it is used up by that."""
    found = factors.find(entry.connection, name)
    if found is None:
        return False
    step = totp.accepted_step(found.secret, code, now=entry.at, after=found.last_step)
    return step is not None and factors.accept(entry.connection, name, step=step)
