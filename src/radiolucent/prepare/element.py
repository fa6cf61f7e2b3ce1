"""Tolerant reading of header elements: what cannot be understood is absent, never an exception."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from radiolucent.prepare.boundary import tolerant


def value(dataset: Dataset, keyword: str) -> object:
    """The converted value of an element, or ``None`` where it is absent, empty or cannot be converted."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return None
    found = tolerant(lambda: dataset[tag].value)
    return None if found is None or (isinstance(found, str | bytes) and not found) else found


def _raw_parts(dataset: Dataset, keyword: str) -> list[str]:
    tag = tag_for_keyword(keyword)
    raw = tolerant(lambda: dataset.get_item(tag)) if tag is not None and tag in dataset else None
    content = getattr(raw, "value", None)
    return content.decode("ascii", "replace").split("\\") if isinstance(content, bytes) else []


def _number(found: object) -> float:
    try:
        return float(found if isinstance(found, int | float) else str(found).strip("\0 "))
    except (ValueError, OverflowError):
        return math.nan


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as floats, ``nan`` where one is not a number; empty where the element is absent."""
    found = value(dataset, keyword)
    if found is None:
        return tuple(_number(part) for part in _raw_parts(dataset, keyword) if part.strip("\0 "))
    if isinstance(found, bytes) or not isinstance(found, Iterable) or isinstance(found, str):
        return (_number(found),)
    return tuple(_number(part) for part in found)


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value if it is a finite number."""
    found = numbers(dataset, keyword)
    return found[0] if found and math.isfinite(found[0]) else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first value if it is a whole number."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """All values as stripped text."""
    found = value(dataset, keyword)
    if found is None:
        return ()
    parts = found if isinstance(found, Iterable) and not isinstance(found, str | bytes) else [found]
    return tuple(str(part).strip("\0 ") for part in parts)


def text(dataset: Dataset, keyword: str) -> str | None:
    """The first value as stripped text, ``None`` if empty."""
    found = texts(dataset, keyword)
    return found[0] or None if found else None


def items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; empty where there is none."""
    found = value(dataset, keyword)
    return found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()


def first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    found = items(dataset, keyword)
    return found[0] if len(found) else None


def frame_scope(dataset: Dataset, *, frame_number: int, group: str) -> Dataset:
    """Where an attribute of a frame stands: its functional group, else the dataset itself (PS3.3 C.7.6.16).

    Parameters
    ----------
    frame_number
        1-based.
    group
        Keyword of the functional group, such as ``PixelMeasuresSequence``.
    """
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    holders = [per_frame[frame_number - 1]] if 0 < frame_number <= len(per_frame) else []
    holders += list(items(dataset, "SharedFunctionalGroupsSequence")[:1])
    for holder in holders:
        found = first_item(holder, group)
        if found is not None:
            return found
    return dataset
