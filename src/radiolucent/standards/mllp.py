"""Frames of the Minimal Lower Layer Protocol: ``<VT> message <FS><CR>`` (HL7 v2.5.1 appendix C, section C.4).

Pure: bytes in, frames out. No socket, no clock, and never more memory than the limit and one read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c\r"
MAX_MESSAGE_BYTES = 4 * 2**20
#: Kept of a frame over the limit, so that the answer can name its control id.
HEAD_BYTES = 4096

FrameFault = Literal["no_end_block", "too_large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stood between a start block and where the frame ended.

    Parameters
    ----------
    payload
        The message; of a frame over the limit only its first `HEAD_BYTES` bytes.
    fault
        ``no_end_block``: another start block came first, so the message may be cut short and must not be used.
        ``too_large``: longer than the limit.
    """

    payload: bytes
    fault: FrameFault | None = None


def frame(message: bytes) -> bytes:
    """A message in its frame.

    Raises
    ------
    ValueError
        The message itself holds a start block or an end block, so that no receiver could tell where it ends.
    """
    if START_BLOCK in message or END_BLOCK in message:
        raise ValueError("a message must not hold the bytes of a frame")
    return START_BLOCK + message + END_BLOCK


class Decoder:
    """Frames out of a stream that arrives in pieces of any size.

    What stands between frames is dropped and counted in ``skipped_bytes``. A frame over the limit is let through to its
    end without being kept, and told as ``too_large`` there; the frames after it are read as usual.

    Parameters
    ----------
    max_bytes
        Longest message that is kept.

    Examples
    --------
    >>> decoder = Decoder()
    >>> decoder.feed(b"noise" + frame(b"one")[:3])
    []
    >>> [each.payload for each in decoder.feed(b"e" + b"\\x1c\\r" + frame(b"two"))]
    [b'one', b'two']
    """

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._head = b""
        self._searched = 0
        self._inside = False
        self._is_cut = False
        self.skipped_bytes = 0

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    @property
    def held_bytes(self) -> int:
        """Bytes held in memory now: at most ``max_bytes`` and a frame's head, once `feed` has returned."""
        return len(self._buffer) + len(self._head)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end in this piece of the stream."""
        self._buffer += data
        found: list[Frame] = []
        while self._inside or self._enter():
            ended = self._leave()
            if ended is None:
                break
            found.append(ended)
        return found

    def _enter(self) -> bool:
        """Go to the next start block, if there is one."""
        at = self._buffer.find(START_BLOCK)
        dropped = len(self._buffer) if at < 0 else at
        self.skipped_bytes += dropped
        del self._buffer[: dropped + 1]
        self._inside = at >= 0
        self._searched = 0
        return self._inside

    def _leave(self) -> Frame | None:
        """The frame, if its end is here; else make room and wait."""
        end = self._buffer.find(END_BLOCK, self._searched)
        again = self._buffer.find(START_BLOCK, self._searched, len(self._buffer) if end < 0 else end)
        if again >= 0:
            self._searched = 0
            return self._take(again, len(START_BLOCK), "no_end_block")
        if end >= 0:
            self._inside = False
            return self._take(end, len(END_BLOCK), None)
        # The end block's first byte may be the last one here.
        self._searched = max(0, len(self._buffer) - 1)
        if len(self._buffer) > self._max + 1:
            self._cut()
        return None

    def _take(self, size: int, mark: int, fault: FrameFault | None) -> Frame:
        too_large = self._is_cut or size > self._max
        payload = self._head if self._is_cut else bytes(self._buffer[: min(size, HEAD_BYTES) if too_large else size])
        del self._buffer[: size + mark]
        self._head, self._is_cut = b"", False
        return Frame(payload=payload, fault="too_large" if too_large and fault is None else fault)

    def _cut(self) -> None:
        if not self._is_cut:
            self._head = bytes(self._buffer[:HEAD_BYTES])
        self._is_cut = True
        del self._buffer[:-1]
        self._searched = 0
