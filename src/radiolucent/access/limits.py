"""How long a session lasts, and how long somebody who guesses must wait."""

from __future__ import annotations

import hashlib
import secrets

LINK_S = 24 * 3600.0
WINDOW_S = 900.0
FREE_OF_NAME, FREE_OF_PEER = 5, 30
LONGEST_WAIT_S = 300.0


def secret() -> str:
    """256 random bits, to be shown once."""
    return secrets.token_urlsafe(32)


def digest(shown: str) -> str:
    """What is kept of a secret: it cannot be had back from it."""
    return hashlib.sha256(shown.encode()).hexdigest()


def is_over(*, begun_at: float, seen_at: float, now: float, idle_s: float, longest_s: float) -> bool:
    """Whether a session has ended; one from the future has too."""
    return not (0 <= now - seen_at <= idle_s and 0 <= now - begun_at <= longest_s)


def wait_s(failures_of_name: int, failures_of_peer: int) -> float:
    """How long the next try must wait after so many failures within the window; it doubles, and nobody is locked out.

    Counted by name and by network address: guessing many names from one place is slowed as well.
    """
    beyond = max(failures_of_name - FREE_OF_NAME, failures_of_peer - FREE_OF_PEER)
    return 0.0 if beyond < 0 else min(LONGEST_WAIT_S, 2.0 ** min(beyond, 20))
