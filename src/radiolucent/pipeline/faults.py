"""Named points between the effects of a study's way, so that a test can stop a process at any of them."""

from __future__ import annotations

POINTS = ("stored", "kept", "enqueued", "routed", "read", "reported", "recording", "recorded", "sending", "sent")


class Faults:
    """Nothing happens at any point; a test brings its own."""

    def at(self, point: str) -> None:
        """The process is at ``point``, one of `POINTS`."""
