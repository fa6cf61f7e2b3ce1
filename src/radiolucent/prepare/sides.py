"""Which way the patient lies in an image, in the letters that stand at its edges; only what the header states."""

from __future__ import annotations

from pydicom.dataset import Dataset

from radiolucent.prepare.element import frame_scope, numbers, texts

AXES = (("L", "R"), ("P", "A"), ("H", "F"))
"""Where the axes of the patient run to and come from, x, y, z (PS3.3 C.7.6.2.1.1)."""
OPPOSITE = {one: other for pair in AXES for one, other in (pair, pair[::-1])}
LEAST = 0.3
"""A direction is named by the axes of which it holds at least so much, the greatest first."""
Sides = tuple[str, str, str, str]


def sides(dataset: Dataset, frame_number: int = 1) -> Sides | None:
    """Letters at the left, right, upper and lower edge of a frame as it is stored.

    From Image Orientation (Patient), else from Patient Orientation; ``None`` where neither says it.
    """
    scope = frame_scope(dataset, frame_number=frame_number, group="PlaneOrientationSequence")
    cosines = numbers(scope, "ImageOrientationPatient")
    if len(cosines) == 6:
        along, down = _letters(cosines[:3]), _letters(cosines[3:])
    else:
        stated = [each.upper() for each in texts(dataset, "PatientOrientation")]
        along, down = stated if len(stated) == 2 else ("", "")
    if not along or not down or not set(along + down) <= OPPOSITE.keys():
        return None
    return _opposite(along), along, _opposite(down), down


def _letters(direction: tuple[float, ...]) -> str:
    found = sorted(((abs(share), share > 0, axis) for axis, share in enumerate(direction)), reverse=True)
    return "".join(AXES[axis][not is_along] for size, is_along, axis in found if size >= LEAST)


def _opposite(letters: str) -> str:
    return "".join(OPPOSITE[each] for each in letters)
