"""Regions for images that nobody has drawn on: a teacher learns the drawn ones, the engine learns from the teacher.

Only films of another collection have drawn lungs and hearts. An anatomy branch trained on those alone, beside findings
trained on other films, draws noise on films unlike them. So a second network, trained for regions and nothing else,
draws on the engine's own training films, and then the engine's anatomy branch alone learns from drawn and taught masks
while everything else stays frozen.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import Tensor

from training import model
from training.anatomy import EITHER, UNKNOWN
from training.augment import augment
from training.config import Config, Schedule
from training.losses import anatomy_loss
from training.train import Arrays, mirrored, normalise, write_entry

log = logging.getLogger(__name__)
SURE, LEAST, MOST = 0.85, 0.02, 0.45


def _learn(
    network: model.EvidenceNet, arrays: Arrays, parameters: list[Tensor], *, config: Config, schedule: Schedule
) -> model.EvidenceNet:
    """Fit ``parameters`` to the regions of ``arrays``; the rest of the network runs as in use."""
    generator = torch.Generator().manual_seed(schedule.seed)
    steps = schedule.epochs * -(-len(arrays.images) // schedule.batch)
    optimiser = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    average = ModelEmaV3(network, decay=0.99, use_warmup=True)
    sides = mirrored(config.anatomy.regions)
    for epoch in range(schedule.epochs):
        started, total = time.monotonic(), 0.0
        for index in torch.randperm(len(arrays.images), generator=generator).split(schedule.batch):
            chosen = index.numpy()
            images, _, regions = augment(
                torch.from_numpy(arrays.images[chosen]).float() / 255.0,
                torch.from_numpy(arrays.masks[chosen]).float(),
                torch.from_numpy(arrays.regions[chosen]).float(),
                schedule,
                generator,
                sides=sides,
            )
            with torch.autocast("cpu", torch.bfloat16):
                drawn = network(normalise(images, config))[2]
            loss = anatomy_loss(drawn, regions)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            average.update(network, step=rate.last_epoch)
            total += float(loss.detach()) * len(chosen)
        log.info("regions epoch %d loss %.4f, %.0f s", epoch, total / len(arrays.images), time.monotonic() - started)
    return average.module


def draw(network: model.EvidenceNet, images: NDArray[np.uint8], config: Config) -> NDArray[np.float32]:
    """``[N, R, G, G]`` probabilities."""
    network.eval()
    out = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(images), 32):
            batch = torch.from_numpy(images[start : start + 32]).float() / 255.0
            out.append(network(normalise(batch, config))[2].float().numpy())
    return np.concatenate(out)


def overlap(drawn: NDArray[np.float32], regions: NDArray[np.uint8]) -> list[float]:
    """Mean Dice of each region over images where it was drawn by a person (``nan`` where none was)."""
    out = []
    for r in range(regions.shape[1]):
        known = ~((regions[:, r] == UNKNOWN) | (regions[:, r] == EITHER)).any(axis=(1, 2))
        truth, guess = regions[known, r] == 1, drawn[known, r] > 0.5
        both, either = (truth & guess).sum((1, 2)), truth.sum((1, 2)) + guess.sum((1, 2))
        out.append(float((2 * both / np.maximum(either, 1)).mean()) if known.any() else float("nan"))
    return out


def taught(teacher: model.EvidenceNet, arrays: Arrays, config: Config) -> Arrays:
    """Unknown regions replaced by the teacher's, where all of an image's regions are sure and of a sensible size."""
    unknown = (arrays.regions == UNKNOWN).all(axis=(1, 2, 3))
    drawn = draw(teacher, arrays.images, config)
    inside = drawn > 0.5
    doubt = np.where(inside, drawn, 0.0).sum((2, 3)) / np.maximum(inside.sum((2, 3)), 1)
    size = inside.mean((2, 3))
    usable = unknown & (doubt > SURE).all(1) & (size > LEAST).all(1) & (size < MOST).all(1)
    log.info("regions taught on %d of %d images without any", int(usable.sum()), int(unknown.sum()))
    regions = np.where(usable[:, None, None, None], inside.astype(np.uint8), arrays.regions)
    return replace(arrays, regions=regions)


def refine(network: model.EvidenceNet, train: Arrays, val: Arrays, *, config: Config, run: Path) -> model.EvidenceNet:
    """Teach the anatomy branch of a trained network; ``val`` holds drawn films of other groups, for the figures.

    Writes ``regions-teacher.pt`` and ``main-best.pt`` (the network before is kept as ``main-findings.pt``).
    """
    assert config.regions is not None
    drawn = ~(train.regions == UNKNOWN).all(axis=(1, 2, 3))
    own = Arrays(*(getattr(train, name)[drawn] for name in ("images", "labels", "masks", "regions")))
    torch.manual_seed(config.regions.seed)
    teacher = model.build(config).to(memory_format=torch.channels_last)
    frozen = model.freeze(teacher, config.model.frozen_blocks)
    teacher.train()
    for module in frozen:
        module.eval()
    teacher = _learn(
        teacher, own, [p for p in teacher.parameters() if p.requires_grad], config=config, schedule=config.regions
    )
    torch.save(teacher.state_dict(), run / "regions-teacher.pt")
    before = overlap(draw(network, val.images, config), val.regions)
    first = overlap(draw(teacher, val.images, config), val.regions)
    torch.save(network.state_dict(), run / "main-findings.pt")
    network = network.to(memory_format=torch.channels_last).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    branch = [network.neck.down, network.neck.fine, network.neck.shallow, network.anatomy]
    for module in branch:
        module.train()
        for parameter in module.parameters():
            parameter.requires_grad_(True)
    parameters = [p for module in branch for p in module.parameters()]
    schedule = config.regions.model_copy(update={"epochs": max(1, config.regions.epochs // 3)})
    network = _learn(network, taught(teacher, train, config), parameters, config=config, schedule=schedule)
    after = overlap(draw(network, val.images, config), val.regions)
    entry = {"phase": "regions", "regions": config.anatomy.regions, "before": before, "teacher": first, "after": after}
    write_entry(run, entry)
    torch.save(network.state_dict(), run / "main-best.pt")
    return network
