"""What can be wrong with a chain or with its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal[
    "edited",
    "unreadable",
    "missing",
    "duplicated",
    "out_of_order",
    "broken_link",
    "rewritten",
    "truncated",
    "checkpoint_unreadable",
    "checkpoint_key",
    "checkpoint_signature",
    "checkpoint_gap",
    "checkpoint_order",
    "checkpoints_cut",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it was written.

    ``sequence`` is the entry's number in the chain; for the kinds that begin with ``checkpoint`` it is the line of the
    checkpoint file, 1 first. ``text`` says what it means and names no patient.
    """

    kind: ProblemKind
    sequence: int
    text: str
