"""What comes through a door: bytes offered by somebody, before anything is known of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One encoded dataset, offered by a peer.

    Parameters
    ----------
    dataset
        The dataset alone, without preamble and file meta information.
    sop_class_uid, sop_instance_uid
        As the request states them, where it does.
    sender
        Calling application entity title, or how else it came (``STOW-RS``, ``folder``).
    peer
        Network address, empty for a folder.
    """

    dataset: bytes | memoryview
    transfer_syntax_uid: str
    sender: str
    peer: str = ""
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
