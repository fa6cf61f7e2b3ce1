"""What a client of the DICOMweb server may ask for and send at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Caps against accidents and attacks; each is checked before memory is taken.

    Parameters
    ----------
    max_part_bytes
        One instance of a STOW-RS request. An instance is held in memory while it is kept.
    max_request_bytes, max_parts
        One STOW-RS request in all.
    parallel_stores
        STOW-RS requests that are read at the same time; others wait for their turn.
    idle_timeout_s
        Seconds without a byte after which a STOW-RS request is given up.
    max_results
        Rows of one QIDO-RS answer; a client asks for more with ``offset``.
    max_frames
        Frame numbers in one request.
    max_rendered_pixels
        Size of a rendered picture.
    inline_bytes
        Longest binary value that stands in the metadata itself, in bytes before Base64.
    """

    max_part_bytes: int = 2 * 2**30
    max_request_bytes: int = 20 * 2**30
    max_parts: int = 10_000
    parallel_stores: int = 4
    idle_timeout_s: float = 60.0
    max_results: int = 1000
    max_frames: int = 5000
    max_rendered_pixels: int = 64_000_000
    inline_bytes: int = 1024
