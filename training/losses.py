"""What a network is trained for: the right answer, for the right reason."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def label_loss(logits: Tensor, labels: Tensor, positive_weight: Tensor) -> Tensor:
    """Binary cross entropy over known labels.

    ``logits``, ``labels``: ``[N, K]`` with ``nan`` for unknown; ``positive_weight``: ``[K]``.
    """
    known = ~torch.isnan(labels)
    target = torch.where(known, labels, torch.zeros_like(labels))
    raw = F.binary_cross_entropy_with_logits(logits, target, pos_weight=positive_weight, reduction="none")
    return (raw * known).sum() / known.sum().clamp(min=1)


def evidence_loss(evidence: Tensor, masks: Tensor) -> Tensor:
    """``-log(share of the positive evidence that lies inside the mask)``, over findings whose place is known.

    ``evidence``: ``[N, K, h, w]``; ``masks``: ``[N, K, G, G]`` with 1 inside, 0 outside, 255 unknown.
    """
    known = (masks != 255).all(dim=3).all(dim=2)
    if not known.any():
        return evidence.sum() * 0.0
    inside = F.adaptive_max_pool2d(masks[known][:, None], evidence.shape[2:])[:, 0]
    positive = F.relu(evidence[known].float())
    share = (positive * inside).sum((1, 2)) / (positive.sum((1, 2)) + 1e-6)
    return -torch.log(share + 1e-3).mean()
