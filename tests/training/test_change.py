"""How the comparison with a prior is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from training.change import PERTURBED, Pair, agreement, level_offset

pytestmark = pytest.mark.training
ROOT = Path(__file__).resolve().parents[2]


def test_the_measurement_needs_no_torch() -> None:
    code = "import sys, training.change; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_stacks_are_laid_on_one_another_by_the_pictures() -> None:
    noise = np.random.default_rng(1).random((10, 64, 64)).astype(np.float32)
    stack = {z: ndimage.gaussian_filter(noise[z], 3) for z in range(10)}
    moved = {z + 2: picture for z, picture in stack.items()}
    offset, likeness = level_offset(stack, moved)
    assert offset == 2
    assert likeness == pytest.approx(1.0)


def test_perturbed_pictures_stay_pictures() -> None:
    picture = np.zeros((40, 30), dtype=np.float32)
    picture[10:30, 8:22] = 0.7
    for how, make in PERTURBED.items():
        got = make(picture)
        assert got.shape == picture.shape, how
        assert got.dtype == np.float32
        assert 0.5 < got.sum() / picture.sum() < 1.5, how
        assert not np.array_equal(got, picture)


@pytest.mark.parametrize(
    ("areas", "truth"),
    [
        ((0.0, 0.0), "absent"),
        ((0.0, 0.1), "new"),
        ((0.1, 0.0), "resolved"),
        ((0.1, 0.13), "increased"),
        ((0.13, 0.1), "decreased"),
        ((0.1, 0.11), "unchanged"),
    ],
)
def test_truth_is_what_the_masks_say(areas: tuple[float, float], truth: str) -> None:
    pair = Pair(patient="p", part="test", prior_area=areas[0], current_area=areas[1], change=None)
    assert (pair.truth, pair.verdict) == (truth, "not_comparable")
    assert f"| {truth} | 0 | 0 | 0 | 0 | 0 | 0 | 1 |" in agreement([pair])
