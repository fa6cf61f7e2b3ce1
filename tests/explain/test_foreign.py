"""Letters and wires are seen where they stand, on small pictures and large ones; bone and white borders are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from radiolucent.explain.foreign import SIDE, _running, foreign_objects


def film(side: int) -> np.ndarray:
    """A chest of slow changes of grey, and an L with strokes of a hundredth of its height."""
    rows, columns = np.mgrid[:side, :side] / side
    picture = (90 + 60 * np.sin(9 * rows) * np.cos(7 * columns)).astype(np.uint8)
    unit = side // 100
    picture[10 * unit : 16 * unit, 10 * unit : 11 * unit] = 250
    picture[15 * unit : 16 * unit, 10 * unit : 14 * unit] = 250
    return picture


@pytest.mark.parametrize("side", [320, 2500])
def test_a_letter_is_found_where_it_stands_and_nothing_else(side: int) -> None:
    picture = film(side)
    mask, step = foreign_objects(picture)
    assert max(mask.shape) <= SIDE
    found, white = np.argwhere(mask) * step, np.argwhere(picture == 250)
    assert np.abs(found.min(axis=0) - white.min(axis=0)).max() <= step
    assert np.abs(found.max(axis=0) - white.max(axis=0)).max() <= step


def test_a_border_a_bright_bone_and_an_empty_picture_are_nothing_foreign() -> None:
    picture = np.full((320, 320), 40, dtype=np.uint8)
    picture[:, :30] = 255
    picture[100:200, 150:190] = np.linspace(120, 220, 40).astype(np.uint8)
    assert not foreign_objects(picture)[0].any()
    assert not foreign_objects(np.zeros((64, 80), dtype=np.uint8))[0].any()


@pytest.mark.parametrize("width", [3, 5, 7, 9, 11])
def test_the_running_window_is_scipys(width: int) -> None:
    picture = np.random.default_rng(width).integers(0, 256, (37, 52), dtype=np.uint8)
    theirs = ndimage.minimum_filter(picture, width, mode="nearest")
    np.testing.assert_array_equal(_running(picture, width, np.minimum), theirs)
    np.testing.assert_array_equal(
        _running(picture, width, np.maximum), ndimage.maximum_filter(picture, width, mode="nearest")
    )
