"""Named points between the effects of a study's way, so that a test can stop a process at any of them."""

from __future__ import annotations

POINTS = (
    *("stored", "keeping", "kept"),  # bytes on disk; in the transaction; committed, not yet answered
    *("due", "enqueued", "routing", "routed", "read", "reported", "recording", "recorded"),
    *("queued", "sending", "delivered", "noting", "sent"),  # delivered: the peer has it, and nothing says so yet
)


class Faults:
    """Nothing happens at any point; a test brings its own."""

    def at(self, point: str) -> None:
        """The process is at ``point``, one of `POINTS`."""
