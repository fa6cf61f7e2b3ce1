"""Random views of a batch, the same for images and masks."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import Schedule

UNKNOWN = 255.0


def augment(
    images: Tensor, masks: Tensor, regions: Tensor, schedule: Schedule, generator: torch.Generator, *, sides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation, scale, shift, optional squeeze and flip, gamma, contrast, noise, optionally corners painted over.

    Parameters
    ----------
    images
        ``[N, C, S, S]`` in [0, 1].
    masks
        ``[N, K, G, G]``: 1 inside, 0 outside, 255 unknown; unknown stays unknown.
    regions
        ``[N, R, G, G]``: 1 inside, 0 outside, 2 this or the last region, 255 unknown.
    sides
        ``[R]``: for each region the one it becomes when the picture is mirrored.
    """
    count = images.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle = uniform(-schedule.rotate_deg, schedule.rotate_deg) * (math.pi / 180)
    scale = uniform(0.88, 1.12)
    mirror = torch.where(uniform(0, 1) < (0.5 if schedule.flip else 0.0), -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * torch.cos(angle) / scale, -torch.sin(angle) / scale
    theta[:, 1, 0], theta[:, 1, 1] = mirror * torch.sin(angle) / scale, torch.cos(angle) / scale
    if schedule.squeeze:
        aspect = torch.exp(uniform(-schedule.squeeze, schedule.squeeze))[:, None]
        theta[:, 0, :2], theta[:, 1, :2] = theta[:, 0, :2] * aspect, theta[:, 1, :2] / aspect
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-0.08, 0.08), uniform(-0.08, 0.08)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, align_corners=False)
    moved = moved.clamp(0, 1) ** torch.exp(uniform(-0.3, 0.3))[:, None, None, None]
    moved = moved * uniform(0.85, 1.15)[:, None, None, None] + uniform(-0.06, 0.06)[:, None, None, None]
    moved = moved + torch.randn(moved.shape, generator=generator) * 0.01
    if schedule.drop_channel:
        kept = (uniform(0, 1) >= schedule.drop_channel).float()
        moved[:, 1:] = moved[:, 1:] * kept[:, None, None, None]
    if schedule.corners:
        moved = _cornerless(moved, share=schedule.corners, generator=generator)
    moved_masks = _moved(masks, theta)
    visible = (moved_masks == 1).flatten(2).any(2)
    inside = torch.where(visible[:, :, None, None], moved_masks, torch.full_like(moved_masks, UNKNOWN))
    turned = _moved(regions, theta)
    turned = torch.where((mirror < 0)[:, None, None, None], turned[:, sides], turned)
    return moved.clamp(0, 1), inside, turned


def _cornerless(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """A ``share`` of the pictures with all four corners painted over: 8 to 20 % of a side, one grey each picture."""
    painted, side, grey = torch.rand(3, len(images), 1, 1, 1, generator=generator)
    line = torch.linspace(0, 1, images.shape[-1])
    edge = torch.minimum(line, 1 - line)
    inner = torch.maximum(edge[:, None], edge[None, :])
    return torch.where((painted < share) & (inner < 0.08 + 0.12 * side), grey, images)


def _moved(values: Tensor, theta: Tensor) -> Tensor:
    """The same view of masks; what comes in from beyond the picture is outside, unknown stays unknown throughout."""
    unknown = (values == UNKNOWN).flatten(2).all(2)[:, :, None, None]
    grid = F.affine_grid(theta, [values.shape[0], 1, *values.shape[2:]], align_corners=False)
    shown = F.grid_sample(torch.where(unknown, 0.0, values), grid, mode="nearest", align_corners=False)
    return torch.where(unknown, torch.full_like(shown, UNKNOWN), shown)
