"""From a trained run to an engine package: graph and manifest, then the figures by `radiolucent engines evaluate`."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from pathlib import Path
from typing import Any

import tomli_w
import torch

from radiolucent import wiring
from radiolucent.cohort.evaluation import Request
from radiolucent.importing import graph
from training import added, cohort, model, rules, shipped, truth
from training.config import Config, Finding
from training.packaged import folded, packaged

log = logging.getLogger(__name__)
METHOD = "Grad-CAM in closed form (global average pooling and one linear layer; equals CAM and HiResCAM)"
OUTPUTS = ("logits", "evidence", "embedding", "anatomy", "novelty", "guards")
"""What the shipped graph gives, in the order the loader wants."""


def members_of(config: Config, run: Path) -> list[model.EvidenceNet]:
    """The network of a run; those of an exported package (`packaged`), or of a variant of one (`training.added`)."""
    if (run / "model.onnx").exists():
        return packaged(config, run)
    variants = sorted(run.glob(f"{added.MEMBER}*-best.pt"))
    networks = [folded(config) for _ in variants] or [model.build(config, pretrained=False)]
    for network, path in zip(networks, variants or [run / "main-best.pt"], strict=True):
        network.load_state_dict(torch.load(path, weights_only=True))
    return networks


def export(config: Config, root: Path, runs: list[Path], out: Path) -> None:
    """Write ``out/<id>/`` with ``model.onnx``, ``engine.toml`` and ``CARD.md`` from the best checkpoints of ``runs``.

    The package is whole but untested at first; the evaluation on the first run's ``truth`` folder then fills in every
    figure.
    """
    run = runs[0]
    members = [network for each in runs for network in members_of(config, each)]
    network = graph.finish(members[0] if len(members) == 1 else model.Ensemble(members))
    parts, further = truth.parts_of(config, root), added.recall(config, run)
    together = {name: samples + further.get(name, []) for name, samples in parts.items()}
    fitted = shipped.fit(network, together, config, root)
    folder = out / config.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    outputs = OUTPUTS if fitted.guards else OUTPUTS[:-1]
    graph.write_onnx(fitted.network, path, channels=len(config.input.channels), size=config.input.size, outputs=outputs)
    sizes = {name: (len(p), len({s.group for s in p})) for name, p in together.items()}
    bias = [float(value) for value in network.bias.detach().double()]
    manifest = manifest_of(
        config,
        members=len(members),
        bias=bias,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        sizes=sizes,
        fitted=fitted,
        notes=[*config.data_notes, *added.note(further, config)],
    )
    (folder / "CARD.md").write_text(f"# {config.title}\n\nNot evaluated.\n", encoding="utf-8")
    _save(folder, manifest)
    if config.derived:
        manifest["derived"] = rules.derived(config, wiring.check(folder), parts["train"])
        _save(folder, manifest)
    split = {s.group: name for name, samples in together.items() for s in samples}
    (run / "split.json").write_text(json.dumps(split, indent=0, sort_keys=True), encoding="utf-8")
    cohort.write_split(config, root, folder, further={s.group: part for part, rows in further.items() for s in rows})
    table = truth.write(config, parts | {"val": together["val"]}, run / "truth")
    request = Request(truth=table, boxes=table.with_name("boxes.csv"))
    wiring.evaluate(str(folder), request, out=run / "evaluation", write=True)
    log.info("wrote %s", folder)


def _save(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "engine.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")


def manifest_of(
    config: Config,
    *,
    members: int,
    bias: list[float],
    sha256: str,
    sizes: dict[str, tuple[int, int]],
    fitted: shipped.Fitted,
    notes: list[str],
) -> dict[str, Any]:
    """The manifest of an engine whose figures are not measured yet."""
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
        "graph": {"file": "model.onnx", "sha256": sha256, "outputs": list(OUTPUTS if fitted.guards else OUTPUTS[:-1])},
        "population": config.population.model_dump(exclude_none=True),
        "input": {
            "rows": size,
            "columns": size,
            "mean": config.input.mean,
            "std": config.input.std,
            "channels": [c.model_dump(exclude_none=True) for c in config.input.channels],
        },
        "novelty_limit": fitted.novelty_limit,
        "anatomy": config.anatomy.model_dump(),
        **({"guards": [_guard(config, k, row) for k, row in enumerate(fitted.guards)]} if fitted.guards else {}),
        "findings": [_finding(finding, bias[k]) for k, finding in enumerate(config.findings)],
        **({"exclusive": config.exclusive} if config.exclusive else {}),
        "card": {
            "data_notes": notes,
            "limits": config.limits,
            "targets": [t.model_dump(exclude_none=True) for t in config.targets],
        },
        "training": {
            "summary": " ".join(notes),
            "backbone": config.model.backbone if members == 1 else f"{config.model.backbone}, mean of {members}",
            "seed": config.train.seed,
            "parts": {part: {"images": images, "groups": groups} for part, (images, groups) in sizes.items()},
        },
    }


def _guard(config: Config, k: int, row: shipped.GuardFigures) -> dict[str, Any]:
    spec = config.guards[k]
    return {
        "name": spec.name,
        "action": spec.action,
        "found": spec.found,
        "expected": spec.expected,
        "threshold": row.threshold,
        "metrics": {
            "caught": row.caught,
            "caught_of": row.caught_of,
            "false_alarms": row.false_alarms,
            "false_alarms_of": row.false_alarms_of,
        },
    }


def _finding(finding: Finding, bias: float) -> dict[str, Any]:
    return {
        "key": finding.key,
        "display": finding.display,
        "rank": finding.rank,
        "critical": finding.critical,
        "kind": finding.kind,
        "expected_regions": finding.expected_regions,
        "display_class": finding.display_class,
        "bias": bias,
        "threshold": 0.5,
        "map_scale": 1.0,
        "region_fraction": 0.5,
        "evidence_level": "untested",
        "code": dict(zip(("scheme", "value", "meaning"), finding.code, strict=True)),
        "calibration": {"method": "none", "slope": 1.0, "intercept": 0.0},
        "metrics": {"test_positives": 0},
    }
