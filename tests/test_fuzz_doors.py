"""The fuzz job throws cases at every door, and tells what it finds."""

from __future__ import annotations

import random

import pytest
from fuzz_doors import DOORS, fuzz
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("door", DOORS)
def test_a_moment_at_a_door(door: str) -> None:
    for each in DOORS[door]:
        count, wrong = fuzz((each,), seconds=0.3, draw=random.Random(7))
        assert wrong == ""
        assert count > 5, each.__name__


def test_a_defect_is_found_and_told() -> None:
    @given(st.binary(min_size=1))
    def breaks(data: bytes) -> None:
        assert data[0] != 0x0B

    count, wrong = fuzz((breaks,), seconds=60.0, draw=random.Random(7))
    assert count > 0
    assert wrong.startswith("breaks: AssertionError: ")
