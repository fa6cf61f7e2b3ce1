"""What single parts of the recipe are worth: short trainings that differ in one thing each, read on validation.

Small inputs, few epochs and a part of the training groups, so that a table takes minutes on two cores. Figures say
which way a part pulls, not how good an engine is; nothing of the test part is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from radiolucent.cohort.measure import Interval, auc, bootstrap, bootstrap_all, mean
from training import data, model
from training.config import Config, Schedule
from training.train import Arrays, fit, normalise, texture_of, to_arrays

log = logging.getLogger(__name__)
FRACTIONS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
NO_PLACES = dict.fromkeys(("evidence_weight", "shape_weight", "clear_weight", "expected_weight"), 0.0)
Changes = Mapping[str, Any]
VARIANTS: dict[str, Changes] = {
    "whole recipe": {},
    "no evidence losses (plain Grad-CAM)": {"train": NO_PLACES},
    "share loss alone": {"train": {"shape_weight": 0.0, "clear_weight": 0.0, "expected_weight": 0.0}},
    "no loss on cells of absent findings": {"train": {"clear_weight": 0.0}},
    "no anatomy head": {"train": {"anatomy_weight": 0.0, "expected_weight": 0.0}},
    "half the size": {"scale": 0.5},
    "no ImageNet": {"imagenet": False},
}
SLOWER: dict[str, Changes] = {"new layers no faster than the backbone": {"train": {"new_rate": 1.0}}}
FURTHER: dict[str, dict[str, Changes]] = {
    "chest": {
        "no lung-only pretraining": {"pretrain": False},
        "lung-only films mixed in as well": {"mix": True},
        **SLOWER,
    },
    "head_ct": {"no painted bleedings": {"train": {"synthetic": 0.0}}, **SLOWER},
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one run may cost."""

    size: int
    epochs: int
    limit: int


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def limited(samples: list[data.Sample], limit: int) -> list[data.Sample]:
    """About ``limit`` images, group by group in the order of their hash, at most a twentieth of them from one group."""
    groups: dict[str, list[data.Sample]] = {}
    for sample in sorted(samples, key=lambda s: _hashed(s.name)):
        groups.setdefault(sample.group, []).append(sample)
    chosen: list[data.Sample] = []
    for name in sorted(groups, key=_hashed):
        if len(chosen) >= limit:
            break
        chosen += groups[name][: max(1, limit // 20)]
    return chosen


def evidence_of(network: model.EvidenceNet, arrays: Arrays, config: Config) -> tuple[NDArray[Any], NDArray[Any]]:
    """``logits [N, K]`` and ``evidence [N, K, G, G]`` on the grid of the masks."""
    network.eval()
    logits, evidence = [], []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(arrays.images), 32):
            batch = torch.from_numpy(arrays.images[start : start + 32]).float() / 255.0
            scores, maps, _, _ = network(normalise(batch, config))
            logits.append(scores.float().numpy())
            wide = F.interpolate(maps.float(), size=arrays.masks.shape[2:], mode="bilinear", align_corners=False)
            evidence.append(wide.numpy())
    return np.concatenate(logits), np.concatenate(evidence)


def figures(
    logits: NDArray[Any], evidence: NDArray[Any], arrays: Arrays, groups: NDArray[np.str_]
) -> dict[str, Interval]:
    """Mean AUC over findings, hit rate of peaks and mean IoU of regions, with intervals by group."""
    labels = arrays.labels

    def areas(i: NDArray[np.intp]) -> float:
        columns = ((logits[i, k], labels[i, k]) for k in range(labels.shape[1]))
        return mean(np.array([auc(z[~np.isnan(y)], y[~np.isnan(y)]) for z, y in columns]))

    out = {"auc": bootstrap(groups, areas, resamples=300)}
    rows, names = [], []
    for n, k in np.argwhere((labels == 1) & (arrays.masks != 255).all(axis=(2, 3))):
        truth, positive = arrays.masks[n, k] == 1, np.maximum(evidence[n, k], 0.0)
        at, top = np.unravel_index(int(positive.argmax()), truth.shape), float(positive.max())
        regions = [positive >= f * top if top > 0 else np.zeros_like(truth) for f in FRACTIONS]
        rows.append([float(truth[at]), *((truth & r).sum() / max(int((truth | r).sum()), 1) for r in regions)])
        names.append(groups[n])
    if rows:
        table = np.array(rows)
        best = 1 + int(table[:, 1:].mean(axis=0).argmax())
        got = bootstrap_all(
            np.array(names),
            lambda i: {"hit": float(table[i, 0].mean()), "iou": float(table[i, best].mean())},
            resamples=300,
        )
        out |= got
    return out


def _changed(config: Config, budget: Budget, changes: Changes) -> Config:
    size = int(budget.size * changes.get("scale", 1.0)) // 32 * 32
    schedule = config.train.model_copy(update={"epochs": budget.epochs, "mix": 0, **changes.get("train", {})})
    return config.model_copy(update={"input": config.input.model_copy(update={"size": size}), "train": schedule})


def _one(config: Config, root: Path, budget: Budget, changes: Changes, run: Path) -> dict[str, Interval]:
    samples, split = data.read(config, root)
    train = limited([s for s in samples if split[s.group] == "train"], budget.limit)
    val = [s for s in samples if split[s.group] == "val"]
    further = data.read_anatomy(config, root)
    taught = data.split_of(further)
    train += [s for s in further if taught[s.group] == "train"]
    torch.manual_seed(config.train.seed)
    network = model.build(config, pretrained=changes.get("imagenet", True))
    check = to_arrays(val, config)
    mixed: list[data.Sample] = []
    if config.pretrain is not None and changes.get("pretrain", True):
        held = {s.name for s in samples if split[s.group] != "train"}
        texture = texture_of(config, root, held, limit=4 * budget.limit)
        schedule = Schedule(
            epochs=max(1, budget.epochs // 2), evidence_weight=0.2, shape_weight=0.2, expected_weight=0.0
        )
        network = fit(
            network, to_arrays(texture, config), check, config=config, schedule=schedule, run=run, tag="pretrain"
        )
        mixed = texture if changes.get("mix") else []
    schedule = config.train.model_copy(update={"mix": budget.limit if mixed else 0})
    arrays = to_arrays(train + mixed, config)
    network = fit(network, arrays, check, config=config, schedule=schedule, run=run, tag="main", mixed=len(mixed))
    logits, evidence = evidence_of(network, check, config)
    return figures(logits, evidence, check, np.array([s.group for s in val]))


def ablate(config: Config, root: Path, run: Path, budget: Budget, *, only: list[str] | None = None) -> str:
    """Train every variant, or those whose names hold one of ``only``, and give the table as Markdown.

    Finished variants in ``run`` are not trained again.
    """
    variants = VARIANTS | FURTHER.get(config.domain, {})
    lines = [
        f"{config.id}: {budget.size} px, {budget.epochs} epochs, about {budget.limit} training images; validation.",
        "",
        "| Variant | Mean AUC | Hit rate of the peak | Mean IoU of the region |",
        "|---|---|---|---|",
    ]
    for number, (name, changes) in enumerate(variants.items()):
        if only and not any(word in name for word in only):
            continue
        folder = run / f"{number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / "figures.json"
        if not done.exists():
            got = _one(_changed(config, budget, changes), root, budget, changes, folder)
            done.write_text(json.dumps({k: [v.value, v.low, v.high] for k, v in got.items()}), encoding="utf-8")
        saved = {k: Interval(*v) for k, v in json.loads(done.read_text(encoding="utf-8")).items()}
        cells = [saved[k].text() if k in saved else "no place known" for k in ("auc", "hit", "iou")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        log.info("%s", lines[-1])
    return "\n".join(lines)
