"""The blob store: files under names of our own, whole or not there, on disk before anything says so."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from radiolucent.errors import PeerUnavailable

STALE_S = 3600.0


def disk_full(found: str = "too little free space on the data disk") -> PeerUnavailable:
    """What is raised below the watermark, or when a write fails."""
    return PeerUnavailable(
        "storage_full",
        found=found,
        expected="more free space than storage.reserve_mb",
        action="Free or add space; the sender keeps the image and may send it again.",
    )


class Blobs:
    """Files of the data folder.

    Parameters
    ----------
    reserve_bytes
        Below this much free space nothing is written.
    """

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        self.root = root
        self._reserve = reserve_bytes
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            # Half-written when a process died: nobody was told that we had it. Another process may be at a fresh one.
            if time.time() - left.stat().st_mtime > STALE_S:
                left.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free space on the data disk."""
        return shutil.disk_usage(self.root).free

    def check_space(self, size: int = 0) -> None:
        """Refuse what would leave less than the watermark free.

        Raises
        ------
        PeerUnavailable
            ``storage_full``.
        """
        if self.free_bytes() - size < self._reserve:
            raise disk_full()

    def put(self, sha256: str, parts: Iterable[bytes | memoryview]) -> str:
        """Keep an instance under its hash; the relative path, once bytes and name are on disk.

        Raises
        ------
        PeerUnavailable
            ``storage_full``.
        """
        target = self.root / "instances" / sha256[:2] / f"{sha256}.dcm"
        relative = target.relative_to(self.root).as_posix()
        if target.exists():
            _sync_folder(target.parent)  # whoever put it there may not have come to this yet
            return relative
        partial = self._incoming / uuid.uuid4().hex
        try:
            with partial.open("xb") as out:
                for part in parts:
                    out.write(part)
                out.flush()
                os.fsync(out.fileno())
            if not target.parent.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _sync_folder(target.parent.parent)
            partial.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise disk_full("a data disk that takes no more") from error
        return relative

    def path(self, relative: str) -> Path:
        """The file of a stored path."""
        return self.root / relative

    def holds(self, relative: str, sha256: str) -> bool:
        """Whether a stored file is there and has this hash."""
        try:
            with (self.root / relative).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False

    def open(self, relative: str) -> BinaryIO:
        """A stored file, to be read."""
        return (self.root / relative).open("rb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
