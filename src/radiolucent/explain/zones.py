"""The place of a peak in words. Left and right are the patient's, or the words say that they are the picture's."""

from __future__ import annotations

from typing import Literal

from radiolucent.records.image import ImageSide

Zones = Literal["chest", "head", "image"]
CENTRAL = 0.08


def _side(column_share: float, patient_left_at: ImageSide | None) -> str:
    if abs(column_share - 0.5) < CENTRAL:
        return "central"
    at_right = column_share > 0.5
    if patient_left_at is None:
        return "right of the picture" if at_right else "left of the picture"
    return "left" if at_right == (patient_left_at == "right") else "right"


def _third(row_share: float, words: tuple[str, str, str]) -> str:
    return words[min(2, int(row_share * 3))]


def zone(
    at: tuple[int, int],
    *,
    shape: tuple[int, int],
    zones: Zones,
    patient_left_at: ImageSide | None,
    body_part: str | None = None,
    frame: tuple[float, float, float, float] | None = None,
) -> str:
    """Name the place of source pixel ``at = (row, column)`` in an image of ``shape = (rows, columns)``.

    Zones are thirds and halves of ``frame`` (top, left, bottom, right of the drawn anatomy, in source pixels), or of
    the picture where there is none: they name where in the body or the picture, not which organ. A film of a limb
    names its ``body_part`` first, where the header states one.
    """
    top, left, bottom, right = frame or (0.0, 0.0, float(shape[0]), float(shape[1]))
    row_share = min(max((at[0] + 0.5 - top) / (bottom - top), 0.0), 0.999)
    column_share = min(max((at[1] + 0.5 - left) / (right - left), 0.0), 0.999)
    side = _side(column_share, patient_left_at)
    if zones == "chest":
        return f"{side} {_third(row_share, ('upper', 'mid', 'lower'))} zone".replace("the picture ", "the picture, ")
    if zones == "head":
        return f"{side}, {_third(row_share, ('front', 'middle', 'back'))} third of the slice"
    height = _third(row_share, ("upper", "middle", "lower"))
    region = f"{body_part.lower().replace('_', ' ')}, " if body_part else ""
    if side in {"left", "right"}:
        return f"{region}patient's {side}, {height} third of the film"
    return f"{region}{height} third, {side}"
