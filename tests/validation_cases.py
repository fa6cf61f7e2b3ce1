"""Cohorts that the tiny engine reads: a grey body with one block, bright where the finding is."""

from __future__ import annotations

from pathlib import Path

import cohort_cases
import numpy as np
from PIL import Image

SIDE = 64
LEFT, RIGHT = (24, 8), (24, 40)


def picture(at: tuple[int, int], value: int, *, seed: int = 0) -> np.ndarray:
    """A body that fills the middle, with a block of a value; noise makes every picture another one."""
    out = np.zeros((SIDE, SIDE), dtype=np.uint8)
    out[8:56, 8:56] = 40
    out[at[0] : at[0] + 16, at[1] : at[1] + 16] = value
    noise = np.random.default_rng(seed).integers(0, 3, out.shape)
    return np.asarray(out + noise * (out > 0), dtype=np.uint8)


def write(
    folder: Path, *, images: int = 60, moved: bool = False, start: int = 0, more: dict[str, str] | None = None
) -> Path:
    """``cohort.csv`` of pictures, every other one positive, two of each patient; the block is ``moved`` in half."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(start, start + images):
        is_there, half = number % 2 == 0, number // 2 % 2
        at = RIGHT if moved and half else LEFT
        value = (215 if is_there else 150) - number % 7 * 10
        Image.fromarray(picture(at, value, seed=number)).save(folder / f"i{number}.png")
        row = {"image": f"i{number}.png", "group": f"p{number // 2}", "source": "made", "sub:half": f"h{half}"}
        rows.append(row | {"age_years": str(20 + number), "bright": str(int(is_there))} | (more or {}))
    return cohort_cases.table(folder / "cohort.csv", rows)
