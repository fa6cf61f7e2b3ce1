"""What a report says in codes, whichever standard brought it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolucent.records.engine import Code

Standing = Literal["final", "withdrawn", "open"]
"""Final (corrected or amended too); taken back; or not final yet, which says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that a report says: by any of these codes, present (``True``) or absent; ``None``: neither is said."""

    codes: tuple[Code, ...]
    is_present: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One version of one report.

    Parameters
    ----------
    report
        Identity of the report over its versions, where it has one; else empty, and there is one for a study.
    at
        When it was made, as digits that sort by time; empty where it says nothing.
    study_instance_uids, accession_numbers
        Whose it is.
    """

    report: str
    at: str
    standing: Standing
    study_instance_uids: tuple[str, ...]
    accession_numbers: tuple[str, ...]
    statements: tuple[Statement, ...]
