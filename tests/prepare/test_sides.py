"""The letters at the edges of an image are what the header states, and nothing where it states nothing."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from radiolucent.prepare.sides import sides


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ([1, 0, 0, 0, 1, 0], ("R", "L", "A", "P")),  # axial
        ([0, 1, 0, 0, 0, -1], ("A", "P", "H", "F")),  # sagittal
        ([1, 0, 0, 0, 0, -1], ("R", "L", "H", "F")),  # coronal
        ([-1, 0, 0, 0, 1, 0], ("L", "R", "A", "P")),  # turned over
        ([1, 0, 0, 0, 0.97, -0.24], ("R", "L", "A", "P")),  # a tilted gantry
        ([0.8, 0.6, 0, -0.6, 0.8, 0], ("RA", "LP", "AL", "PR")),
    ],
)
def test_from_image_orientation(orientation: list[float], expected: tuple[str, ...]) -> None:
    ds = Dataset()
    ds.ImageOrientationPatient = orientation
    ds.PatientOrientation = ["R", "H"]  # the vectors say more
    assert sides(ds) == expected


def test_from_patient_orientation_of_a_film() -> None:
    ds = Dataset()
    ds.PatientOrientation = ["L", "F"]
    assert sides(ds) == ("R", "L", "H", "F")
    ds.PatientOrientation = ["PL", "F"]
    assert sides(ds) == ("AR", "PL", "H", "F")


@pytest.mark.parametrize("stated", [None, [], ["L"], ["L", ""], ["LE", "D"], ["Q", "F"]])
def test_what_is_not_stated_is_not_named(stated: list[str] | None) -> None:
    ds = Dataset()
    if stated is not None:
        ds.PatientOrientation = stated
    assert sides(ds) is None
    ds.ImageOrientationPatient = [0, 0, 0, 0, 0, 0]
    assert sides(ds) is None
