"""Part 10 files on their way out: what must be known of each before it can be offered to a peer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread, read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from radiolucent.errors import InvariantBroken

MOST_CONTEXTS = 128
"""Presentation contexts of one association: identifiers are odd and one byte (PS3.8 9.3.2.2)."""
Offer = tuple[str, str]
"""Abstract syntax and transfer syntax of one presentation context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file of ours, as its meta information describes it (PS3.10 7.1)."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size_bytes: int

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Contexts to propose: as stored first, and the default transfer syntax (PS3.5 10.1) where it can be made."""
        stored = (self.sop_class_uid, self.transfer_syntax_uid)
        if self.transfer_syntax_uid == ExplicitVRLittleEndian:
            return (stored, (self.sop_class_uid, str(ImplicitVRLittleEndian)))
        return (stored,)

    @property
    def words(self) -> str:
        """What it is, for an error: SOP class and transfer syntax by name."""
        return f"{UID(self.sop_class_uid).name} in {UID(self.transfer_syntax_uid).name}"


def read_parcels(paths: Sequence[Path]) -> tuple[Parcel, ...]:
    """The files, each instance once.

    Raises
    ------
    InvariantBroken
        ``own_object_unreadable`` for a file that is missing or no Part 10 file.
    """
    found: dict[str, Parcel] = {}
    for path in paths:
        parcel = _read(path)
        found.setdefault(parcel.sop_instance_uid, parcel)
    return tuple(found.values())


def fractional_segmentations(paths: Iterable[Path]) -> frozenset[str]:
    """SOP Instance UIDs of those segmentations whose values are fractions (PS3.3 C.8.20.2, Segmentation Type).

    Raises
    ------
    InvariantBroken
        ``own_object_unreadable``.
    """
    found = set()
    for path in paths:
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID", "SegmentationType"])
        except (OSError, InvalidDicomError) as error:
            raise own_object_unreadable() from error
        if header.get("SegmentationType") == "FRACTIONAL":
            found.add(str(header.SOPInstanceUID))
    return frozenset(found)


def by_association(parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, ...]]:
    """Parcels in groups whose contexts fit into one association, in their own order."""
    group: list[Parcel] = []
    offers: set[Offer] = set()
    for parcel in parcels:
        if group and len(offers | set(parcel.offers)) > MOST_CONTEXTS:
            yield tuple(group)
            group, offers = [], set()
        group.append(parcel)
        offers |= set(parcel.offers)
    if group:
        yield tuple(group)


def by_size(parcels: Iterable[Parcel], *, most_bytes: int, most: int) -> Iterator[tuple[Parcel, ...]]:
    """Parcels in groups of at most so many bytes and files; a larger one goes alone."""
    group: list[Parcel] = []
    size = 0
    for parcel in parcels:
        if group and (size + parcel.size_bytes > most_bytes or len(group) == most):
            yield tuple(group)
            group, size = [], 0
        group.append(parcel)
        size += parcel.size_bytes
    if group:
        yield tuple(group)


def own_object_unreadable() -> InvariantBroken:
    """The error of a file of ours that is gone or damaged."""
    return InvariantBroken(
        "own_object_unreadable",
        found="a result object that is missing or cannot be read",
        expected="the file as it was written",
        action="See to the disk; read the study again to write its objects anew.",
    )


def _read(path: Path) -> Parcel:
    try:
        meta = read_file_meta_info(path)
        return Parcel(
            path=path,
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
            size_bytes=path.stat().st_size,
        )
    except (OSError, InvalidDicomError, AttributeError) as error:
        raise own_object_unreadable() from error
