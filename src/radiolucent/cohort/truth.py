"""The truth table: which images, what is true of them, and where (``docs/evaluate.md``)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec

Part = Literal["val", "test"]
Box = tuple[float, float, float, float]
Table = tuple[list[str], list[tuple[int, dict[str, str]]]]
NEEDED = ("image", "group", "part")
CONSENT = "consent"
"""On what ground an image may be learnt from; figures do not ask for it, training does."""
KNOWN = (*NEEDED, "image2", "source", CONSENT)
STATED = ("age_years", "sex", "view")
"""What a header would say of a picture that has none; only a cohort's table may say it."""
BOX_COLUMNS = ("image", "finding", "x", "y", "w", "h")
SUBGROUP, MASK, CONCEPT = "sub:", "mask:", "concept:"
SAID = {"1": "yes", "0": "no", "": ""}
LABELS = {"1": 1.0, "0": 0.0, "": math.nan}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a truth table.

    Parameters
    ----------
    row
        Its line in the CSV, counting the header as 1.
    image, second
        Picture or DICOM file; the picture of a second channel, or ``None``.
    group
        What is never split: the patient, where known.
    labels
        1, 0 or ``nan`` (unknown) by finding key.
    masks, boxes
        Where a finding is, by key; boxes are ``(x, y, width, height)`` as fractions of the image.
    subgroups
        Values of the ``sub:`` columns by name, and of ``concept:`` columns by ``concept`` and name (yes, no, blank).
    """

    row: int
    image: Path
    second: Path | None
    group: str
    part: Part
    source: str
    labels: dict[str, float]
    masks: dict[str, Path]
    boxes: dict[str, tuple[Box, ...]]
    subgroups: dict[str, str]

    def has_place(self, key: str) -> bool:
        """Whether the finding is there and its place is known."""
        return self.labels.get(key) == 1 and (key in self.masks or key in self.boxes)


def wrong(where: str, found: str, expected: str) -> NoReturn:
    """Refuse a truth table; ``where`` names file and row."""
    raise SettingsError(
        "truth_table", found=f"{where}: {found}", expected=expected, action="Mend the table; see docs/evaluate.md."
    )


def read_truth(path: Path, *, spec: EngineSpec, boxes: Path | None = None) -> tuple[Case, ...]:
    """Read and check a truth table.

    Parameters
    ----------
    path
        CSV in UTF-8; paths in it are relative to its folder.
    spec
        Its finding keys (derived ones too) may be columns.
    boxes
        CSV ``image,finding,x,y,w,h``; ``image`` as it stands in the truth table.

    Raises
    ------
    SettingsError
        ``truth_table``, naming the row, what was found and what was expected.
    """
    keys = keys_of(spec)
    header, rows = read_table(path)
    check_header(path.name, header, keys=keys, channels=len(spec.input.channels))
    if not set(header) & set(keys):
        wrong(f"{path.name} row 1", "no column of a finding", f"at least one of {', '.join(keys)}")
    placed = read_boxes(boxes, keys=keys, images={row["image"] for _, row in rows}) if boxes else {}
    cases = tuple(read_case(path, line, row, keys=keys, placed=placed) for line, row in rows)
    _check_groups(path.name, cases)
    for part in ("val", "test"):
        if not any(c.part == part for c in cases):
            wrong(path.name, f"no row of part {part}", "rows of val and of test")
    return cases


def keys_of(spec: EngineSpec) -> tuple[str, ...]:
    """Keys of all findings, trained and derived."""
    return (*(f.key for f in spec.findings), *(d.key for d in spec.derived))


def read_table(path: Path) -> Table:
    """Header and rows of a CSV, each with its line; a byte order mark and blanks around cells are let pass."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        wrong(path.name, f"a file that cannot be read ({type(error).__name__})", "a CSV in UTF-8")
    reader = csv.DictReader(text.splitlines())
    header = [name.strip() for name in reader.fieldnames or ()]
    if len(set(header)) != len(header):
        wrong(f"{path.name} row 1", "a column twice", "each column once")
    reader.fieldnames = header
    rows = []
    for row in reader:
        if None in row or None in row.values():
            wrong(f"{path.name} row {reader.line_num}", "more or fewer cells than columns", f"{len(header)} cells")
        rows.append((reader.line_num, {name: cell.strip() for name, cell in row.items()}))
    return header, rows


def check_header(
    name: str,
    header: list[str],
    *,
    keys: tuple[str, ...],
    channels: int,
    needed: tuple[str, ...] = NEEDED,
    further: tuple[str, ...] = (),
) -> None:
    """Refuse a table that lacks a column or has one that nothing here knows."""
    missing = [column for column in needed if column not in header]
    if missing:
        wrong(f"{name} row 1", f"no column {', '.join(missing)}", ", ".join(needed))
    known = (*KNOWN, *further, *keys)
    for column in header:
        is_mask = column.startswith(MASK) and column.removeprefix(MASK) in keys
        if not (column in known or is_mask or column.startswith((SUBGROUP, CONCEPT))):
            wrong(
                f"{name} row 1",
                f"column {column!r}",
                f"sub:<name>, concept:<name>, mask:<key> or one of {', '.join(known)}",
            )
    if "image2" in header and channels != 2:
        wrong(f"{name} row 1", "column image2", f"no such column: the engine reads {channels} channel(s)")


def read_case(
    path: Path,
    line: int,
    row: dict[str, str],
    *,
    keys: tuple[str, ...],
    placed: dict[str, dict[str, tuple[Box, ...]]],
    filled: tuple[str, ...] = ("image", "group"),
) -> Case:
    """One checked row; ``filled`` are the columns that must not be blank."""
    where = f"{path.name} row {line}"
    if row["part"] not in ("val", "test"):
        wrong(where, f"part {row['part']!r}", "val or test")
    for column in filled:
        if not row[column]:
            wrong(where, f"no {column}", "a value")
    labels = {}
    for key in keys:
        cell = row.get(key, "")
        if cell not in LABELS:
            wrong(where, f"{key} = {cell!r}", "1, 0 or nothing (unknown)")
        labels[key] = LABELS[cell]
    masks = {key: _file(path, where, cell) for key in keys if (cell := row.get(MASK + key, ""))}
    return Case(
        row=line,
        image=_file(path, where, row["image"]),
        second=_file(path, where, row["image2"]) if row.get("image2") else None,
        group=row.get("group", ""),
        part=cast(Part, row["part"]),
        source=row.get("source", ""),
        labels=labels,
        masks=masks,
        boxes=placed.get(row["image"], {}),
        subgroups={
            **{name: row[name] for name in STATED if row.get(name)},
            **{name.removeprefix(SUBGROUP): cell for name, cell in row.items() if name.startswith(SUBGROUP)},
            **{
                f"concept {name.removeprefix(CONCEPT)}": _concept(path, where, cell)
                for name, cell in row.items()
                if name.startswith(CONCEPT)
            },
        },
    )


def _concept(table: Path, where: str, cell: str) -> str:
    """Whether a concept is there: as the cell says, or where the mask that it names is not empty."""
    if cell in SAID:
        return SAID[cell]
    try:
        with Image.open(_file(table, where, cell)) as mask:
            return SAID["1" if np.asarray(mask.convert("L")).any() else "0"]
    except (OSError, UnidentifiedImageError) as error:
        wrong(where, f"a mask that cannot be read ({type(error).__name__})", "1, 0, nothing, or a PNG picture")


def _file(table: Path, where: str, cell: str) -> Path:
    found = table.parent / cell
    if not found.is_file():
        wrong(where, f"a path with no file ({Path(cell).name})", "a path relative to the table")
    return found


def _check_groups(name: str, cases: tuple[Case, ...]) -> None:
    """No group may stand in both parts; the rows are named, the group may be a patient identifier."""
    if not cases:
        wrong(name, "no row", "at least one image")
    first: dict[str, Case] = {}
    for case in cases:
        other = first.setdefault(case.group, case)
        if other.part != case.part:
            wrong(f"{name} rows {other.row} and {case.row}", "one group in val and in test", "each group in one part")


def read_boxes(path: Path, *, keys: tuple[str, ...], images: set[str]) -> dict[str, dict[str, tuple[Box, ...]]]:
    """Boxes by image and finding; ``images`` are the cells that may be named."""
    header, rows = read_table(path)
    if missing := [column for column in BOX_COLUMNS if column not in header]:
        wrong(f"{path.name} row 1", f"no column {', '.join(missing)}", ", ".join(BOX_COLUMNS))
    found: dict[str, dict[str, tuple[Box, ...]]] = {}
    for line, row in rows:
        where = f"{path.name} row {line}"
        if row["image"] not in images:
            wrong(where, f"image {Path(row['image']).name!r}", "an image of the truth table")
        if row["finding"] not in keys:
            wrong(where, f"finding {row['finding']!r}", f"one of {', '.join(keys)}")
        box = tuple(_numbers(row, where))
        of_image = found.setdefault(row["image"], {})
        of_image[row["finding"]] = (*of_image.get(row["finding"], ()), cast(Box, box))
    return found


def _numbers(row: dict[str, str], where: str) -> Iterator[float]:
    for column in BOX_COLUMNS[2:]:
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not -0.001 <= value <= 1.001:
            wrong(where, f"{column} = {row[column]!r}", "a fraction of the image, 0 to 1")
        yield value


def place(case: Case, key: str, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Where a finding is, on source pixels: its mask, else its boxes, else ``None``.

    Parameters
    ----------
    shape
        ``(rows, columns)`` of the source image. A mask of another size is scaled by the nearest pixel.

    Raises
    ------
    SettingsError
        ``truth_table`` for a mask that is no picture.
    """
    rows, columns = shape
    truth = np.zeros(shape, dtype=bool)
    if key in case.masks:
        try:
            with Image.open(case.masks[key]) as mask:
                truth = np.asarray(mask.convert("L").resize((columns, rows), Image.Resampling.NEAREST)) > 0
        except (OSError, UnidentifiedImageError) as error:
            wrong(f"row {case.row}", f"a mask that cannot be read ({type(error).__name__})", "a PNG picture")
    elif key in case.boxes:
        for x, y, width, height in case.boxes[key]:
            top, left = max(0, int(y * rows)), max(0, int(x * columns))
            bottom, right = max(top + 1, round((y + height) * rows)), max(left + 1, round((x + width) * columns))
            truth[top:bottom, left:right] = True
    return truth if truth.any() else None


def parts_of(cases: Sequence[Case]) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """``(by, value, [N] mask)`` for each source and each value of each subgroup; a blank is "not stated"."""
    names = sorted({name for c in cases for name in c.subgroups})
    columns = [("source", [c.source for c in cases])]
    columns += [(name, [c.subgroups.get(name, "") for c in cases]) for name in names]
    for by, values in columns:
        for value in sorted(set(values)):
            yield by, value or "not stated", np.array([v == value for v in values])
