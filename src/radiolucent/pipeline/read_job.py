"""What is asked of the reading process, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJob:
    """Images to be read into a folder that is not there yet. ``issue``: how often results were taken back before."""

    paths: tuple[Path, ...]
    out: Path
    engine: str | None
    guards: Literal["refuse", "flag"]
    issue: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDone:
    """How it went: ``code`` and ``text`` where no engine could run."""

    processed: int
    refused: int
    milliseconds: float
    code: str | None = None
    text: str | None = None
