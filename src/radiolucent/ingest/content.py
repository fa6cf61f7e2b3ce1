"""What a file is, by its bytes, and its hash."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

from radiolucent.errors import InputRefused
from radiolucent.ingest.limits import Limits
from radiolucent.records.image import Refusal, SourceFile

Content = Literal["dicom", "picture", "archive", "other"]
HEAD_BYTES = 512
_CHUNK = 2**20
#: Value representations of the first elements of a dataset (PS3.5 table 6.2-1).
_VR = frozenset((b"AE", b"CS", b"DA", b"IS", b"LO", b"OB", b"PN", b"SH", b"SQ", b"TM", b"UI", b"UL", b"UN", b"US"))


def refusal(label: str, error: InputRefused, *, sha256: str | None = None) -> Refusal:
    """The record of a refused file."""
    return Refusal(label=label, stem=stem_of(label), sha256=sha256, code=error.code, text=error.text)


def stem_of(label: str) -> str:
    """A safe folder name out of a label: last part without extension, ASCII letters, digits, ``. _ -`` only.

    Examples
    --------
    >>> stem_of("study/IM 0001.dcm"), stem_of("../.."), stem_of("a.zip!/x/b.png")
    ('IM_0001', 'image', 'b')
    """
    name = re.split(r"[/\\]", label)[-1]
    # 1.2.840.1 is a UID without extension, not a name with one.
    name = re.sub(r"\.(?=.*[A-Za-z])[A-Za-z0-9]{1,5}$", "", name)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:150] or "image"


def printable(label: str) -> str:
    """A label without control characters or undecodable bytes, for messages and logs."""
    return "".join(c if c.isprintable() else "?" for c in label.encode("utf-8", "replace").decode())


def unreadable(what: str = "a file that cannot be opened or is not a regular file") -> InputRefused:
    """Refusal of what cannot be opened."""
    return InputRefused("unreadable", found=what, expected="a file that may be read", action="Check its permissions.")


def too_large(limit: int) -> InputRefused:
    """Refusal of a file over the cap."""
    return InputRefused(
        "too_large", found="a larger file", expected=f"at most {limit} bytes", action="Split it, or raise the limit."
    )


def _is_bare_dataset(head: bytes) -> bool:
    """Whether this can be a dataset without preamble: its first element in group 0002 or 0008 is plausible."""
    if len(head) < 16:
        return False
    order: Literal["little", "big"] = "little" if head[1] == 0 else "big"
    group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
    if group not in (0x0002, 0x0008) or element > 0x3010:
        return False
    return head[4:6] in _VR or (order == "little" and int.from_bytes(head[4:8], "little") <= 0x10000)


def content_of(head: bytes) -> Content:
    """Tell what a file is by its first `HEAD_BYTES` bytes; ``DICM`` wins over any magic in the preamble."""
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return "picture"
    if head[4:8] == b"ftyp" and any(brand in head[8:40] for brand in (b"avif", b"avis")):
        return "picture"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "archive"
    return "dicom" if _is_bare_dataset(head) else "other"


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


def _digest(handle: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := handle.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def inspect(
    path: Path, label: str, limits: Limits, *, archive: Callable[[BinaryIO], Refusal] | None = None
) -> SourceFile | Refusal | None:
    """Read one file once: what it is, and its hash.

    Parameters
    ----------
    archive
        What to answer for a zip; by default ``None``, so that the caller unpacks it.
    """
    digest: str | None = None
    try:
        with open_regular(path) as handle:
            size = os.fstat(handle.fileno()).st_size
            if size == 0:
                raise InputRefused(
                    "empty_file", found="an empty file", expected="an image", action="Transfer it again."
                )
            kind = content_of(handle.read(HEAD_BYTES))
            if kind == "archive":
                return archive(handle) if archive else None
            if size > limits.max_file_bytes:
                raise too_large(limits.max_file_bytes)
            handle.seek(0)
            digest = _digest(handle)
        if kind == "other":
            raise InputRefused(
                "not_dicom",
                found="a file that is neither DICOM nor a PNG, JPEG or AVIF picture",
                expected="one of these",
                action="Send the image itself.",
            )
        return SourceFile(path=path, label=label, kind=kind, sha256=digest)
    except InputRefused as error:
        return refusal(label, error, sha256=digest)
    except OSError:
        return refusal(label, unreadable("a file that stopped being readable"))
