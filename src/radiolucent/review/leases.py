"""Two people and one study: a lease that everybody sees, that runs out, and that may be broken with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from radiolucent.errors import InputRefused
from radiolucent.records.decision import Lease, ReaderRef

LASTS = timedelta(minutes=10)


class LeaseHeld(InputRefused):
    """Somebody else has the study open; ``lease`` says who and until when."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            "lease_held",
            found="a study that another reader has open",
            expected="a study that nobody else has open",
            action="Wait until it is given back or runs out, or take it over with a reason.",
        )
        self.lease = lease

    def __reduce__(self) -> tuple[type[LeaseHeld], tuple[Lease]]:
        """So that it can go from one process to another."""
        return LeaseHeld, (self.lease,)


def running(lease: Lease | None, now: datetime) -> Lease | None:
    """The lease, unless it has run out."""
    return lease if lease is not None and lease.until > now else None


def taken(lease: Lease | None, reader: ReaderRef, *, now: datetime, break_reason: str = "") -> Lease:
    """The reader's lease from now on: a new one, or the own one renewed.

    Raises
    ------
    LeaseHeld
        Somebody else's runs and no reason is given for breaking it.
    """
    held = running(lease, now)
    if held is not None and held.holder.name == reader.name:
        return Lease(holder=reader, since=held.since, until=now + LASTS)
    if held is not None and not break_reason.strip():
        raise LeaseHeld(held)
    return Lease(holder=reader, since=now, until=now + LASTS)


def check_free(lease: Lease | None, reader: ReaderRef, now: datetime) -> None:
    """Whether this reader may decide now.

    Raises
    ------
    LeaseHeld
    """
    held = running(lease, now)
    if held is not None and held.holder.name != reader.name:
        raise LeaseHeld(held)
