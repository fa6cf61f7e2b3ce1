"""The shipped graph is the trained network, and its evidence is Grad-CAM as pytorch-grad-cam computes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import tiny_engine
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from radiolucent.engines.checks import open_session
from radiolucent.importing import graph
from training import config as configuration
from training import model
from training.config import Config
from training.model import EvidenceNet, Features
from training.packaged import packaged

pytestmark = pytest.mark.training
TOLERANCE = 1e-4
NAMES = ["logits", "evidence", "anatomy", "embedding"]


@dataclass(frozen=True)
class Case:
    """A finished network, its graph, and a batch of images with the network's answer."""

    config: Config
    network: EvidenceNet
    path: Path
    session: ort.InferenceSession
    images: Tensor
    answer: dict[str, NDArray[np.float32]]


def pictures(count: int, channels: int, size: int) -> Tensor:
    """Smooth waves, a bright disc at a different place in each, and noise; normalised as a network wants it."""
    generator = torch.Generator().manual_seed(11)
    row, column = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    made = []
    for i in range(count):
        wave = 0.4 + 0.25 * torch.sin((5 + i) * row) * torch.cos((9 - i) * column + i)
        disc = ((row - 0.2 - 0.12 * i) ** 2 + (column - 0.7 + 0.1 * i) ** 2 < 0.02).float() * 0.4
        planes = [wave + disc * (1 - 0.5 * c) for c in range(channels)]
        made.append(torch.stack(planes) + 0.05 * torch.randn(channels, size, size, generator=generator))
    return (torch.stack(made).clamp(0, 1) - 0.45) / 0.225


def random_head(network: EvidenceNet, images: Tensor) -> None:
    """A head whose logits vary and whose maps have both signs as a trained one's do; norms that have seen something."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as after a training: no two are alike
                module.running_mean.copy_(0.005 * torch.randn(module.running_mean.shape, generator=generator))
        usual = Features(network.eval())(images).mean((0, 2, 3))
        usual /= usual.norm()
        weight = torch.randn(network.head.weight.shape, generator=generator)
        network.head.weight.copy_(weight - torch.outer(weight @ usual, usual))
        network.head.bias.copy_(torch.randn(network.head.bias.shape, generator=generator))


@pytest.fixture(scope="module", params=["chest-film", "head-ct-hemorrhage", "bone-fracture"])
def case(request: pytest.FixtureRequest, configs: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    config = configuration.load(configs / f"{request.param}.toml")
    channels, size = len(config.input.channels), config.input.size
    torch.manual_seed(8)
    network = model.build(config, pretrained=True)
    images = pictures(5, channels, size)
    random_head(network, images)
    network = graph.finish(network)
    path = tmp_path_factory.mktemp(config.id) / "model.onnx"
    graph.write_onnx(network, path, channels=channels, size=size, outputs=NAMES)
    with torch.inference_mode():
        answer = dict(zip(NAMES, (t.numpy() for t in network(images)), strict=True))
    session = open_session(path.read_bytes(), threads=2)
    return Case(config=config, network=network, path=path, session=session, images=images, answer=answer)


def test_a_package_is_a_network_again(case: Case, tmp_path: Path) -> None:
    if len(case.config.findings) == 1:
        pytest.skip("what is tested needs a finding that the package does not know, and one that it does")
    keys = [f.key for f in case.config.findings][::-1]
    (tmp_path / "model.onnx").write_bytes(case.path.read_bytes())
    findings = "".join(f'[[findings]]\nkey = "{key}"\n' for key in keys[:-1])
    (tmp_path / "engine.toml").write_text(findings, encoding="utf-8")
    again = packaged(case.config, tmp_path)[0].eval()
    with torch.inference_mode():
        logits = again(case.images)[0].numpy()
    places = [keys.index(f.key) for f in case.config.findings]
    np.testing.assert_allclose(logits[:, 1:], case.answer["logits"][:, places][:, 1:], atol=1e-4)
    assert (logits[:, 0] == 0).all(), "a finding that the package does not know says nothing"
    with pytest.raises(ValueError, match="not of this architecture"):
        packaged(case.config, tiny_engine.write(tmp_path / "other"))


def test_the_configurations_are_what_is_said(case: Case) -> None:
    findings, channels = len(case.config.findings), len(case.config.input.channels)
    known = {"chest-film": (16, 1), "head-ct-hemorrhage": (findings, 2), "bone-fracture": (1, 1)}
    assert known[case.config.id] == (findings, channels)
    cells = case.config.input.size // 8
    assert case.answer["evidence"].shape[2:] == (cells, cells)
    assert case.answer["anatomy"].shape[2:] == (2 * cells, 2 * cells)
    spread = case.answer["logits"].std(axis=0)
    assert (spread > 0.02).all(), "logits must vary with the image, or parity proves little"
    assert case.answer["evidence"].std() > 1e-4


def test_the_read_out_looks_where_its_shares_are(case: Case) -> None:
    if case.network.gather is None:
        pytest.skip("this engine reads out everywhere alike")
    with torch.inference_mode():
        _, evidence, _, embedding, shares = case.network.read(case.images)
        half = embedding.shape[1] // 2
        by_hand = case.network.head(embedding[:, :half])
    assert shares is not None
    np.testing.assert_allclose(shares.exp().sum(1).numpy(), 1.0, atol=1e-5)
    np.testing.assert_allclose(by_hand.numpy(), case.answer["logits"], atol=1e-4)
    assert (embedding[:, :half] - embedding[:, half:]).abs().max() > 1e-3, "the plain mean stands beside it"
    assert torch.equal(case.network.plain(embedding), embedding[:, half:])
    pair = model.Ensemble([case.network, case.network])
    both = torch.cat([embedding, embedding], dim=1)
    assert torch.equal(pair.plain(both), torch.cat([embedding[:, half:]] * 2, dim=1))
    assert evidence.shape[2] * evidence.shape[3] == shares.shape[1]


def test_onnx_gives_what_torch_gives(case: Case) -> None:
    got = case.session.run(NAMES, {"image": case.images.numpy()})
    for name, value in zip(NAMES, got, strict=True):
        assert value.shape == case.answer[name].shape
        assert np.abs(value - case.answer[name]).max() < TOLERANCE, name


def test_evidence_in_the_graph_to_its_own_scale(case: Case) -> None:
    (got,) = case.session.run(["evidence"], {"image": case.images.numpy()})
    expected = case.answer["evidence"]
    assert np.abs(got - expected).max() < TOLERANCE * np.abs(expected).max()


def test_evidence_and_bias_add_up_to_the_logit(case: Case) -> None:
    logits, evidence = case.session.run(["logits", "evidence"], {"image": case.images.numpy()})
    bias = case.network.head.bias.detach().double().numpy()
    assert np.abs(evidence.astype(np.float64).sum((2, 3)) + bias - logits).max() < TOLERANCE


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_any_batch_size(case: Case, count: int) -> None:
    got = case.session.run(NAMES, {"image": case.images[:count].numpy()})
    for name, value in zip(NAMES, got, strict=True):
        assert value.shape[0] == count
        assert np.abs(value - case.answer[name][:count]).max() < TOLERANCE, name


def test_half_precision_storage_is_exact(case: Case) -> None:
    weights = {name: value.numpy() for name, value in case.network.state_dict().items()}
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(case.path).graph.initializer}
    halves = {name.removesuffix(".half"): v for name, v in stored.items() if name.endswith(".half")}
    large = {name for name, value in weights.items() if value.size >= graph.HALF_FROM and value.ndim == 4}
    assert large <= set(halves), "a large convolution weight is stored in full"
    for name in large:
        assert halves[name].dtype == np.float16
        assert np.array_equal(halves[name].astype(np.float32), weights[name]), name


def test_the_file_is_small(case: Case) -> None:
    assert case.path.stat().st_size < 8_000_000


def test_the_same_network_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    if case.config.id != "head-ct-hemorrhage":
        pytest.skip("one export more is slow and tells nothing new")
    again = tmp_path / "again.onnx"
    channels, size = len(case.config.input.channels), case.config.input.size
    graph.write_onnx(case.network, again, channels=channels, size=size, outputs=NAMES)
    assert again.read_bytes() == case.path.read_bytes()


def test_logits_alone_are_the_same_logits(case: Case, tmp_path: Path) -> None:
    graph.plain_onnx(case.path, tmp_path / "plain.onnx")
    plain = open_session((tmp_path / "plain.onnx").read_bytes(), threads=2)
    assert [o.name for o in plain.get_outputs()] == ["logits"]
    (logits,) = plain.run(["logits"], {"image": case.images.numpy()})
    (full,) = case.session.run(["logits"], {"image": case.images.numpy()})
    assert np.abs(logits - full).max() < 1e-5


class _Classifier(nn.Module):
    """The network as a library expects it: an image in, logits out."""

    def __init__(self, network: EvidenceNet) -> None:
        super().__init__()
        self.features, self.head = Features(network), network.head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_evidence_is_the_grad_cam_of_pytorch_grad_cam(case: Case) -> None:
    """Every finding, raw: before the library's scaling of each map to [0, 1].

    The library weighs channels by the mean gradient over the map, which for a pooled linear read-out is W / (h w):
    the very factor in our evidence, so the maps are equal without any rescaling.
    """
    library = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    classifier = _Classifier(case.network)
    layer = classifier.features
    for parameter in layer.backbone.parameters():  # below the target layer: only the time changes
        parameter.requires_grad_(False)
    images = case.images[2:3]
    (evidence,) = case.session.run(["evidence"], {"image": images.numpy()})
    with library.GradCAM(model=classifier, target_layers=[layer]) as cam:
        for k in range(len(case.config.findings)):
            wanted = [targets.ClassifierOutputTarget(k)] * len(images)
            cam(input_tensor=images, targets=wanted)
            activations = cam.activations_and_grads.activations[0].numpy()
            gradients = cam.activations_and_grads.gradients[0].numpy()
            raw = cam.get_cam_image(images, layer, wanted, activations, gradients)
            for theirs, ours in zip(np.maximum(raw, 0), np.maximum(evidence[:, k], 0), strict=True):
                assert theirs.max() > 0, "a map without anything positive would compare nothing"
                assert np.abs(theirs - ours).max() < TOLERANCE * theirs.max(), case.config.findings[k].key
