"""Where the result of one revision of a study is written: by each attempt into a folder of its own, kept by the first.

An attempt that was given up may not know it: its process was stopped for a while, and another took the study over. When
it wakes it goes on writing, so it must write where nobody else reads.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def attempt(folder: Path) -> Iterator[Path]:
    """A new name beside ``folder`` for one attempt to write into; whatever is there at the end goes."""
    scratch = folder.parent / f".{folder.name}-{secrets.token_hex(8)}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def settle(scratch: Path, folder: Path) -> None:
    """Make an attempt's folder the result, unless another attempt was first; clear away what was given up."""
    try:
        scratch.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    for old in folder.parent.glob(".[0-9]*-*"):
        if int(old.name[1:].partition("-")[0]) <= int(folder.name) and old != scratch:
            shutil.rmtree(old, ignore_errors=True)


def is_whole(folder: Path, images: int) -> bool:
    """Whether every image of the study has its result: a machine that lost power may have lost files."""
    return sum(1 for _ in folder.glob("*/result.json")) >= images
