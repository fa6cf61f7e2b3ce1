"""One recipe for every engine: fit, keep an exponential average, choose the epoch on validation."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from timm.utils import ModelEmaV3
from torch import Tensor

from training import data, model
from training.anatomy import region_grid
from training.augment import augment
from training.config import Config, Schedule
from training.losses import anatomy_loss, clear_loss, evidence_losses, expected_loss, gather_loss, label_loss
from training.synthetic import Painter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrays:
    """Samples in memory: ``images [N,C,S,S]``, ``masks [N,K,G,G]``, ``regions [N,R,G,G]`` uint8; ``labels [N,K]``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]
    masks: NDArray[np.uint8]
    regions: NDArray[np.uint8]


def to_arrays(samples: list[data.Sample], config: Config) -> Arrays:
    """Read every sample at the engine's size."""
    names = [f.label for f in config.findings]
    size = config.input.size
    return Arrays(
        images=np.stack([data.load_channels(s, config.input.channels, size) for s in samples]),
        labels=np.array([[s.labels.get(n, np.nan) for n in names] for s in samples], dtype=np.float32),
        masks=np.stack([data.mask_grid(s, names, size) for s in samples]),
        regions=np.stack([region_grid(s, config) for s in samples]),
    )


def positive_weights(labels: NDArray[np.float32]) -> Tensor:
    """Square root of negatives over positives, at most 6."""
    positives, negatives = (labels == 1).sum(0), (labels == 0).sum(0)
    return torch.tensor(np.clip(np.sqrt(negatives / np.maximum(positives, 1)), 1.0, 6.0), dtype=torch.float32)


def normalise(images: Tensor, config: Config) -> Tensor:
    """``[0, 1]`` to the network's scale."""
    scaled = (images - config.input.mean) / config.input.std
    return scaled.contiguous(memory_format=torch.channels_last)


def predict(network: torch.nn.Module, arrays: Arrays, config: Config) -> NDArray[np.float32]:
    """Logits ``[N, K]``."""
    network.eval()
    out = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(arrays.images), 64):
            batch = torch.from_numpy(arrays.images[start : start + 64]).float() / 255.0
            out.append(network(normalise(batch, config))[0].float().numpy())
    return np.concatenate(out)


def aucs(logits: NDArray[np.float32], labels: NDArray[np.float32]) -> list[float]:
    """AUC per finding; ``nan`` where only one class is known."""
    out = []
    for k in range(labels.shape[1]):
        known = ~np.isnan(labels[:, k])
        both = len(np.unique(labels[known, k])) == 2
        out.append(float(roc_auc_score(labels[known, k], logits[known, k])) if both else float("nan"))
    return out


def mirrored(regions: list[str]) -> Tensor:
    """For each region the one that it becomes in a mirror."""
    swap = {"left": "right", "right": "left"}
    other = ["_".join(swap.get(part, part) for part in name.split("_")) for name in regions]
    return torch.tensor([regions.index(name) for name in other])


class Objective:
    """The weighted losses of one augmented batch."""

    NAMES = ("label", "share", "shape", "clear", "anatomy", "expected", "gather")

    def __init__(self, train: Arrays, config: Config, schedule: Schedule, generator: torch.Generator) -> None:
        self.arrays, self.config, self.schedule, self.generator = train, config, schedule, generator
        self.positive_weight = positive_weights(train.labels)
        self.sides = mirrored(config.anatomy.regions)
        self.members = [config.anatomy.members(f.expected_regions) for f in config.findings]
        known = (train.masks != 255).any(axis=(0, 2, 3)) | (schedule.synthetic > 0)
        self.placed = torch.from_numpy(np.asarray(known))
        self.painter = Painter(config, share=schedule.synthetic) if schedule.synthetic else None

    def __call__(self, network: model.EvidenceNet, chosen: NDArray[np.int64]) -> Tensor:
        """``[7]`` losses in the order of `NAMES`, unweighted."""
        pictures, known, where, drawn = (
            a[chosen] for a in (self.arrays.images, self.arrays.labels, self.arrays.masks, self.arrays.regions)
        )
        if self.painter is not None:
            pictures, known, where = self.painter.paint(pictures, known, where, drawn, self.generator)
        images, masks, regions = augment(
            torch.from_numpy(pictures).float() / 255.0,
            torch.from_numpy(where).float(),
            torch.from_numpy(drawn).float(),
            self.schedule,
            self.generator,
            sides=self.sides,
        )
        labels = torch.from_numpy(known)
        with torch.autocast("cpu", torch.bfloat16):
            logits, evidence, anatomy, _, shares = network.read(normalise(images, self.config))
        share, shape = evidence_losses(evidence, masks, network.shape_scale, network.shape_offset)
        margin = self.config.anatomy.margin
        return torch.stack(
            [
                label_loss(logits.float(), labels, self.positive_weight),
                share,
                shape,
                clear_loss(evidence, labels, network.shape_scale, network.shape_offset, self.placed),
                anatomy_loss(anatomy, regions),
                expected_loss(evidence, anatomy, labels, self.members, margin),
                gather_loss(shares, masks),
            ]
        )

    @property
    def weights(self) -> Tensor:
        """Weights in the order of `NAMES`."""
        s = self.schedule
        places = (s.evidence_weight, s.shape_weight, s.clear_weight)
        return torch.tensor([1.0, *places, s.anatomy_weight, s.expected_weight, s.gather_weight])


def rarity(labels: NDArray[np.float32]) -> Tensor:
    """``[N]`` weights to draw images by: one over the square root of how common the rarest thing they show is.

    An image without any positive label counts as showing "nothing".
    """
    positive = labels == 1
    common = np.sqrt(np.maximum(positive.sum(0), 1))
    nothing = np.sqrt(max(int((~positive.any(1)).sum()), 1))
    return torch.from_numpy(np.where(positive.any(1), np.where(positive, 1 / common, 0).max(1), 1 / nothing))


def _optimiser(network: model.EvidenceNet, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW; what starts from nothing at its own rate."""
    backbone = {id(p) for p in network.backbone.parameters()}
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) in backbone]},
        {
            "params": [p for p in trainable if id(p) not in backbone],
            "lr": schedule.learning_rate * schedule.new_rate,
        },
    ]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)


def order_of(own: int, weights: Tensor, drawn: int, generator: torch.Generator) -> Tensor:
    """All of the first ``own`` images and ``drawn`` of the others by their ``weights``, shuffled."""
    order = torch.randperm(own, generator=generator)
    if not drawn:
        return order
    order = torch.cat([order, own + torch.multinomial(weights, drawn, generator=generator)])
    return order[torch.randperm(len(order), generator=generator)]


def write_entry(run: Path, entry: dict[str, object]) -> None:
    """One line of ``log.jsonl``."""
    log.info("%s", json.dumps(entry))
    with (run / "log.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(entry) + "\n")


def fit(
    network: model.EvidenceNet,
    train: Arrays,
    val: Arrays,
    *,
    config: Config,
    schedule: Schedule,
    run: Path,
    tag: str,
    mixed: int = 0,
) -> model.EvidenceNet:
    """Train one phase; a checkpoint each epoch, at the end the best by mean validation AUC, or the last (``keep``).

    The last ``mixed`` images of ``train`` are further material: each epoch sees ``schedule.mix`` of them, rare findings
    first (`rarity`), and all of the others.
    """
    torch.manual_seed(schedule.seed)
    generator = torch.Generator().manual_seed(schedule.seed)
    network = network.to(memory_format=torch.channels_last)
    model.quicken(network)
    frozen = model.freeze(network, config.model.frozen_blocks)
    trainable = [p for p in network.parameters() if p.requires_grad]
    optimiser = _optimiser(network, schedule)
    own = len(train.images) - mixed
    drawn = min(schedule.mix, mixed)
    weights = rarity(train.labels[own:]) if drawn else torch.empty(0)
    steps = schedule.epochs * math.ceil((own + drawn) / schedule.batch)
    warmup = min(schedule.warmup_steps, steps // 4)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda s: min(1.0, (s + 1) / max(1, warmup)) * 0.5 * (1 + math.cos(math.pi * min(1.0, s / steps))),
    )
    average = ModelEmaV3(network, decay=0.998, use_warmup=True)
    objective = Objective(train, config, schedule, generator)
    best, first = -1.0, 0
    state = run / f"{tag}-state.pt"
    parts = {"network": network, "average": average.module, "optimiser": optimiser, "rate": rate}
    if state.exists():
        saved = torch.load(state, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        best, first = saved["best"], saved["epoch"] + 1
        generator.set_state(saved["draws"])
        torch.set_rng_state(saved["dropout_draws"])
    for epoch in range(first, schedule.epochs):
        started = time.monotonic()
        total = torch.zeros(len(Objective.NAMES))
        order = order_of(own, weights, drawn, generator)
        network.train()
        for module in frozen:
            module.eval()
        for index in order.split(schedule.batch):
            losses = objective(network, index.numpy())
            optimiser.zero_grad()
            (losses * objective.weights).sum().backward()
            torch.nn.utils.clip_grad_norm_(trainable, 2.0)
            optimiser.step()
            rate.step()
            average.update(network, step=rate.last_epoch)
            total += losses.detach() * len(index)
        scores = aucs(predict(average.module, val, config), val.labels)
        mean = float(np.nanmean(scores)) if np.isfinite(scores).any() else 0.0
        shares = [round(float(v), 4) for v in total / len(order)]
        write_entry(
            run,
            {
                "phase": tag,
                "epoch": epoch,
                "losses": dict(zip(Objective.NAMES, shares, strict=True)),
                "val_auc_mean": round(mean, 4),
                "val_auc": [None if math.isnan(s) else round(s, 3) for s in scores],
                "seconds": round(time.monotonic() - started, 1),
            },
        )
        if mean > best or schedule.keep == "last":
            best = max(best, mean)
            torch.save(average.module.state_dict(), run / f"{tag}-best.pt")
        held = {name: part.state_dict() for name, part in parts.items()}
        draws = {"draws": generator.get_state(), "dropout_draws": torch.get_rng_state()}
        torch.save(held | draws | {"best": best, "epoch": epoch}, state)
    network.load_state_dict(torch.load(run / f"{tag}-best.pt", weights_only=True))
    return network


def texture_of(config: Config, root: Path, held: set[str], *, limit: int | None = None) -> list[data.Sample]:
    """Lung-only films of no patient whose films are ``held`` back, in the order of their hash; chest alone has any."""
    if config.domain != "chest":
        return []
    texture = data.chest_texture(root, excluded_patients=data.chest_patients(root, held))
    return sorted(texture, key=lambda s: hashlib.sha256(s.name.encode()).hexdigest())[:limit]


def train(config: Config, root: Path, run: Path) -> model.EvidenceNet:
    """Train an engine from its configuration; everything it needs to go on lies in ``run``."""
    run.mkdir(parents=True, exist_ok=True)
    samples, split = data.read(config, root)
    parts = {name: [s for s in samples if split[s.group] == name] for name in ("train", "val", "test")}
    log.info("%s", {name: len(rows) for name, rows in parts.items()})
    torch.manual_seed(config.train.seed)
    network = model.build(config)
    further = data.read_anatomy(config, root)
    taught = data.split_of(further)
    extra = {name: [s for s in further if taught[s.group] == name] for name in ("train", "val")}
    val = to_arrays(parts["val"], config)
    held = {s.name for name in ("val", "test") for s in parts[name]}
    if config.pretrain is not None and not (run / "main-state.pt").exists():
        small = config.model_copy(
            update={"input": config.input.model_copy(update={"size": config.pretrain.size or config.input.size})}
        )
        texture = texture_of(config, root, held, limit=config.pretrain.limit)
        log.info("pretraining on %d films", len(texture))
        more, check = to_arrays(texture + extra["train"], small), to_arrays(parts["val"], small)
        network = fit(network, more, check, config=small, schedule=config.pretrain, run=run, tag="pretrain")
    mixed = texture_of(config, root, held) if config.train.mix else []
    arrays = to_arrays(parts["train"] + extra["train"] + mixed, config)
    network = fit(network, arrays, val, config=config, schedule=config.train, run=run, tag="main", mixed=len(mixed))
    if config.regions is not None and not (run / "main-findings.pt").exists():
        from training.regions import refine  # it needs `Arrays` of this module

        own = Arrays(*(getattr(arrays, f.name)[: len(arrays.images) - len(mixed)] for f in fields(Arrays)))
        network = refine(network, own, to_arrays(extra["val"], config), config=config, run=run)
    return network
