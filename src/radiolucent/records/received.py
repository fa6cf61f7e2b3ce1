"""An instance on its way in, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolucent.records.person import MAIN_SITE
from radiolucent.records.study import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One DICOM instance as it came, identified.

    Parameters
    ----------
    sha256, size_bytes
        Of the dataset alone, without preamble and file meta information: those are the sender's software.
    study_header, instance_header
        DICOM JSON (PS3.18 F.2) of the attributes by which an archive is searched.
    expected_count
        How many instances the study has, where the sender says so (0020,1208).
    site
        Whose study it is, if it is the first image of it.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sha256: str
    size_bytes: int
    patient: Patient
    accession_number: str
    study_header: str
    instance_header: str
    calling_ae: str
    peer: str
    expected_count: int | None = None
    is_stat: bool = False
    site: str = MAIN_SITE


PRIOR = "(prior)"
"""In the place of a rule's name: the study was asked for to compare with; it is read and sent nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of an instance.

    It is new, we have this very one already, or another content has its UID (``conflict``). Of one that retention has
    ``cleared`` the row alone is here; sent again, it is ``restored``. ``is_due``: its study waits for no more.
    """

    outcome: Literal["new", "same", "conflict", "cleared", "restored"]
    study_key: str
    reopened: bool = False
    is_due: bool = False
