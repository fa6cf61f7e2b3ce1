"""Known places: peaks inside them, and misses near the margin, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_engine
from scipy.stats import norm

from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.known_places import known_places
from radiolucent.cohort.validation.shards import Observed
from radiolucent.engines.checks import load
from radiolucent.engines.package import PackageFiles

NEAR, INNER = (0.0, 0.4, 0.2, 0.2), (0.4, 0.4, 0.2, 0.2)


def test_misses_at_the_margin_and_peaks_inside(tmp_path: Path) -> None:
    spec = load(PackageFiles(tiny_engine.write(tmp_path))).spec
    count, missed_near, missed_inner, hits = 40, 24, 6, 30
    boxes = [NEAR] * count + [INNER] * count
    cases = tuple(
        Case(
            row=i, image=Path("x.png"), second=None, group=f"p{i}", part="test", source="",
            labels={"bright": 1.0, "dark": 0.0}, masks={}, boxes={"bright": (box,)}, subgroups={},
        )
        for i, box in enumerate(boxes)
    )  # fmt: skip
    chances = np.full((2 * count, 2), 0.9)
    chances[:missed_near, 0] = chances[count : count + missed_inner, 0] = 0.1
    peaks = np.full((2 * count, 2, 2), 0.95)
    peaks[:hits, 0] = (0.5, 0.1)
    observed = Observed(
        folder=tmp_path,
        cases=cases,
        groups=np.array([case.group for case in cases]),
        patients_known=2 * count,
        strata=({},) * 2 * count,
        flags=((),) * 2 * count,
        refused={},
        twice=(),
        two_patients=(),
        arrays={"chances": chances, "peaks": peaks},
        places=np.zeros((2 * count, 2), dtype=np.intp),
    )
    (found,) = known_places(observed, spec)
    assert (found.key, found.places, found.at_margin) == ("bright", 80, 40)
    assert found.hit_rate.value == hits / 80
    assert found.centre_hit_rate.value == 0.5
    first, second = missed_near / count, missed_inner / count
    assert (found.missed_at_margin.value, found.missed_elsewhere.value) == (first, second)
    error = np.sqrt((first * (1 - first) + second * (1 - second)) / count)
    assert found.p == pytest.approx(2 * norm.sf((first - second) / error), rel=1e-6)
    assert found.q == found.p, "one finding"
