"""Ablations: which images a short run sees, and what is read from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.ablate import figures, limited
from training.data import Sample
from training.train import Arrays

pytestmark = pytest.mark.training


def test_no_group_fills_a_short_run() -> None:
    def sample(group: str, number: int) -> Sample:
        return Sample(name=f"{group}{number}", group=group, source="x", channels=(Path("a"),), labels={})

    samples = [sample("large", i) for i in range(500)] + [sample(f"g{i}", j) for i in range(60) for j in range(2)]
    chosen = limited(samples, 60)
    assert 60 <= len(chosen) <= 62
    assert sum(s.group == "large" for s in chosen) in {0, 3}
    assert chosen == limited(samples[::-1], 60), "the order of the table does not matter"
    assert len(limited(samples, 5)) == 5


def test_figures_by_hand() -> None:
    masks = np.full((4, 1, 8, 8), 255, dtype=np.uint8)
    masks[:2] = 0
    masks[:2, 0, :2, :2] = 1
    labels = np.array([[1.0], [1.0], [0.0], [0.0]], dtype=np.float32)
    arrays = Arrays(images=np.zeros((4, 1, 32, 32), np.uint8), labels=labels, masks=masks, regions=masks)
    evidence = np.zeros((4, 1, 8, 8), dtype=np.float32)
    evidence[0, 0, :2, :2] = 1.0  # right
    evidence[1, 0, 7, 7] = 1.0  # wrong place
    got = figures(np.array([[2.0], [1.0], [1.5], [0.0]]), evidence, arrays, np.array(list("abcd")))
    assert got["auc"].value == 0.75
    assert got["hit"].value == got["iou"].value == 0.5
    unknown = Arrays(images=arrays.images, labels=labels, masks=np.full_like(masks, 255), regions=masks)
    assert set(figures(np.zeros((4, 1)), evidence, unknown, np.array(list("abcd")))) == {"auc"}
