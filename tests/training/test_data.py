"""The curated images: nobody sits in two parts, and training sees what the run time will see."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from radiolucent.prepare.model_input import model_input
from radiolucent.prepare.picture import decode_picture
from radiolucent.records.engine import ChannelSpec, InputSpec
from radiolucent.records.image import SourceFile
from training import config as configuration
from training import data
from training.config import Config

pytestmark = pytest.mark.training
ENGINES = ("chest-film", "brain-mri-tumor", "head-ct-hemorrhage", "bone-fracture")
SHARES = {"train": 0.68, "val": 0.12, "test": 0.20}


@pytest.fixture(scope="module")
def root() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("RADIOLUCENT_DATA", default))
    if not (folder / "chest" / "labels.csv").is_file():
        pytest.skip(f"the curated images are not at {folder}; set RADIOLUCENT_DATA")
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, configs: Path, root: Path
) -> tuple[Config, list[data.Sample], dict[str, str]]:
    config = configuration.load(configs / f"{request.param}.toml")
    return config, *data.read(config, root)


Engine = tuple[Config, list[data.Sample], dict[str, str]]


def test_no_group_is_in_two_parts_and_every_sample_has_one(engine: Engine) -> None:
    _, samples, split = engine
    parts: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        parts[sample.group].add(split[sample.group])
    assert all(len(names) == 1 for names in parts.values())
    assert set(split) == set(parts)
    assert set(split.values()) == {"train", "val", "test"}
    assert len({s.name for s in samples}) == len(samples), "an image twice could stand in two parts"


def test_shares_are_near_the_plan(engine: Engine) -> None:
    _, samples, split = engine
    free = {s.group for s in samples if s.source != "SIIM"}
    for part, share in SHARES.items():
        found = sum(split[g] == part for g in free) / len(free)
        assert found == pytest.approx(share, abs=0.05), part


def test_every_finding_with_enough_carriers_is_in_every_part(engine: Engine) -> None:
    config, samples, split = engine
    for finding in config.findings:
        carriers: dict[str, set[str]] = defaultdict(set)
        for sample in samples:
            if sample.labels.get(finding.label) == 1:
                carriers[split[sample.group]].add(sample.group)
        if sum(map(len, carriers.values())) >= 40:
            assert set(carriers) == {"train", "val", "test"}, finding.key


def test_the_split_is_always_the_same(engine: Engine) -> None:
    _, samples, split = engine
    assert data.split_of(samples[::-1]) == split


def test_siim_stays_in_training(root: Path) -> None:
    samples = data.chest(root)
    split = data.split_of(samples)
    siim = [s for s in samples if s.source == "SIIM"]
    assert siim
    assert {split[s.group] for s in siim} == {"train"}


def test_pretraining_knows_no_patient_of_validation_or_test(root: Path) -> None:
    samples = data.chest(root)
    split = data.split_of(samples)
    held = {s.name for s in samples if split[s.group] in {"val", "test"}}
    texture = data.chest_texture(root, excluded_patients=data.chest_patients(root, held))
    assert texture
    with (root / "chest" / "labels.csv").open(newline="", encoding="utf-8") as handle:
        patients = {row["patient_id"] for row in csv.DictReader(handle) if row["file"] in held}
    patients.discard("")
    assert patients, "this test needs patient identifiers"
    groups = {s.group for s in texture}
    assert not groups & patients
    assert "" not in groups


def test_every_channel_file_is_there(engine: Engine) -> None:
    _, samples, _ = engine
    missing = [p for s in samples for p in s.channels if p is not None and not p.is_file()]
    assert not missing


def _runtime(path: Path, config: Config) -> np.ndarray:
    spec = InputSpec(
        rows=config.input.size,
        columns=config.input.size,
        channels=tuple(
            ChannelSpec(source=c.source, centre=c.centre, width=c.width, stretch=c.stretch)
            for c in config.input.channels
        ),
        mean=config.input.mean,
        std=config.input.std,
    )
    frame = decode_picture(SourceFile(path=path, label="x", kind="picture", sha256=""), stem="x")
    return model_input(frame, spec).array * config.input.std + config.input.mean


def test_training_sees_what_the_run_time_sees(engine: Engine) -> None:
    """The run time takes a picture for the first channel only; training rounds to 8 bits."""
    config, samples, _ = engine
    chosen = samples[:: max(1, len(samples) // 12)][:12]
    for sample in chosen:
        path = sample.channels[0]
        assert path is not None
        alone = data.Sample(
            name=sample.name,
            group=sample.group,
            source=sample.source,
            channels=(path, *(None for _ in sample.channels[1:])),
            labels={},
        )
        seen = data.load_channels(alone, config.input.channels, config.input.size).astype(np.float64) / 255
        at_run_time = _runtime(path, config)
        assert seen.shape == at_run_time.shape
        assert seen[0].std() > 0.01, f"{sample.name} is blank: nothing would be compared"
        assert np.abs(seen - at_run_time).max() <= 1 / 255 + 1e-6, sample.name


def test_mask_grids_are_binary_or_wholly_unknown_and_never_empty(engine: Engine) -> None:
    config, samples, _ = engine
    labels = [f.label for f in config.findings]
    placed = [s for s in samples if s.masks or s.boxes]
    for sample in placed[:: max(1, len(placed) // 25)]:
        for label, grid in zip(labels, data.mask_grid(sample, labels, config.input.size), strict=True):
            values = set(np.unique(grid).tolist())
            if sample.labels.get(label) == 1 and (label in sample.masks or label in sample.boxes):
                assert 1 in values, f"{sample.name}: {label} has a place and none is marked"
            assert values <= {0, 1} or values == {255}
