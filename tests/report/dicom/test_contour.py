import numpy as np
import pytest
from PIL import Image, ImageDraw
from report.dicom.dicom_sources import l_shape

from radiolucent.report.dicom.contour import box_outline, outline


def filled(points, shape):
    """Fill a polygon of edge coordinates, sampled at pixel centres at eight times the size; no code under test."""
    big = Image.new("1", (shape[1] * 8, shape[0] * 8))
    ImageDraw.Draw(big).polygon([(x * 8 - 0.5, y * 8 - 0.5) for x, y in points], fill=1)
    return np.asarray(big)[4::8, 4::8]


def test_l_shape_is_followed_clockwise_as_column_row():
    assert outline(l_shape()).tolist() == [[5, 10], [9, 10], [9, 26], [18, 26], [18, 30], [5, 30], [5, 10]]


def test_filling_the_outline_gives_the_region_back():
    assert np.array_equal(filled(outline(l_shape()), l_shape().shape), l_shape())


@pytest.mark.parametrize("where", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_a_pixel_in_any_corner_of_the_image(where):
    region = np.zeros((3, 4), dtype=bool)
    region[where] = True
    row, column = where
    expected = box_outline((row, column, 1, 1)).tolist()
    assert outline(region).tolist() == expected


def test_pixels_that_touch_by_a_corner_are_one_region():
    points = outline(np.array([[True, False], [False, True]]))
    assert points.tolist() == [[0, 0], [1, 0], [1, 1], [2, 1], [2, 2], [1, 2], [1, 1], [0, 1], [0, 0]]


def test_whole_image():
    assert outline(np.ones((3, 5), dtype=bool)).tolist() == [[0, 0], [5, 0], [5, 3], [0, 3], [0, 0]]


def test_a_large_round_region_is_simplified_within_a_pixel_or_two():
    rows, columns = np.mgrid[:600, :700]
    region = (rows - 290) ** 2 + (columns - 330) ** 2 < 250**2
    points = outline(region, max_vertices=120)
    assert len(points) <= 121
    assert np.array_equal(points[0], points[-1])
    assert np.abs(np.hypot(points[:, 0] - 330.5, points[:, 1] - 290.5) - 250).max() < 2


def test_box_is_closed_and_column_row():
    assert box_outline((10, 5, 20, 13)).tolist() == [[5, 10], [18, 10], [18, 30], [5, 30], [5, 10]]
