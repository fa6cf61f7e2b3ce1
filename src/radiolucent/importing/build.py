"""From a network of another library to a checked engine package."""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from radiolucent.engines import checks
from radiolucent.engines.package import CARD, MANIFEST, PackageFiles
from radiolucent.errors import EngineError, SettingsError
from radiolucent.importing import graph, manifest, sources
from radiolucent.importing.fuse import Fused, Grey, fuse
from radiolucent.importing.plan import PlannedInput
from radiolucent.importing.sources import Loaded

OUTPUTS = ("logits", "evidence", "embedding")
TOLERANCE = 1e-4
SMALLEST_SCALE = 1e-6
PROBES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was written: the package's folder, the checked engine, and the largest differences in logits."""

    folder: Path
    engine: checks.Engine
    logit_error: float


def import_engine(source: str, *, out: Path, checkpoint: Path | None, findings: Path | None) -> Imported:
    """Write ``out/<id>/`` (``engine.toml``, ``model.onnx``, ``CARD.md``) from ``LIBRARY:NAME``; whole or not at all.

    Raises
    ------
    SettingsError
        As `sources.load`, and ``output_folder`` where the package cannot be written or is there already.
    EngineError
        As `sources.load` and `write`.
    """
    return write(sources.load(source, checkpoint=checkpoint, findings=findings), out)


def write(loaded: Loaded, out: Path) -> Imported:
    """Fuse, export, compare and write a network.

    Raises
    ------
    SettingsError
        ``output_folder``.
    EngineError
        ``import_head``, ``import_graph``, ``import_parity``; and those of `checks.load`.
    """
    target = out / loaded.plan.id
    if target.exists():
        raise _unwritable(f"{target}, which is there already", "Remove it or give another --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=out, prefix=f".{loaded.plan.id}."))
    except OSError as error:
        raise _unwritable(f"{out}, which cannot be written ({type(error).__name__})", "Give another --out.") from error
    try:
        engine, logit_error = _fill(staged, loaded)
        staged.chmod(0o755)
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Imported(folder=target, engine=engine, logit_error=logit_error)


def _unwritable(found: str, action: str) -> SettingsError:
    return SettingsError("output_folder", found=found, expected="a folder that can be written anew", action=action)


def _fill(folder: Path, loaded: Loaded) -> tuple[checks.Engine, float]:
    plan = loaded.plan
    images = probes(plan.input)
    grey = as_grey(loaded.network, plan.input)
    with torch.inference_mode():
        wanted = grey(images).double().numpy()
    if wanted.shape != (len(images), len(plan.classes)):
        raise EngineError(
            "import_findings",
            found=f"a network that gives {wanted.shape[1:]} values for each image",
            expected=f"{len(plan.classes)}, one for each class in the findings file",
            action="Name every class of the network, in its order; docs/import.md shows how to skip one.",
        )
    wanted = wanted[:, list(plan.kept)]
    fused = fuse(folded(grey, images[:2]), images[:2], keep=plan.kept)
    path = folder / "model.onnx"
    graph.write_onnx(fused.network, path, channels=1, size=plan.input.size, outputs=OUTPUTS)
    session = checks.open_session(path.read_bytes())
    logits, evidence, _ = session.run(list(OUTPUTS), {"image": images.numpy()})
    error = _parity(fused, images, wanted, logits, evidence)
    scales = [_scale(evidence[:, k]) for k in range(evidence.shape[1])]
    (folder / MANIFEST).write_bytes(manifest.engine_toml(loaded, fused, path, scales=scales))
    (folder / CARD).write_text(manifest.card(loaded, fused, path, logit_error=error), encoding="utf-8")
    return checks.load(PackageFiles(folder)), error


def as_grey(network: nn.Module, planned: PlannedInput) -> nn.Module:
    """The network behind one grey channel that is normalised as the manifest says."""
    gain = [planned.std / std for std in planned.stds]
    offset = [(planned.mean - mean) / std for mean, std in zip(planned.means, planned.stds, strict=True)]
    plain = gain == [1.0] and offset == [0.0]
    return network.eval() if plain else Grey(network, gain, offset).eval()


def folded(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """A copy with batch norms folded into convolutions, or the network itself where that changes what it gives."""
    smaller = copy.deepcopy(network)
    graph.fold_batch_norms(smaller, images)
    with torch.inference_mode():
        difference = (smaller(images) - network(images)).abs().max()
    return smaller if bool(difference <= TOLERANCE / 2) else network


def probes(planned: PlannedInput) -> torch.Tensor:
    """``[PROBES, 1, S, S]`` float32: waves, discs and noise in [0, 1], normalised as the manifest says; seeded."""
    size = planned.size
    chance = np.random.default_rng(11)
    row, column = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    made = []
    for i in range(PROBES):
        wave = 0.45 + 0.25 * np.sin((5 + 3 * i) * row) * np.cos((19 - 2 * i) * column + i)
        centre = chance.uniform(0.2, 0.8, 2)
        disc = 0.4 * ((row - centre[0]) ** 2 + (column - centre[1]) ** 2 < 0.02)
        noise = chance.normal(0, 0.02 + 0.06 * (i % 4), (size, size))
        made.append(np.clip(chance.uniform(0.3, 1.2) * (wave + disc) + noise, 0, 1))
    values = (np.stack(made)[:, None] - planned.mean) / planned.std
    return torch.from_numpy(values.astype(np.float32))


def _parity(
    fused: Fused,
    images: torch.Tensor,
    wanted: NDArray[np.float64],
    logits: NDArray[np.float32],
    evidence: NDArray[np.float32],
) -> float:
    """The largest difference from the library's own logits, over PyTorch and ONNX; refused where it is too large."""
    with torch.inference_mode():
        again, maps = (t.double().numpy() for t in fused.network(images)[:2])
    bias = np.array(fused.bias)
    allowed = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    differences = {
        "logits of the fused network": np.abs(again - wanted).max(),
        "logits of the ONNX graph": np.abs(logits - wanted).max(),
        "sums of the evidence": np.abs(maps.sum((2, 3)) + bias - wanted).max(),
        "sums of the graph's evidence": np.abs(evidence.astype(np.float64).sum((2, 3)) + bias - wanted).max(),
    }
    for what, difference in differences.items():
        if not difference <= allowed:
            raise EngineError(
                "import_parity",
                found=f"{what} that differ from the network's own by {difference:.2g}",
                expected=f"at most {allowed:.2g} on {len(images)} probe images",
                action="Nothing was written. Report it with the name of the network.",
            )
    return float(np.abs(logits - wanted).max())


def _scale(evidence: NDArray[np.float32]) -> float:
    """99th percentile of the positive evidence of one finding, in logits per cell."""
    positive = evidence[evidence > 0]
    return max(float(np.percentile(positive, 99)), SMALLEST_SCALE) if positive.size else SMALLEST_SCALE
