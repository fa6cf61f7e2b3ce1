"""What may be offered at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps against accidents and attacks.

    Parameters
    ----------
    max_file_bytes
        One file, or one unpacked member of a zip.
    max_archive_members
        Entries in one zip.
    max_archive_bytes
        All members of one zip together, unpacked.
    max_archive_ratio
        Unpacked to packed size of a whole zip; looked at beyond ``archive_ratio_from_bytes`` only, because a blank
        image packs a thousandfold.
    """

    max_file_bytes: int = 2 * 2**30
    max_archive_members: int = 100_000
    max_archive_bytes: int = 20 * 2**30
    max_archive_ratio: float = 250.0
    archive_ratio_from_bytes: int = 64 * 2**20
