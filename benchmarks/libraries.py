"""Grad-CAM of the libraries against ours, on one and the same PyTorch network."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import GradCAM as TorchCam

from benchmarks import packages
from benchmarks.graph import ALL, session
from benchmarks.tables import Table, against
from benchmarks.timing import interleaved
from radiolucent.importing import graph
from training.model import EvidenceNet, Features

THREADS = 2


class Classifier(nn.Module):
    """The same layers as a library wants them: image in, logits out, nothing explained."""

    def __init__(self, network: EvidenceNet) -> None:
        super().__init__()
        self.features, self.head = Features(network), network.head

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, K]``."""
        return self.head(self.features(x).mean((2, 3)))


class Ways:
    """Every way to the maps of one image; each gives raw maps where the library can."""

    def __init__(self, network: EvidenceNet, image: Tensor) -> None:
        self.network, self.image = network, image
        self.findings = network.head.out_features

    def forward(self) -> Tensor:
        """Logits, no explanation."""
        with torch.inference_mode():
            return Classifier(self.network)(self.image)

    def ours(self) -> Tensor:
        """Logits and the maps of all findings."""
        with torch.inference_mode():
            return self.network(self.image)[1][0]

    def grad_cam(self, wanted: range) -> list[np.ndarray]:
        """pytorch-grad-cam: a forward and a whole backward pass for each finding; maps scaled to [0, 1] by it."""
        classifier = Classifier(self.network)
        with GradCAM(model=classifier, target_layers=[classifier.features]) as cam:
            return [cam(input_tensor=self.image, targets=[ClassifierOutputTarget(k)])[0] for k in wanted]

    def torch_cam(self, wanted: range) -> list[Tensor]:
        """torchcam: one forward pass; the gradient stops at the target layer."""
        classifier = Classifier(self.network)
        with TorchCam(classifier, target_layer="features") as extractor:
            scores = classifier(self.image)
            last = wanted[-1]
            return [extractor(k, scores, normalized=False, retain_graph=k != last)[0][0] for k in wanted]

    def layer_grad_cam(self, wanted: range) -> list[Tensor]:
        """captum: a forward pass and a gradient to the target layer for each finding."""
        classifier = Classifier(self.network)
        method = LayerGradCam(classifier, classifier.features)
        return [method.attribute(self.image, target=k)[0, 0].detach() for k in wanted]


def agreement(ways: Ways) -> float:
    """Largest difference of a raw map from ours, as a share of our map's maximum: all compute the same thing."""
    ours = ways.ours().clamp(min=0)
    every = range(ways.findings)
    worst = 0.0
    for maps in (ways.torch_cam(every), ways.layer_grad_cam(every)):
        for mine, theirs in zip(ours, maps, strict=True):
            worst = max(worst, float((theirs.clamp(min=0) - mine).abs().max() / mine.max()))
    return worst


def run(runs: int) -> list[Table]:
    """Ratios over the plain forward pass, in PyTorch and in ONNX Runtime."""
    torch.set_num_threads(THREADS)
    config = packages.chest_config()
    network = packages.untrained_network(config)
    image = torch.randn(1, 1, config.input.size, config.input.size, generator=torch.Generator().manual_seed(0))
    ways = Ways(network, image)
    one, every = range(1), range(ways.findings)
    count = ways.findings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases: dict[str, Callable[[], object]] = {
            "forward only": ways.forward,
            f"ours, all {count} findings": ways.ours,
            "torchcam GradCAM, 1 finding": partial(ways.torch_cam, one),
            f"torchcam GradCAM, all {count}": partial(ways.torch_cam, every),
            "captum LayerGradCam, 1 finding": partial(ways.layer_grad_cam, one),
            f"captum LayerGradCam, all {count}": partial(ways.layer_grad_cam, every),
            "pytorch-grad-cam GradCAM, 1 finding": partial(ways.grad_cam, one),
            f"pytorch-grad-cam GradCAM, all {count}": partial(ways.grad_cam, every),
        }
        same = agreement(ways)
        times = interleaved(cases, runs=runs)
    in_torch = Table(
        title=f"PyTorch, one network, one image of {config.input.size} px, {THREADS} threads",
        columns=("way", "ms (p95)", "ratio over forward only (95 % interval)"),
        rows=against(times, "forward only"),
        notes=[
            f"Raw maps of torchcam and captum differ from ours by at most {same:.1e} of a map's maximum. "
            "pytorch-grad-cam scales each map to [0, 1] by itself; `tests/training/test_parity.py` compares it raw.",
            "Hooks are set and taken away in every call, as a service would that keeps no state between images.",
        ],
    )
    return [in_torch, _onnx(network, config.input.size, runs)]


def _onnx(network: EvidenceNet, size: int, runs: int) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        whole_path, plain_path = Path(folder) / "whole.onnx", Path(folder) / "plain.onnx"
        plain_outputs = graph.Reordered(network, packages.PACKAGE_ORDER)
        graph.write_onnx(plain_outputs, whole_path, channels=1, size=size, outputs=ALL)
        graph.plain_onnx(whole_path, plain_path)
        whole, plain = session(whole_path, threads=THREADS), session(plain_path, threads=THREADS)
        image = {"image": np.random.default_rng(0).normal(0, 1, (1, 1, size, size)).astype(np.float32)}
        cases = {
            "logits only": partial(plain.run, ["logits"], image),
            f"ours, all {network.head.out_features} findings": partial(whole.run, ALL, image),
        }
        times = interleaved(cases, runs=runs, settle=True)
    return Table(
        title="The same network in ONNX Runtime, as shipped",
        columns=("way", "ms (p95)", "ratio over logits only (95 % interval)"),
        rows=against(times, "logits only"),
    )
