"""From a trained run to an engine package: graph, manifest and card, by one command."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import tomli_w
import torch
from numpy.typing import NDArray

from training import card, data, graph, model
from training.config import Config
from training.evaluate import Scored, baseline, score
from training.summarise import FindingFigures, figures

log = logging.getLogger(__name__)
METHOD = "Grad-CAM in closed form (global average pooling and one linear layer; equals CAM and HiResCAM)"


def priors(samples: list[data.Sample], config: Config) -> dict[str, NDArray[np.float32]]:
    """Mean training mask of each label whose place is known: what a reader who never looks would point at."""
    labels = [f.label for f in config.findings]
    out: dict[str, NDArray[np.float32]] = {}
    for k, label in enumerate(labels):
        rows = [s for s in samples if label in s.masks or label in s.boxes][:400]
        grids = [data.mask_grid(s, labels, config.input.size)[k] for s in rows]
        known = [g for g in grids if not (g == 255).any()]
        if known:
            out[label] = np.mean(np.stack(known), axis=0, dtype=np.float32)
    return out


def export(config: Config, root: Path, run: Path, out: Path) -> None:
    """Write ``out/<id>/`` with ``model.onnx``, ``engine.toml`` and ``CARD.md`` from the best checkpoint of ``run``."""
    network = model.build(config, pretrained=False)
    network.load_state_dict(torch.load(run / "main-best.pt", weights_only=True))
    network = graph.finish(network)
    folder = out / config.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    graph.write_onnx(network, path, channels=len(config.input.channels), size=config.input.size)
    samples, split = data.read(config, root)
    parts = {name: [s for s in samples if split[s.group] == name] for name in ("train", "val", "test")}
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    bias = network.head.bias.detach().double().numpy()
    mean = priors(parts["train"], config)
    scored: dict[str, Scored] = {}
    for name in ("val", "test"):
        log.info("scoring %s: %d images", name, len(parts[name]))
        scored[name] = score(parts[name], config, session, bias=bias, priors=mean)
    rows = figures(config, scored["val"], scored["test"], baseline(parts["train"], config))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sizes = {name: (len(p), len({s.group for s in p})) for name, p in parts.items()}
    manifest = _manifest(config, rows, bias=bias, sha256=digest, sizes=sizes)
    (folder / "engine.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    (folder / "CARD.md").write_text(
        card.render(config, rows, scored["test"], sha256=digest, parts=sizes), encoding="utf-8"
    )
    (run / "split.json").write_text(json.dumps(split, indent=0, sort_keys=True), encoding="utf-8")
    log.info("wrote %s", folder)


def _manifest(
    config: Config,
    rows: list[FindingFigures],
    *,
    bias: NDArray[np.float64],
    sha256: str,
    sizes: dict[str, tuple[int, int]],
) -> dict[str, Any]:
    size = config.input.size
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"radiolucent:{config.id}:{config.version}:{sha256}")
    return {
        "format": "radiolucent.engine/1",
        "id": config.id,
        "title": config.title,
        "version": config.version,
        "license": "Apache-2.0 (weights); see CARD.md for the terms of the training data",
        "method": METHOD,
        "zones": config.zones,
        "device_uid": f"2.25.{name.int}",
        "graph": {"file": "model.onnx", "sha256": sha256, "outputs": ["logits", "evidence", "embedding"]},
        "population": config.population.model_dump(exclude_none=True),
        "input": {
            "rows": size,
            "columns": size,
            "mean": config.input.mean,
            "std": config.input.std,
            "channels": [c.model_dump(exclude_none=True) for c in config.input.channels],
        },
        "findings": [_finding(config, k, row, float(bias[k])) for k, row in enumerate(rows)],
        "training": {
            "summary": " ".join(config.data_notes),
            "backbone": config.model.backbone,
            "seed": config.train.seed,
            "parts": {part: {"images": images, "groups": groups} for part, (images, groups) in sizes.items()},
        },
    }


def _finding(config: Config, k: int, row: FindingFigures, bias: float) -> dict[str, Any]:
    spec = config.findings[k]
    metrics: dict[str, Any] = {"test_positives": row.test_positives, "test_images": row.test_count}
    for name in ("auc", "sensitivity", "specificity", "ppv", "hit_rate", "mean_iou"):
        interval = getattr(row, name)
        if not np.isnan(interval.value):
            metrics[name] = round(interval.value, 4)
            metrics[f"{name}_95"] = [round(interval.low, 4), round(interval.high, 4)]
    return {
        "key": spec.key,
        "display": spec.display,
        "rank": spec.rank,
        "critical": spec.critical,
        "kind": spec.kind,
        "expected_regions": spec.expected_regions,
        "display_class": spec.display_class,
        "bias": bias,
        "threshold": round(row.threshold, 6),
        "map_scale": row.map_scale,
        "region_fraction": row.region_fraction,
        "evidence_level": row.evidence_level,
        "code": dict(zip(("scheme", "value", "meaning"), spec.code, strict=True)),
        "calibration": {"method": "platt", "slope": row.calibration[0], "intercept": row.calibration[1]},
        "metrics": metrics,
    }
