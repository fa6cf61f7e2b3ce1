"""Results into a folder: each image's own folder appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radiolucent.errors import SettingsError

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
MAX_NAME = 150


def safe_name(text: str) -> str:
    """A folder name from a file stem or UID: no separators, no leading dot, bounded length."""
    name = UNSAFE.sub("_", text).lstrip(".")[:MAX_NAME]
    return name or "image"


@contextmanager
def needing_room() -> Iterator[None]:
    """Tell a full disk from any other failure to write.

    Raises
    ------
    SettingsError
        ``disk_full``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SettingsError(
            "disk_full",
            found="an output folder that takes no more",
            expected="room for the results",
            action="Free some room and run again; images already written are whole.",
        ) from error


def open_folder(path: Path) -> Path:
    """Make the output folder.

    Raises
    ------
    SettingsError
        ``output_folder`` when it cannot be made or written, ``disk_full``.
    """
    try:
        with needing_room():
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
    except OSError as error:
        raise SettingsError(
            "output_folder",
            found=f"an output folder that cannot be written ({error.strerror or type(error).__name__})",
            expected="a folder that can be made and written",
            action="Give another folder with --out.",
        ) from error
    return path


@contextmanager
def whole_folder(parent: Path, name: str) -> Iterator[Path]:
    """A scratch folder that becomes ``parent/name`` when the block ends without error, replacing an older one.

    On an error nothing of it stays, and an older result stays as it was.
    """
    scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        _swap(scratch, parent / name)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _swap(fresh: Path, target: Path) -> None:
    if not target.exists():
        fresh.replace(target)
        return
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
    target.replace(old / target.name)
    try:
        fresh.replace(target)
    except OSError:
        (old / target.name).replace(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: under a temporary name, then renamed."""
    handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
