"""Painted bleedings: bright, inside the brain, labelled as painted, and only on clean slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training import config as configuration
from training.synthetic import SUBTYPES, Painter

pytestmark = pytest.mark.training
SIDE, GRID = 224, 56


def batch(count: int, findings: int) -> tuple[np.ndarray, ...]:
    """Grey discs in a bright ring: a brain in a skull, on the model's scale of -20 to 100 HU."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(rows - SIDE / 2, columns - SIDE / 2)
    hu = np.where(radius < 80, 32.0, np.where(radius < 90, 100.0, -20.0))
    hu[(np.abs(rows - 100) < 6) & (np.abs(columns - 112) < 14)] = 8.0
    picture = np.round((hu + 20) / 120 * 255).astype(np.uint8)
    images = np.repeat(np.stack([picture, picture])[None], count, axis=0)
    brain = (radius < 80).reshape(GRID, 4, GRID, 4).mean((1, 3)) > 0.5
    regions = np.repeat(np.stack([brain, brain, ~brain])[None].astype(np.uint8), count, axis=0)
    return (
        images,
        np.zeros((count, findings), np.float32),
        np.full((count, findings, GRID, GRID), 255, np.uint8),
        regions,
    )


def test_painted_slices_are_brighter_where_the_mask_says(configs: Path) -> None:
    config = configuration.load(configs / "head-ct-hemorrhage.toml")
    labels_of = [f.label for f in config.findings]
    images, labels, masks, regions = batch(40, len(labels_of))
    painted, known, where = Painter(config, share=1.0).paint(
        images, labels, masks, regions, torch.Generator().manual_seed(2)
    )
    bleeding = np.flatnonzero(known[:, 0] == 1)
    assert len(bleeding) > 30
    assert {k for k in range(len(labels_of)) if (known[:, k] == 1).any()} >= {labels_of.index(s) for s in SUBTYPES[:2]}
    for i in bleeding:
        inside = np.kron(where[i, 0] == 1, np.ones((4, 4), bool))
        assert painted[i, 0][inside].mean() > images[i, 0][inside].mean() + 10
        assert (where[i, 0] == 1)[regions[i, 1] == 0].mean() < 0.05, "blood lies inside the skull"
        assert any(known[i, labels_of.index(s)] == 1 for s in SUBTYPES)
    assert (painted[:, 1] == images[:, 1]).all(), "the bone window stays as it was"


def test_a_bleeding_or_unknown_slice_is_left_alone(configs: Path) -> None:
    config = configuration.load(configs / "head-ct-hemorrhage.toml")
    images, labels, masks, regions = batch(8, len(config.findings))
    labels[:4, 0] = 1
    labels[4:6, 0] = np.nan
    regions[6:, 1] = 255
    painted, known, where = Painter(config, share=1.0).paint(
        images, labels, masks, regions, torch.Generator().manual_seed(2)
    )
    assert (painted == images).all()
    assert (where == 255).all()
    assert np.array_equal(known, labels, equal_nan=True)
