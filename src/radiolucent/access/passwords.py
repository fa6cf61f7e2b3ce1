"""Passwords: which may be set, and how they are kept (argon2id, RFC 9106)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from radiolucent.errors import InputRefused

FEWEST, MOST = 12, 256
COMMON = frozenset({"password", "passwort", "radiolucent", "radiology", "hospital", "qwertyuiop", "123456789012"})
_HASHER = PasswordHasher()
_NOBODYS = _HASHER.hash("a password that nobody has")


def hashed(password: str, *, name: str) -> str:
    """A password as it is kept.

    Raises
    ------
    InputRefused
        ``password_weak``.
    """
    plain = password.casefold()
    easy = name.casefold() in plain or any(plain.strip("0123456789!?.-_") == word for word in COMMON)
    if not FEWEST <= len(password) <= MOST or easy or len(set(plain)) < FEWEST // 2:
        raise InputRefused(
            "password_weak",
            found="a password that is short, common, of few characters, or holds the user's name",
            expected=f"{FEWEST} to {MOST} characters that are hard to guess; a few words do well",
            action="Choose another one.",
        )
    return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether a password is the kept one; without one it takes as long, and the answer is no."""
    try:
        _HASHER.verify(kept or _NOBODYS, password[: MOST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None
