"""Send a study's objects to one DICOM destination: what it can show, by the way it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from radiolucent.deliver import cstore, stow
from radiolucent.deliver.parcels import fractional_segmentations
from radiolucent.deliver.profiles import PROFILES, Showable, select
from radiolucent.deliver.receipts import Sent
from radiolucent.errors import SettingsError
from radiolucent.records.destination import DicomDestination, DimsePeer


class Sendable(Showable, Protocol):
    """One of our objects as a file."""

    @property
    def path(self) -> Path:
        """A Part 10 file."""


def send(files: Sequence[Sendable], destination: DicomDestination) -> Sent:
    """Send those files that the destination can show; the others are none of its business, and are not missing.

    Raises
    ------
    InvariantBroken
        ``own_object_unreadable``. What the peer does is told by the result, not raised.
    """
    profile = PROFILES[destination.profile]
    segmentations = (each.path for each in files if each.kind == "segmentation")
    fractional = frozenset() if profile.fractional_segmentations else fractional_segmentations(segmentations)
    paths = [each.path for each in select(files, profile, fractional=fractional)]
    if not paths:
        return Sent()
    if isinstance(destination.peer, DimsePeer):
        return cstore.store(paths, destination.peer)
    return stow.store(paths, destination.peer)


def check(destination: DicomDestination) -> None:
    """Refuse wishes that cannot be granted, at start-up.

    Raises
    ------
    SettingsError
        ``commitment_needs_dimse``.
    """
    if destination.wants_commitment and destination.protocol != "dimse":
        raise SettingsError(
            "commitment_needs_dimse",
            found="storage commitment wanted of a STOW-RS destination",
            expected="a destination of kind dimse, or no commitment",
            action="Mend this destination in the settings file.",
        )
