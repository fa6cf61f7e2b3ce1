"""Engine packages to measure: what is shipped, and stand-ins of the right shape for what is not there."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tomli_w
import torch

from radiolucent.engines.registry import shipped_folder
from radiolucent.importing import graph
from training import config as configuration
from training import model
from training.config import Config
from training.model import EvidenceNet

CONFIGS = Path(configuration.__file__).parent / "configs"
UNTRAINED = "untrained head"
OUTPUTS = ("logits", "evidence", "embedding")
PACKAGE_ORDER = (0, 1, 3)
"""Where `OUTPUTS` are in what the network returns: logits, evidence, anatomy, embedding."""


def shipped() -> list[Path]:
    """Folders of the shipped packages."""
    folder = shipped_folder()
    return sorted(p.parent for p in folder.glob("*/engine.toml")) if folder.is_dir() else []


def chest_config() -> Config:
    """The chest engine's configuration."""
    return configuration.load(CONFIGS / "chest-film.toml")


def untrained_network(config: Config) -> EvidenceNet:
    """ImageNet start and a random head (seeded), finished as for shipping: the speed of the trained one."""
    network = model.build(config, pretrained=True)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        network.head.weight.copy_(torch.randn(network.head.weight.shape, generator=generator) * 0.2)
        network.head.bias.zero_()
    return graph.finish(network)


def write_untrained(config: Config, folder: Path) -> Path:
    """A whole package of an engine that knows nothing, for timing only."""
    network = untrained_network(config)
    target = folder / config.id
    target.mkdir(parents=True, exist_ok=True)
    graph.write_onnx(
        graph.Reordered(network, PACKAGE_ORDER),
        target / "model.onnx",
        channels=len(config.input.channels),
        size=config.input.size,
        outputs=OUTPUTS,
    )
    bias = network.head.bias.detach().double().tolist()
    digest = hashlib.sha256((target / "model.onnx").read_bytes()).hexdigest()
    manifest = _manifest(config, bias=bias, sha256=digest)
    (target / "engine.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    (target / "CARD.md").write_text("# For timing only: this engine was never trained\n", encoding="utf-8")
    return target


def _manifest(config: Config, *, bias: list[float], sha256: str) -> dict[str, Any]:
    return {
        "format": "radiolucent.engine/1",
        "id": config.id,
        "title": f"{config.title} (untrained, for timing only)",
        "version": "0.0.0",
        "license": "Apache-2.0",
        "method": "Grad-CAM in closed form",
        "zones": config.zones,
        "device_uid": f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, sha256).int}",
        "graph": {"file": "model.onnx", "sha256": sha256},
        "population": config.population.model_dump(exclude_none=True),
        "input": {
            "rows": config.input.size,
            "columns": config.input.size,
            "mean": config.input.mean,
            "std": config.input.std,
            "channels": [c.model_dump(exclude_none=True) for c in config.input.channels],
        },
        "findings": [
            {
                "key": finding.key,
                "display": finding.display,
                "rank": finding.rank,
                "critical": finding.critical,
                "kind": finding.kind,
                "expected_regions": finding.expected_regions,
                "display_class": finding.display_class,
                "bias": bias[k],
                "threshold": 0.5,
                "map_scale": 0.02,
                "region_fraction": 0.5,
                "evidence_level": "insufficient",
                "code": dict(zip(("scheme", "value", "meaning"), finding.code, strict=True)),
                "calibration": {"method": "platt", "slope": 1.0, "intercept": 0.0},
                "metrics": {"test_positives": 0},
            }
            for k, finding in enumerate(config.findings)
        ],
        "training": {"summary": "None."},
    }


def localisable(package: Path) -> list[str]:
    """The findings of a package that have a place, in its order."""
    manifest = tomllib.loads((package / "engine.toml").read_text(encoding="utf-8"))
    return [finding["key"] for finding in manifest["findings"] if finding["kind"] == "localisable"]


def force(package: Path, folder: Path, *, positives: Collection[str]) -> Path:
    """Copy a package into ``folder`` so that exactly these findings are always positive; for timing only.

    Thresholds are moved, and findings that could not be tested, which are never called, pass as tested.
    """
    target = folder / package.name
    shutil.copytree(package, target)
    manifest = tomllib.loads((target / "engine.toml").read_text(encoding="utf-8"))
    for finding in manifest["findings"]:
        finding["threshold"] = 1e-9 if finding["key"] in positives else 1 - 1e-9
        finding["evidence_level"] = "limited"
    (target / "engine.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    return folder
