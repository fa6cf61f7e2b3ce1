"""The truth table that training writes is the one the evaluation reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radiolucent.cohort.evaluate import read_brightness
from radiolucent.cohort.truth import place, read_truth
from radiolucent.engines.manifest import parse
from training import config as configuration
from training import truth
from training.data import Sample

pytestmark = pytest.mark.training


def samples(folder: Path) -> list[Sample]:
    made = []
    for number in range(6):
        file = folder / f"{number}.png"
        Image.fromarray(np.full((40, 60), 40 * number, np.uint8)).save(file)
        mask = folder / f"{number}-mask.png"
        Image.fromarray(np.pad(np.full((10, 10), 255, np.uint8), ((0, 30), (0, 50)))).save(mask)
        made.append(
            Sample(
                name=file.name,
                group=f"g{number}",
                source="made",
                channels=(file,),
                labels={"fracture": float(number % 2)},
                masks={"fracture": mask} if number % 2 else {},
                boxes={"fracture": [(0.5, 0.5, 0.25, 0.6)]} if number % 2 else {},
                subgroup={"view": "frontal"},
            )
        )
    return made


def test_what_training_writes_the_evaluation_reads(tmp_path: Path, configs: Path) -> None:
    config = configuration.load(configs / "bone-fracture.toml")
    made = samples(tmp_path)
    parts = {"train": made[:2], "val": made[2:4], "test": made[4:]}
    table = truth.write(config, parts, tmp_path / "truth")
    spec = parse((configs.parents[1] / "engines" / "bone-fracture" / "engine.toml").read_bytes())
    cases = read_truth(table, spec=spec, boxes=table.with_name("boxes.csv"))
    assert [(c.part, c.group, c.labels["fracture"]) for c in cases] == [
        ("val", "g2", 0.0),
        ("val", "g3", 1.0),
        ("test", "g4", 0.0),
        ("test", "g5", 1.0),
    ]
    where = place(cases[1], "fracture", (40, 60))
    assert where is not None
    assert where[:10, :10].all()
    assert where.sum() == 100
    boxed = place(replace(cases[1], masks={}), "fracture", (40, 60))
    assert boxed is not None
    assert boxed[20:, 30:45].all()
    with np.load(table.with_name("priors.npz")) as priors:
        assert priors["fracture"].shape == (config.input.size // 4,) * 2
    train = read_brightness(table.with_name("brightness.npz"))
    assert train is not None
    assert train.labels["fracture"].tolist() == [0.0, 1.0]
    assert train.brightness.shape == (2, 2)
