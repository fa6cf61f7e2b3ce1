"""Time-based one-time passwords (RFC 6238): SHA-1, six digits, thirty seconds, as authenticator apps know them."""

from __future__ import annotations

import hmac

import pyotp

STEP_S = 30
ISSUER = "Radiolucent"


def new_secret() -> str:
    """160 random bits in base 32."""
    return pyotp.random_base32(32)


def uri(secret: str, name: str) -> str:
    """What an authenticator app takes the secret from."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def accepted_step(secret: str, code: str, *, now: float, after: int) -> int | None:
    """The time step of a code of now, of the one before or the next; ``None`` for a wrong or used one.

    Parameters
    ----------
    now
        Seconds since 1970.
    after
        The last step of which a code was accepted: no code of it or of an earlier one is accepted again.
    """
    given = "".join(code.split()).encode()
    current = int(now // STEP_S)
    for step in (current - 1, current, current + 1):
        if step > after and hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), given):
            return step
    return None
