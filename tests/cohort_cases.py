"""A cohort that the tiny engine reads perfectly: bright blocks are positive, dim ones are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from radiolucent.cohort.truth import Case

SIDE, BLOCK = 64, 16
CORNERS = [(0, 0), (0, 48), (48, 0), (48, 48), (0, 16), (16, 0), (48, 16), (16, 48)]


def case(group: str = "a", *, source: str = "", labels: dict[str, float] | None = None, **subgroups: str) -> Case:
    """A case of the test part without a picture."""
    return Case(
        row=2,
        image=Path("none.png"),
        second=None,
        group=group,
        part="test",
        source=source,
        labels=labels or {},
        masks={},
        boxes={},
        subgroups=subgroups,
    )


def block(corner: tuple[int, int], value: int) -> np.ndarray:
    """A black picture with one block of a value."""
    picture = np.zeros((SIDE, SIDE), dtype=np.uint8)
    picture[corner[0] : corner[0] + BLOCK, corner[1] : corner[1] + BLOCK] = value
    return picture


def write(folder: Path, *, positives: int = 32, negatives: int = 20, val: int = 12, masks: bool = True) -> Path:
    """Write pictures and ``truth.csv``; every picture is a group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for part, there, absent in (("val", val, val), ("test", positives, negatives)):
        for number in range(there + absent):
            is_there, corner = number < there, CORNERS[number % len(CORNERS)]
            name = f"{part}{number}"
            Image.fromarray(block(corner, (250 if is_there else 60) - number % 40)).save(folder / f"{name}.png")
            row = {"image": f"{name}.png", "group": name, "part": part, "source": "made", "sub:half": str(number % 2)}
            row |= {"bright": str(int(is_there)), "mask:bright": ""}
            if is_there and masks:
                Image.fromarray(block(corner, 255)).save(folder / f"{name}-mask.png")
                row["mask:bright"] = f"{name}-mask.png"
            rows.append(row)
    return table(folder / "truth.csv", rows)


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV with the columns of its first row."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
