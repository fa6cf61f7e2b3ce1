"""Which of our objects a destination can show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from radiolucent.records.destination import ProfileName
from radiolucent.records.study import ObjectKind


class Showable(Protocol):
    """Anything with a kind and an identity."""

    @property
    def kind(self) -> ObjectKind:
        """What kind of object it is."""

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID."""


AnyShowable = TypeVar("AnyShowable", bound=Showable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a destination takes.

    Parameters
    ----------
    kinds
        Kinds it takes, in sending order: an object comes after those that it refers to. Every profile ends with the
        rejection note: a retraction must reach whoever has the result, and a destination that cannot take it must say
        so where an operator sees it.
    fractional_segmentations
        Whether segmentations with probabilities instead of ones and zeros are among them.
    """

    kinds: tuple[ObjectKind, ...]
    fractional_segmentations: bool = False


_EVERYTHING: tuple[ObjectKind, ...] = (
    "secondary_capture",
    "parametric_map",
    "segmentation",
    "presentation_state",
    "structured_report",
    "rejection",
)
PROFILES: dict[ProfileName, Profile] = {
    # An archive: stores everything, shows what it can.
    "orthanc": Profile(kinds=_EVERYTHING, fractional_segmentations=True),
    # OHIF 3 shows no presentation state, opens parametric maps of volumes alone, and fails on fractional segmentations.
    "ohif": Profile(kinds=("secondary_capture", "segmentation", "structured_report", "rejection")),
    # Weasis 4.7 paints fractional segmentations as heat maps, opens maps as images, and draws presentation states.
    "weasis": Profile(kinds=_EVERYTHING, fractional_segmentations=True),
    # The one result that every archive and viewer takes is a picture.
    "old-pacs": Profile(kinds=("secondary_capture", "rejection")),
}


def select(
    objects: Sequence[AnyShowable], profile: Profile, *, fractional: Collection[str] = ()
) -> tuple[AnyShowable, ...]:
    """Those objects that a destination takes, in sending order.

    Parameters
    ----------
    fractional
        SOP Instance UIDs of the fractional segmentations among them.
    """
    place = {kind: number for number, kind in enumerate(profile.kinds)}
    taken = [
        each
        for each in objects
        if each.kind in place and (profile.fractional_segmentations or each.sop_instance_uid not in fractional)
    ]
    return tuple(sorted(taken, key=lambda each: place[each.kind]))
