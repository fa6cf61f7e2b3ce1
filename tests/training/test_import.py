"""Networks of other libraries become engines: same logits, exact evidence, and a clear word where that cannot be."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import EngineError, RadiolucentError, SettingsError
from radiolucent.importing import build, findings_file, graph, needs, sources
from radiolucent.importing.fuse import fuse
from radiolucent.importing.plan import Plan
from training import config as configuration

pytestmark = [pytest.mark.training, pytest.mark.timeout(1800)]
RUN = CliRunner()
TOLERANCE = 1e-4
XRAY = "torchxrayvision:densenet121-res224-all"
FINDINGS = """
format = "radiolucent.import/1"
id = "wrist-{name}"
title = "Wrist"
license = "CC-BY-4.0"
zones = "image"
activation = "sigmoid"
[population]
modalities = ["CR", "DX"]
body_parts = ["WRIST"]
intended_use = "Tests."
[input]
size = 64
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[findings]]
key = "fracture"
display = "Fracture"
code = ["SCT", "125605004", "Fracture of bone"]
rank = 1
critical = true
kind = "localisable"
threshold = 0.3
[[findings]]
skip = true
[[findings]]
key = "effusion"
display = "Joint effusion"
code = ["99RADIOLUCENT", "joint_effusion", "Joint effusion"]
rank = 2
critical = false
kind = "diffuse"
"""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    torch.set_num_threads(2)


def settled(network: nn.Module, images: Tensor) -> nn.Module:
    """Batch statistics of the images and a head whose logits vary, as after training."""
    generator = torch.Generator().manual_seed(3)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
        if isinstance(part, nn.Linear):
            with torch.no_grad():
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator) * 0.2)
                part.bias.copy_(torch.randn(part.bias.shape, generator=generator))
    network.train()
    with torch.no_grad():
        network(images)
    return network.eval()


def pictures(count: int, size: int) -> Tensor:
    """``[N, 1, S, S]`` in [0, 1]: other ones than those that the import itself compares."""
    generator = torch.Generator().manual_seed(23)
    coarse = torch.rand(count, 1, 9, 9, generator=generator)
    smooth = F.interpolate(coarse, size=(size, size), mode="bilinear")
    return (smooth + 0.1 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)


Maps = Callable[[Tensor], Tensor]


def grad_cam(network: nn.Module, maps: Maps, head: nn.Module, images: Tensor, k: int) -> NDArray[np.float32]:
    """Grad-CAM of output k by autograd, before its ReLU: channels weighed by their mean gradient.

    ``maps`` gives the last feature map, behind its ReLU: the layer that Grad-CAM looks at.
    """
    with torch.no_grad():
        own, features = network(images), maps(images)
    features = features.clone().requires_grad_()
    logits = head(F.adaptive_avg_pool2d(features, 1).flatten(1))
    assert torch.allclose(logits, own, atol=1e-5), "the layers spelled out here are not the library's own"
    logits[:, k].sum().backward()
    assert features.grad is not None
    return (features.grad.mean((2, 3), keepdim=True) * features).sum(1).detach().numpy()


@dataclass(frozen=True)
class Case:
    """An imported package, the library's own network (logits ``[N, classes]``), and images in [0, 1]."""

    folder: Path
    engine: Engine
    logits: NDArray[np.float32]
    cam: NDArray[np.float32]
    images: Tensor
    kept: tuple[int, ...]

    def run(self, count: int = 3) -> tuple[NDArray[np.float32], ...]:
        spec = self.engine.spec.input
        fed = ((self.images[:count] - spec.mean) / spec.std).numpy()
        return tuple(self.engine.session.run(["logits", "evidence", "embedding"], {"image": fed}))


def finding_plan(tmp: Path, name: str) -> Plan:
    path = tmp / f"{name}.toml"
    path.write_text(FINDINGS.format(name=name))
    return findings_file.read(path)


def rgb(images: Tensor) -> Tensor:
    """What a library's own user would feed: three channels, each with its own normalisation."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images.repeat(1, 3, 1, 1) - mean[:, None, None]) / std[:, None, None]


def imported(network: nn.Module, maps: Maps, head: nn.Module, source: str, tmp: Path) -> Case:
    """Through the command line, from a state dict and a findings file."""
    name = source.partition(":")[2]
    plan = finding_plan(tmp, name)
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp / "w.pt")
    told = ["engines", "import", source, "--out", str(tmp / "out"), "--checkpoint", str(tmp / "w.pt")]
    done = RUN.invoke(app, [*told, "--findings", str(tmp / f"{name}.toml")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "every finding is untested" in done.output
    images = pictures(3, plan.input.size)
    with torch.no_grad():
        logits = network(rgb(images)).numpy()
    folder = tmp / "out" / plan.id
    return Case(
        folder=folder,
        engine=load(PackageFiles(folder), threads=2),
        logits=logits,
        cam=grad_cam(network, maps, head, rgb(images), plan.kept[1]),
        images=images,
        kept=plan.kept,
    )


def xray(tmp: Path) -> Case:
    models = pytest.importorskip("torchxrayvision.models")
    entry = models.model_urls["densenet121-res224-all"]
    plan = sources.xray_plan("densenet121-res224-all", entry)
    network = settled(models.DenseNet(weights=None), build.probes(plan.input)[:4])
    network.op_threshs = torch.tensor(entry["op_threshs"])  # as the library's loader leaves it
    torch.save(network.state_dict(), tmp / "w.pt")
    told = ["engines", "import", XRAY, "--out", str(tmp / "out"), "--checkpoint", str(tmp / "w.pt")]
    done = RUN.invoke(app, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    images = pictures(3, 224)
    fed = (2 * images - 1) * 1024  # torchxrayvision.utils.normalize
    with torch.no_grad():
        logits = network.classifier(network.features2(fed)).numpy()
        bent = network(fed)
    assert torch.allclose(bent, models.op_norm(torch.sigmoid(torch.from_numpy(logits)), network.op_threshs))
    network.op_threshs = None
    folder = tmp / "out" / plan.id
    return Case(
        folder=folder,
        engine=load(PackageFiles(folder), threads=2),
        logits=logits,
        cam=grad_cam(network, lambda x: F.relu(network.features(x)), network.classifier, fed, 1),
        images=images,
        kept=plan.kept,
    )


@pytest.fixture(scope="module", params=["torchxrayvision", "timm", "torchvision"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    tmp = tmp_path_factory.mktemp(request.param)
    if request.param == "torchxrayvision":
        return xray(tmp)
    images = rgb(pictures(6, 64))
    if request.param == "timm":
        network = settled(timm.create_model("resnet18", num_classes=3, pretrained=False), images)
        return imported(network, network.forward_features, network.fc, "timm:resnet18", tmp)
    network = settled(torchvision.models.densenet121(weights=None, num_classes=3), images)
    return imported(network, lambda x: F.relu(network.features(x)), network.classifier, "torchvision:densenet121", tmp)


def test_logits_are_the_librarys_own(case: Case) -> None:
    logits, _, _ = case.run()
    own = case.logits[:, list(case.kept)]
    assert own.std(axis=0).min() > 0.01, "logits must vary with the image, or parity proves little"
    assert logits.shape == own.shape
    assert np.abs(logits - own).max() < TOLERANCE
    assert np.abs(case.run(1)[0] - own[:1]).max() < TOLERANCE, "one image alone gives what it gives among others"


def test_evidence_is_grad_cam_by_autograd(case: Case) -> None:
    _, evidence, _ = case.run()
    assert evidence[:, 1].shape == case.cam.shape
    assert np.abs(evidence[:, 1] - case.cam).max() < TOLERANCE * max(1.0, float(np.abs(case.cam).max()))
    assert np.abs(evidence[:, 1] - case.cam).max() < 1e-3 * float(np.abs(case.cam).max())


def test_evidence_adds_up(case: Case) -> None:
    logits, evidence, embedding = case.run()
    bias = np.array([f.bias for f in case.engine.spec.findings])
    size = max(1.0, float(np.abs(evidence).sum((2, 3)).max()))
    assert np.abs(evidence.astype(np.float64).sum((2, 3)) + bias - logits).max() < TOLERANCE * size
    assert case.engine.completeness_error < 1e-2, "random weights make large features; the loader has its own limit"
    assert embedding.ndim == 2


def test_nothing_is_claimed_and_the_source_is_named(case: Case) -> None:
    spec = case.engine.spec
    assert {f.evidence_level for f in spec.findings} == {"untested"}
    assert {f.map_status for f in spec.findings} == {"unmeasured"}
    assert {f.calibration for f in spec.findings} == {(1.0, 0.0)}
    assert all(f.test_positives == 0 and f.auc is None and f.map_scale >= 1e-6 for f in spec.findings)
    digest = hashlib.sha256((case.folder.parents[1] / "w.pt").read_bytes()).hexdigest()
    assert digest in spec.training_summary
    manifest = tomllib.loads((case.folder / "engine.toml").read_text())
    assert manifest["training"]["library_version"] in spec.training_summary
    assert "No figure was measured here" in case.engine.card
    assert "radiolucent engines evaluate" in case.engine.card
    assert "provisional" in case.engine.card


def test_thresholds_are_the_sources(case: Case) -> None:
    by_key = {f.key: f.threshold for f in case.engine.spec.findings}
    if case.engine.spec.id.startswith("xrv"):
        assert len(by_key) == 18
        assert by_key["pneumothorax"] == pytest.approx(0.0098118475)
    else:
        assert by_key == {"fracture": 0.3, "effusion": 0.5}


def test_the_same_package_is_not_written_over(case: Case) -> None:
    if not case.engine.spec.id.startswith("wrist-resnet18"):
        pytest.skip("one is enough")
    tmp = case.folder.parents[1]
    with pytest.raises(SettingsError) as told:
        build.import_engine(
            "timm:resnet18", out=tmp / "out", checkpoint=tmp / "w.pt", findings=tmp / "resnet18.toml"
        )  # fmt: skip
    assert told.value.code == "output_folder"
    assert [p.name for p in (tmp / "out").iterdir()] == ["wrist-resnet18"], "nothing half written stays"


# Networks whose evidence cannot be stated


class _Head(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv, self.inner, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.relu(self.conv(x))
        if self.kind == "maximum pooling":
            return self.fc(F.adaptive_max_pool2d(a, 1).flatten(1))
        if self.kind == "several linear layers":
            return self.fc(self.inner(a.mean((2, 3))))
        if self.kind == "`relu`":
            return self.fc(torch.relu(self.inner(a.mean((2, 3)))))
        if self.kind == "less than the whole":
            return self.fc(F.avg_pool2d(a[:, :1], 15).flatten(1))
        if self.kind == "sigmoid":
            return torch.sigmoid(self.fc(a.mean((2, 3))))
        return self.fc(a.mean((2, 3)))


@pytest.mark.parametrize(
    "kind", ["maximum pooling", "several linear layers", "`relu`", "less than the whole", "sigmoid"]
)
def test_other_heads_are_refused_by_name(kind: str) -> None:
    with pytest.raises(EngineError) as told:
        fuse(_Head(kind).eval(), torch.zeros(2, 1, 32, 32), keep=(0, 1))
    assert told.value.code == "import_head"
    assert kind in told.value.found
    assert "one linear layer" in told.value.expected
    assert "global average" in told.value.action


def test_a_mean_over_the_map_is_taken(tmp_path: Path) -> None:
    network = _Head("plain").eval()
    fused = fuse(network, torch.zeros(2, 1, 32, 32), keep=(1,))
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        logits, evidence, embedding = fused.network(images)
        own = network(images)[:, 1:]
    assert (evidence.shape, embedding.shape, fused.grid) == ((3, 1, 30, 30), (3, 4), (30, 30))
    assert torch.allclose(logits, own, atol=1e-6)
    assert torch.allclose(evidence.sum((2, 3)) + torch.tensor(fused.bias), own, atol=1e-5)


def test_a_vision_transformer_is_refused(tmp_path: Path) -> None:
    network = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1, num_classes=3).eval()
    plan = finding_plan(tmp_path, "vit")
    loaded = sources.Loaded(
        network=network,
        plan=plan,
        source="timm:vit_tiny_patch16_224",
        library="timm",
        library_version=timm.__version__,
        checkpoint="none",
        checkpoint_sha256="0" * 64,
    )
    with pytest.raises(EngineError, match="token") as told:
        build.write(loaded, tmp_path / "out")
    assert told.value.code == "import_head"
    assert list((tmp_path / "out").iterdir()) == [], "nothing half written stays"


# Folding


def test_norm_before_convolution_is_not_folded() -> None:
    class Before(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.norm(x))

    images = torch.rand(4, 3, 16, 16)
    network = settled(Before(), images)
    with torch.no_grad():
        own = network(images)
        graph.fold_batch_norms(network, images)
        assert isinstance(network.norm, nn.BatchNorm2d)
        assert torch.equal(network(images), own)


def test_a_densenet_folds_where_it_can_and_stays_itself() -> None:
    models = pytest.importorskip("torchxrayvision.models")
    images = torch.randn(4, 1, 64, 64)
    network = settled(models.DenseNet(weights=None, block_config=(2, 2, 2, 2), growth_rate=8), images)
    with torch.no_grad():
        own = network(images)
        norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
        graph.fold_batch_norms(network, images)
        left = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
        assert torch.allclose(network(images), own, atol=1e-4)
    assert 0 < left < norms, "norms behind a convolution are folded, norms before one are kept"


# What users meet


@pytest.mark.parametrize("name", ["densenet121-res224-all", "resnet50-res512-all"])
def test_without_a_connection_the_way_out_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchxrayvision.models")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens: off the network wherever this runs
    with pytest.raises(EngineError) as told:
        sources.load(f"torchxrayvision:{name}", checkpoint=None, findings=None)
    assert told.value.code == "engine_download"
    assert "library's own loader" in told.value.expected
    assert "--checkpoint" in told.value.action


def test_a_pickled_model_is_not_run(tmp_path: Path) -> None:
    pytest.importorskip("torchxrayvision.models")
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(EngineError) as told:
        sources.load(XRAY, checkpoint=tmp_path / "whole.pt", findings=None)
    assert told.value.code == "import_checkpoint"
    assert "pickled model" in told.value.found
    assert "state_dict" in told.value.action


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(FINDINGS.format(name="x"))
    torch.save(timm.create_model("resnet18", num_classes=5).state_dict(), tmp_path / "w.pt")
    with pytest.raises(EngineError, match=r"2 of another shape \(fc.bias, fc.weight\)"):
        sources.load("timm:resnet18", checkpoint=tmp_path / "w.pt", findings=tmp_path / "f.toml")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("timm:resnet18", "import_options"),
        ("timm", "import_source"),
        ("keras:resnet", "import_source"),
        ("torchxrayvision:densenet121", "import_source"),
    ],
)
def test_sources_and_options_are_checked(source: str, code: str) -> None:
    with pytest.raises(SettingsError) as told:
        sources.load(source, checkpoint=None, findings=None)
    assert told.value.code == code


def test_a_usage_error_is_2_and_one_clear_line(tmp_path: Path) -> None:
    told = ["engines", "import", "keras:resnet", "--out", str(tmp_path / "o")]
    command = [sys.executable, "-m", "radiolucent.cli.main", *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("import_source: Found ")
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda _name: None)
    done = RUN.invoke(app, ["engines", "import", XRAY, "--out", "x"])
    assert isinstance(done.exception, SettingsError)
    assert done.exception.code == "import_extra"
    assert "radiolucent[import]" in done.exception.action


def test_monai_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "monai" else object())
    with pytest.raises(SettingsError, match="pip install monai"):
        sources.load("monai:DenseNet121", checkpoint=None, findings=None)


@pytest.mark.parametrize(
    ("was", "becomes", "word"),
    [
        ('activation = "sigmoid"', 'activation = "softmax"', "activation"),
        ("std = [0.229, 0.224, 0.225]", "std = [0.229, 0.224]", "std"),
        ("std = [0.229, 0.224, 0.225]", "std = 0", "std"),
        ('id = "wrist-x"', 'id = "../wrist"', "id"),
        ('key = "effusion"', 'key = "fracture"', "each key once"),
        ('code = ["SCT", "125605004", "Fracture of bone"]', 'code = ["SCT"]', "code"),
        ('body_parts = ["WRIST"]', "body_parts = []", "body_parts"),
        ("threshold = 0.3", "threshold = 3", "threshold"),
        ("rank = 1", "", "rank"),
    ],
)
def test_a_findings_file_is_checked(was: str, becomes: str, word: str, tmp_path: Path) -> None:
    text = FINDINGS.format(name="x")
    assert was in text
    (tmp_path / "f.toml").write_text(text.replace(was, becomes))
    with pytest.raises(RadiolucentError) as told:
        findings_file.read(tmp_path / "f.toml")
    assert told.value.code == "import_findings"
    assert word in str(told.value)


def test_the_documented_findings_file_is_sound(tmp_path: Path) -> None:
    page = Path(configuration.__file__).parents[1] / "docs" / "import.md"
    example = page.read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "f.toml").write_text(example)
    plan = findings_file.read(tmp_path / "f.toml")
    assert plan.kept == (1, 2)
    assert len(plan.classes) == 3


def test_xray_classes_without_a_name_or_an_operating_point_are_left_out() -> None:
    models = pytest.importorskip("torchxrayvision.models")
    chex = sources.xray_plan("densenet121-res224-chex", models.model_urls["densenet121-res224-chex"])
    assert [f.key for f in chex.findings][:3] == ["atelectasis", "consolidation", "pneumothorax"]
    assert len(chex.findings) == 11
    whole = sources.xray_plan("resnet50-res512-all", models.model_urls["resnet50-res512-all"])
    assert whole.input.size == 512
    assert "lung_lesion" not in {f.key for f in whole.findings}
    assert any("Lung Lesion" in line for line in whole.limits)


def test_xray_findings_are_ours_where_they_mean_the_same(configs: Path) -> None:
    models = pytest.importorskip("torchxrayvision.models")
    ours = {f.key: f for f in configuration.load(configs / "chest-film.toml").findings}
    theirs = sources.xray_plan("densenet121-res224-all", models.model_urls["densenet121-res224-all"]).findings
    shared = [f for f in theirs if f.key in ours]
    assert {f.key for f in theirs} - set(ours) <= {"lung_lesion", "enlarged_cardiomediastinum", "fracture"}
    assert len(shared) >= 15
    for finding in shared:
        spec = ours[finding.key]
        code = (finding.code.scheme, finding.code.value, finding.code.meaning)
        assert (code, finding.display, finding.critical) == (tuple(spec.code), spec.display, spec.critical)
        assert (finding.kind, list(finding.expected_regions)) == (spec.kind, list(spec.expected_regions))


def test_the_inner_network_of_a_resnet_takes_its_published_state(tmp_path: Path) -> None:
    """Its file is a state dict of the inner network, or of the whole one with ``model.`` before each key."""
    models = pytest.importorskip("torchxrayvision.models")
    inner = sources._bare(models, "resnet50-res512-all")
    for name, prefix in (("inner.pt", ""), ("whole.pt", "model.")):
        extra = {"op_threshs": torch.zeros(18)} if prefix else {}
        torch.save({**{prefix + k: v for k, v in inner.state_dict().items()}, **extra}, tmp_path / name)
        loaded = sources.load("torchxrayvision:resnet50-res512-all", checkpoint=tmp_path / name, findings=None)
        with torch.no_grad():
            images = torch.randn(1, 1, 64, 64)
            assert torch.allclose(loaded.network(images), inner.eval()(images))


def test_flags_of_the_manifest_follow_the_plan(tmp_path: Path) -> None:
    plan = finding_plan(tmp_path, "x")
    one = replace(plan.input, means=(0.5,), stds=(0.25,))
    network = nn.Sequential(nn.Conv2d(1, 2, 3))
    assert build.as_grey(network, one) is network
    three = build.as_grey(nn.Identity(), plan.input)
    images = pictures(2, 8)
    assert torch.allclose(three((images - plan.input.mean) / plan.input.std), rgb(images), atol=1e-6)
    shutil.rmtree(tmp_path)
