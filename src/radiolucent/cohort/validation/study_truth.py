"""Truth of whole studies, laid onto their images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from radiolucent.cohort.truth import MASK

Row = Mapping[str, str]
PRESENT = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Rows by file, the studies that have an image here, and of how many images a present finding stays unknown."""

    rows: Mapping[str, dict[str, str]]
    used: frozenset[Hashable]
    unsure: int


def join_studies(
    folder: Path,
    files: Iterable[str],
    study_of: Callable[[str, str], Hashable | None],
    row_of: Callable[[Hashable], Row],
    *,
    keys: tuple[str, ...],
) -> Joined:
    """Give each DICOM image what is true of its study.

    Of several images of a study nobody knows which of them shows a finding that is present: it is not known of any. One
    that is absent is absent from all.

    Parameters
    ----------
    study_of
        A study by Study Instance UID and accession number, or ``None`` where nothing is known of it.
    row_of
        Cells by column, as a truth table has them.
    """
    images: dict[Hashable, list[str]] = defaultdict(list)
    for file in files:
        named = study_named(folder / file)
        study = None if named is None else study_of(*named)
        if study is not None:
            images[study].append(file)
    rows: dict[str, dict[str, str]] = {}
    unsure = 0
    for study, mine in images.items():
        row = dict(row_of(study))
        if len(mine) > 1:
            present = [key for key in keys if row.get(key) == PRESENT]
            unsure += len(mine) if present else 0
            row |= dict.fromkeys(present, "")
            row = {column: cell for column, cell in row.items() if not column.startswith(MASK)}
        rows |= dict.fromkeys(mine, row)
    return Joined(rows=rows, used=frozenset(images), unsure=unsure)


def study_named(path: Path) -> tuple[str, str] | None:
    """Study Instance UID and accession number of a DICOM file; ``None`` for any other."""
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID", "AccessionNumber"])
        return str(header.get("StudyInstanceUID") or "").strip(), str(header.get("AccessionNumber") or "").strip()
    except Exception:  # noqa: BLE001  whatever is wrong with a file is told when it is read
        return None
