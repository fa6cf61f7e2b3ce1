"""What ships: the trained network with its distance from the training set and its guards on content.

Both read the plain mean in the embedding of the same forward pass (`EvidenceNet.plain`). ``novelty`` is the squared
Mahalanobis distance from the training set (Lee et al. 2018) with a shrunk covariance (Ledoit and Wolf 2004). Each guard
is one logistic regression on the whitened mean.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from radiolucent.importing import graph
from training import data
from training.config import Config, Guard
from training.model import Ensemble, EvidenceNet

Floats = NDArray[np.float64]
LEARNT, SHOWN = 500, 200
NOVEL, FALSE_ALARM = 99.0, 99.5


class Shipped(nn.Module):
    """``x [N,C,H,W]`` to ``logits, evidence, embedding, anatomy, novelty [N]`` and, where there are any, ``guards``."""

    def __init__(
        self, network: EvidenceNet | Ensemble, mean: Floats, whiten: Floats, weight: Floats, bias: Floats
    ) -> None:
        super().__init__()
        self.network = network
        self.mean, self.whiten = _fixed(mean), _fixed(whiten)
        self.weight, self.bias = _fixed(weight), _fixed(bias)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        logits, evidence, anatomy, embedding = self.network(x)
        white = (self.network.plain(embedding) - self.mean) @ self.whiten
        out = (logits, evidence, embedding, anatomy, white.square().sum(1))
        return (*out, torch.sigmoid(F.linear(white, self.weight, self.bias))) if len(self.bias) else out


def _fixed(values: Floats) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float32), requires_grad=False)


@dataclass(frozen=True, kw_only=True)
class GuardFigures:
    """How a guard does on pictures kept aside: share of its own kind caught, share of right pictures stopped."""

    name: str
    threshold: float
    caught: float
    caught_of: int
    false_alarms: float
    false_alarms_of: int


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The network as it ships, the limit of novelty, and the guards' figures."""

    network: Shipped
    novelty_limit: float
    guards: tuple[GuardFigures, ...]


def _session(network: EvidenceNet | Ensemble, config: Config) -> ort.InferenceSession:
    """The network as a graph already: several times faster here than PyTorch, and what will run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.onnx"
        names = ("logits", "evidence", "anatomy", "embedding")
        graph.write_onnx(network, path, channels=len(config.input.channels), size=config.input.size, outputs=names)
        return ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def _embed(
    network: EvidenceNet | Ensemble, session: ort.InferenceSession, arrays: NDArray[np.uint8], config: Config
) -> Floats:
    out = []
    for start in range(0, len(arrays), 16):
        images = arrays[start : start + 16].astype(np.float32) / np.float32(255.0)
        scaled = (images - np.float32(config.input.mean)) / np.float32(config.input.std)
        out.append(session.run(["embedding"], {"image": scaled})[0])
    return network.plain(torch.from_numpy(np.concatenate(out))).numpy().astype(np.float64)


def _pictures(samples: list[data.Sample], config: Config, count: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    chosen = [samples[i] for i in draw.permutation(len(samples))[:count]]
    return np.stack([data.load_channels(s, config.input.channels, config.input.size) for s in chosen])


def _plain(paths: list[Path], config: Config, count: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures of another kind, read as if they were this engine's: one picture in the first channel."""
    channels = (None,) * (len(config.input.channels) - 1)
    samples = [data.Sample(name=p.name, group=p.name, source="", channels=(p, *channels), labels={}) for p in paths]
    return _pictures(samples, config, count, draw)


def _kind(
    guard: Guard, parts: dict[str, NDArray[np.uint8]], config: Config, root: Path, draw: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures of the kind that a guard stops: ``(to learn from, kept aside)``."""
    if guard.name == "inverted":
        return tuple(_inverted(parts[p]) for p in ("train", "val"))  # type: ignore[return-value]
    if guard.name == "turned":
        turned = [np.concatenate([np.rot90(parts[p], k, axes=(2, 3)) for k in (1, 2, 3)]) for p in ("train", "val")]
        return turned[0][draw.permutation(len(turned[0]))[:LEARNT]], turned[1]
    paths = data.guard_pictures(root, guard.name, domain=config.domain)
    learnt, aside = ([p for p, part in paths if part == name] for name in ("train", "val"))
    return _plain(learnt, config, LEARNT, draw), _plain(aside, config, SHOWN, draw)


def _inverted(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(np.where(pictures.any(axis=(2, 3), keepdims=True), 255 - pictures, 0), dtype=np.uint8)


def fit(network: EvidenceNet | Ensemble, parts: dict[str, list[data.Sample]], config: Config, root: Path) -> Fitted:
    """Fit the distance and the guards on training pictures; limits and figures come from validation pictures."""
    draw = np.random.default_rng(config.train.seed)
    session = _session(network.eval(), config)
    plain = {n: [s for s in parts[n] if s.subgroup.get("hardware") != "1"] for n in ("train", "val")}
    clean = {name: _pictures(samples, config, LEARNT, draw) for name, samples in plain.items()}
    seen = {name: _embed(network, session, pictures, config) for name, pictures in clean.items()}
    mean = seen["train"].mean(axis=0)
    covariance = LedoitWolf().fit(seen["train"]).covariance_
    values, vectors = np.linalg.eigh(covariance)
    whiten = (vectors / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T / np.sqrt(len(mean))
    whiten = whiten.astype(np.float16).astype(np.float64)
    white = {name: (embedded - mean) @ whiten for name, embedded in seen.items()}
    limit = float(np.percentile((white["val"] ** 2).sum(axis=1), NOVEL))
    rows, biases, figures = [], [], []
    for guard in config.guards:
        learnt, aside = _kind(guard, clean, config, root, draw)
        wrong = [(_embed(network, session, pictures, config) - mean) @ whiten for pictures in (learnt, aside)]
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000).fit(
            np.concatenate([white["train"], wrong[0]]), np.r_[np.zeros(len(white["train"])), np.ones(len(wrong[0]))]
        )
        weight = model.coef_[0].astype(np.float16).astype(np.float64)
        rows.append(weight)
        biases.append(float(model.intercept_[0]))
        right, stopped = (1 / (1 + np.exp(-(w @ weight + biases[-1]))) for w in (white["val"], wrong[1]))
        threshold = float(np.clip(np.percentile(right, FALSE_ALARM), 0.5, 0.999))
        figures.append(
            GuardFigures(
                name=guard.name,
                threshold=threshold,
                caught=float((stopped >= threshold).mean()),
                caught_of=len(stopped),
                false_alarms=float((right >= threshold).mean()),
                false_alarms_of=len(right),
            )
        )
    weights = np.stack(rows) if rows else np.zeros((0, len(mean)))
    return Fitted(
        network=Shipped(network, mean, whiten, weights, np.array(biases)),
        novelty_limit=limit,
        guards=tuple(figures),
    )
