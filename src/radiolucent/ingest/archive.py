"""Unpack a zip member by member, under names of our own and within limits."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from radiolucent.errors import InputRefused
from radiolucent.ingest.content import inspect, open_regular, printable, refusal, too_large
from radiolucent.ingest.limits import Limits
from radiolucent.records.image import Refusal, SourceFile

_CHUNK = 2**18
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


def _bomb(what: str) -> InputRefused:
    return InputRefused(
        "archive_too_large",
        found=what,
        expected="an archive within the limits",
        action="Send the files in smaller archives, or raise the limits.",
    )


def _corrupt() -> InputRefused:
    return InputRefused(
        "corrupt_archive",
        found="an archive or member that is damaged, encrypted or packed by an unsupported method",
        expected="an undamaged zip without password",
        action="Pack it again.",
    )


def _nested() -> InputRefused:
    return InputRefused(
        "nested_archive", found="a zip inside a zip", expected="images", action="Unpack the inner archive first."
    )


def _stated_members(handle: BinaryIO) -> int:
    """Number of entries by the end record, read before the directory itself is (APPNOTE 4.3.14, 4.3.16)."""
    size = handle.seek(0, 2)
    handle.seek(max(0, size - 65_700))
    tail = handle.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise _corrupt()
    count = int(struct.unpack_from("<H", tail, at + 10)[0])
    at64 = tail.rfind(_END64, 0, at)
    if at64 >= 0 and len(tail) >= at64 + 40:
        count = max(count, int(struct.unpack_from("<Q", tail, at64 + 32)[0]))
    return count


class _Account:
    """Counts unpacked bytes, not stated ones: a directory can lie."""

    def __init__(self, packed_bytes: int, limits: Limits) -> None:
        self._packed, self._limits, self._total = max(1, packed_bytes), limits, 0

    def add(self, count: int) -> None:
        self._total += count
        limits = self._limits
        if self._total > limits.max_archive_bytes:
            raise _bomb(f"more than {limits.max_archive_bytes} bytes in one archive")
        if self._total > limits.archive_ratio_from_bytes and self._total / self._packed > limits.max_archive_ratio:
            raise _bomb(f"an archive that unpacks to more than {limits.max_archive_ratio:.0f} times its size")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, limits: Limits, account: _Account) -> None:
    size = 0
    with archive.open(member) as packed, to.open("xb") as out:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > limits.max_file_bytes:
                raise too_large(limits.max_file_bytes)
            account.add(len(chunk))
            out.write(chunk)


def _fresh(scratch: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        path = scratch / f"member-{number:06d}"
        if not path.exists():
            yield path


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, label: str, to: Path, limits: Limits, account: _Account
) -> SourceFile | Refusal:
    try:
        _unpack(archive, member, to, limits, account)
    except InputRefused as error:
        to.unlink(missing_ok=True)
        if error.code == "archive_too_large":
            raise
        return refusal(label, error)
    except _DAMAGE:
        to.unlink(missing_ok=True)
        return refusal(label, _corrupt())
    found = inspect(to, label, limits, archive=lambda _: refusal(label, _nested()))
    assert found is not None
    if isinstance(found, Refusal):
        to.unlink(missing_ok=True)
    return found


def unpack(
    path: Path, label: str, *, scratch: Path, limits: Limits, is_skipped: Callable[[str], bool]
) -> Iterator[SourceFile | Refusal]:
    """Yield the members of a zip, each unpacked to ``scratch`` when it is asked for.

    Files in ``scratch`` are called ``member-000001`` and so on, whatever the members are called; those yielded stay
    until the caller removes ``scratch``. A refusal of the archive as a whole ends the iteration.

    Parameters
    ----------
    is_skipped
        Whether a member of that name is passed over quietly.
    """
    try:
        with open_regular(path) as handle:
            if _stated_members(handle) > limits.max_archive_members:
                raise _bomb(f"more than {limits.max_archive_members} members")
            account = _Account(handle.seek(0, 2), limits)
            names = _fresh(scratch)
            with zipfile.ZipFile(handle) as archive:
                members = archive.infolist()
                if len(members) > limits.max_archive_members:
                    raise _bomb(f"more than {limits.max_archive_members} members")
                for member in members:
                    if member.is_dir() or is_skipped(member.filename):
                        continue
                    name = f"{label}!/{printable(member.filename)}"
                    yield _member(archive, member, name, next(names), limits, account)
    except InputRefused as error:
        yield refusal(label, error)
    except _DAMAGE:
        yield refusal(label, _corrupt())
