"""A file that cannot be talked into reading more than it holds."""

from __future__ import annotations

import io
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused

MAX_HEADER_BYTES = 512 * 2**20
MAX_INFLATED_BYTES = 2 * 2**30
_CHUNK = 2**20


class BoundedFile(io.BufferedIOBase):
    """A seekable binary file whose ``read`` never asks for more than is left, nor more than a budget in all.

    A header that claims a value of 4 GB would otherwise make the reader allocate 4 GB before it notices.

    Parameters
    ----------
    handle
        Open file at its beginning.
    size
        Its length in bytes.
    budget
        Bytes that may be read in all, ``None`` for no limit.
    """

    def __init__(self, handle: BinaryIO, *, size: int, budget: int | None = None) -> None:
        super().__init__()
        self._handle = handle
        self.size = size
        self._left = budget

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def read(self, count: int | None = -1, /) -> bytes:
        """At most ``count`` bytes and at most what is left."""
        remaining = max(0, self.size - self._handle.tell())
        wanted = remaining if count is None or count < 0 else min(count, remaining)
        if self._left is not None:
            self._left -= wanted
            if self._left < 0:
                raise refused(
                    "header_too_large",
                    found="a header of more than 512 MiB",
                    expected="a header of some kilobytes",
                    action="Export the image again.",
                )
        return self._handle.read(wanted)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position."""
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._handle.tell()

    def close(self) -> None:
        """Close the file under it."""
        self._handle.close()
        super().close()


def unreadable() -> InputRefused:
    """Refusal of a file that cannot be opened or read."""
    return refused(
        "unreadable",
        found="a file that cannot be opened or is not a regular file",
        expected="a file that may be read",
        action="Check its permissions and storage.",
    )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; pipes, sockets and devices are refused without waiting for them.

    Raises
    ------
    InputRefused
        ``unreadable``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        raise unreadable() from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise unreadable()
    return os.fdopen(descriptor, "rb")


def open_bounded(path: Path, *, budget: int | None = None) -> BoundedFile:
    """`open_regular` as a `BoundedFile`."""
    handle = open_regular(path)
    return BoundedFile(handle, size=os.fstat(handle.fileno()).st_size, budget=budget)


def inflate(data: bytes, *, limit: int = MAX_INFLATED_BYTES) -> bytes:
    """Undo raw deflate (PS3.5 A.5) within a limit; a stream that ends early gives what is there.

    Raises
    ------
    InputRefused
        ``image_too_large``.
    zlib.error
        If this is not deflate.
    """
    unpacker, parts, total = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    while data:
        part = unpacker.decompress(data, _CHUNK)
        parts.append(part)
        total += len(part)
        if total > limit:
            raise refused(
                "image_too_large",
                found="a deflated dataset that unpacks beyond the limit",
                expected=f"at most {limit} bytes",
                action="Send it without deflate.",
            )
        data = unpacker.unconsumed_tail
    return b"".join(parts)
