"""A toy problem through the real `fit`: it learns, keeps a checkpoint each epoch, and goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import config as configuration
from training.config import Config, Schedule
from training.model import Ensemble, EvidenceNet, FloatDepthwise, TopDown, quicken
from training.train import Arrays, aucs, fit, order_of, positive_weights, predict, rarity

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]
SIDE, GRID = 64, 16


class Small(nn.Module):
    """Stage maps at strides 4, 8, 16 and 32."""

    WIDTHS = (8, 16, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        widths = (1, *self.WIDTHS)
        strides = (4, 2, 2, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(widths[i], widths[i + 1], strides[i] + 1, stride=strides[i], padding=strides[i] // 2),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(),
            )
            for i in range(4)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


def network() -> EvidenceNet:
    torch.manual_seed(1)
    neck = TopDown(list(Small.WIDTHS), width=16, features=24, shallow=8)
    return EvidenceNet(Small(), neck, findings=2, regions=3, dropout=0.0)


def arrays(count: int, seed: int) -> Arrays:
    """A bright patch is the first finding, a fainter one the second, anywhere; the place is known."""
    rng = np.random.default_rng(seed)
    images = rng.integers(20, 60, (count, 1, SIDE, SIDE)).astype(np.uint8)
    labels = np.zeros((count, 2), dtype=np.float32)
    masks = np.full((count, 2, GRID, GRID), 255, dtype=np.uint8)
    for i in range(count):
        k = i % 2
        row, column = (int(v) for v in rng.integers(8, 40, 2))
        images[i, 0, row : row + 16, column : column + 16] = (250, 120)[k]
        labels[i, k] = 1
        masks[i, k] = 0
        masks[i, k, row // 4 : row // 4 + 4, column // 4 : column // 4 + 4] = 1
    labels[::7, 1] = np.nan
    regions = np.full((count, 3, GRID, GRID), 255, dtype=np.uint8)
    regions[:, 2] = (images[:, 0, 2::4, 2::4] > 90).astype(np.uint8)
    return Arrays(images=images, labels=labels, masks=masks, regions=regions)


@pytest.fixture
def config(configs: Path) -> Config:
    loaded = configuration.load(configs / "chest-film.toml")
    return loaded.model_copy(
        update={
            "findings": loaded.findings[:2],
            "input": loaded.input.model_copy(update={"size": SIDE}),
            "model": loaded.model.model_copy(update={"frozen_blocks": 0}),
        }
    )


def schedule(epochs: int) -> Schedule:
    return Schedule(epochs=epochs, batch=8, learning_rate=1e-2, warmup_steps=2, rotate_deg=3.0, evidence_weight=0.3)


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.timeout(60)
def test_fit_learns_a_checkpoint_is_kept_and_resume_goes_on(config: Config, tmp_path: Path) -> None:
    train, val = arrays(96, 1), arrays(32, 2)

    def go(epochs: int) -> EvidenceNet:
        return fit(network(), train, val, config=config, schedule=schedule(epochs), run=tmp_path, tag="main")

    go(2)
    assert [entry["epoch"] for entry in log(tmp_path)] == [0, 1]
    state = torch.load(tmp_path / "main-state.pt", weights_only=True)
    assert state["epoch"] == 1
    assert state["best"] == pytest.approx(max(e["val_auc_mean"] for e in log(tmp_path)), abs=1e-4)
    assert (tmp_path / "main-best.pt").is_file()

    stopped_at = state["rate"]["last_epoch"]
    learned = go(6)
    entries = log(tmp_path)
    assert [entry["epoch"] for entry in entries] == list(range(6)), "resume must not repeat or skip an epoch"
    assert {entry["phase"] for entry in entries} == {"main"}
    after = torch.load(tmp_path / "main-state.pt", weights_only=True)
    assert after["rate"]["last_epoch"] == stopped_at + 4 * 12, "four further epochs of twelve steps"

    first, last = entries[0], entries[-1]
    assert last["losses"]["label"] < 0.8 * first["losses"]["label"]
    for name in ("share", "shape", "anatomy"):
        assert last["losses"][name] < first["losses"][name], name
    scores = aucs(predict(learned, val, config), val.labels)
    assert min(scores) > 0.9
    best = torch.load(tmp_path / "main-best.pt", weights_only=True)
    assert all(torch.equal(value, best[name]) for name, value in learned.state_dict().items())


@pytest.mark.timeout(60)
def test_a_finished_run_is_not_trained_again(config: Config, tmp_path: Path) -> None:
    train, val = arrays(32, 3), arrays(16, 4)
    once = fit(network(), train, val, config=config, schedule=schedule(1), run=tmp_path, tag="main")
    again = fit(network(), train, val, config=config, schedule=schedule(1), run=tmp_path, tag="main")
    assert len(log(tmp_path)) == 1
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), again.parameters(), strict=True))


def test_positive_weights_by_hand() -> None:
    nan = np.nan
    labels = np.array(
        [[1, 0, 1, nan], [0, 0, 1, nan], [0, nan, 1, nan], [0, 0, 1, 1], [0, 0, nan, 0]], dtype=np.float32
    )
    assert positive_weights(labels).tolist() == pytest.approx([2.0, 2.0, 1.0, 1.0])
    rare = np.zeros((1000, 1), dtype=np.float32)
    rare[0] = 1
    assert positive_weights(rare).tolist() == [6.0]


def test_aucs_leave_out_the_unknown() -> None:
    labels = np.array([[1, 1], [0, np.nan], [1, 1], [0, np.nan]], dtype=np.float32)
    logits = np.array([[2, 0], [1, 0], [3, 0], [0, 0]], dtype=np.float32)
    scores = aucs(logits, labels)
    assert scores[0] == 1.0
    assert np.isnan(scores[1])


def test_depthwise_convolutions_stay_in_single_precision() -> None:
    layers = nn.Sequential(
        nn.Conv2d(4, 4, 5, padding=2, groups=4), nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 8, 3, stride=2)
    )
    image = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    before = layers(image)
    quicken(layers)
    assert [type(layer) for layer in layers] == [FloatDepthwise, nn.Conv2d, nn.Conv2d]
    assert torch.equal(layers(image), before)
    with torch.autocast("cpu", torch.bfloat16):
        assert layers[0](image).dtype == torch.float32
        assert layers[1](image).dtype == torch.bfloat16


def test_rare_findings_are_drawn_first_and_everything_of_its_own_is_seen() -> None:
    labels = np.zeros((12, 2), dtype=np.float32)
    labels[0, 0] = 1
    labels[1:5, 1] = 1
    labels[4, 0] = np.nan
    weights = rarity(labels)
    assert weights.tolist() == pytest.approx([1.0] + [0.5] * 4 + [7**-0.5] * 7)
    order = order_of(5, weights, 6, torch.Generator().manual_seed(2))
    assert sorted(order.tolist())[:5] == [0, 1, 2, 3, 4]
    assert len(order) == len(set(order.tolist())) == 11
    assert order.max() < 17
    assert len(order_of(5, weights, 0, torch.Generator().manual_seed(2))) == 5


def test_an_ensemble_is_the_mean_and_its_evidence_adds_up() -> None:
    members = [network().eval() for _ in range(2)]
    with torch.no_grad():
        members[1].head.bias += 1.0
        members[1].head.weight *= -0.5
    together = Ensemble(members).eval()
    image = torch.randn(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        (first, second), (logits, evidence, anatomy, embedding) = [m(image) for m in members], together(image)
    assert torch.allclose(logits, (first[0] + second[0]) / 2)
    assert torch.allclose(anatomy, (first[2] + second[2]) / 2)
    assert embedding.shape == (3, 48)
    assert torch.allclose(evidence.sum((2, 3)) + together.bias, logits, atol=1e-5)
