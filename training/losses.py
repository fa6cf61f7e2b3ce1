"""What a network is trained for: the right answer, for the right reason, in the right place."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

UNKNOWN, EITHER = 255, 2


def label_loss(logits: Tensor, labels: Tensor, positive_weight: Tensor) -> Tensor:
    """Binary cross entropy over known labels.

    ``logits``, ``labels``: ``[N, K]`` with ``nan`` for unknown; ``positive_weight``: ``[K]``.
    """
    known = ~torch.isnan(labels)
    target = torch.where(known, labels, torch.zeros_like(labels))
    raw = F.binary_cross_entropy_with_logits(logits, target, pos_weight=positive_weight, reduction="none")
    return (raw * known).sum() / known.sum().clamp(min=1)


def _share_loss(evidence: Tensor, inside: Tensor) -> Tensor:
    """``-log(share of positive evidence inside)``; ``evidence``, ``inside``: ``[M, h, w]``."""
    positive = F.relu(evidence)
    share = (positive * inside).sum((1, 2)) / (positive.sum((1, 2)) + 1e-6)
    return -torch.log(share + 1e-3).mean()


def _overlap_loss(probability: Tensor, truth: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) of ``[M, h, w]``."""
    both, total = (probability * truth).sum((1, 2)), (probability + truth).sum((1, 2))
    return 1 - ((2 * both + 1e-3) / (total + 1e-3)).mean()


def evidence_losses(evidence: Tensor, masks: Tensor, scale: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Share and shape losses over findings whose place is known.

    The shape loss reads evidence as a segmentation, ``sigmoid(scale_k * cells * evidence + offset_k)``: in logits that
    the finding would have if every cell spoke as this one does.

    ``evidence``: ``[N, K, h, w]``; ``masks``: ``[N, K, G, G]`` with 1 inside, 0 outside, 255 unknown; ``scale`` and
    ``offset``: ``[K]``.
    """
    known = (masks != UNKNOWN).all(dim=3).all(dim=2)
    if not known.any():
        return evidence.sum() * 0.0, evidence.sum() * 0.0
    which = known.nonzero()[:, 1]
    found = evidence[known].float()
    inside = F.adaptive_max_pool2d(masks[known][:, None], found.shape[1:])[:, 0]
    covered = F.adaptive_avg_pool2d(masks[known][:, None], found.shape[1:])[:, 0]
    cells = found.shape[1] * found.shape[2]
    drawn = torch.sigmoid(F.softplus(scale)[which, None, None] * cells * found + offset[which, None, None])
    return _share_loss(found, inside), _overlap_loss(drawn, covered)


def gather_loss(shares: Tensor | None, masks: Tensor) -> Tensor:
    """``-log`` of what the read-out's shares hold at the places that are known, over images with any.

    ``shares``: logarithms ``[N, h*w]`` (`training.model.Gather`) of a square grid, or None; ``masks``: as above.
    """
    known = (masks != UNKNOWN).flatten(2).all(2)
    where = torch.where(known[:, :, None, None], masks, torch.zeros_like(masks)).amax(1, keepdim=True)
    seen = where.flatten(1).any(1)
    if shares is None or not seen.any():
        return masks.sum() * 0.0
    side = round(shares.shape[1] ** 0.5)
    inside = F.adaptive_max_pool2d(where[seen], (side, side)).flatten(1)
    return -torch.logsumexp(shares[seen] + torch.log(inside), dim=1).mean()


def clear_loss(evidence: Tensor, labels: Tensor, scale: Tensor, offset: Tensor, placed: Tensor) -> Tensor:
    """The strongest cells of findings that are known to be absent, read as a segmentation (see `evidence_losses`).

    Binary cross entropy against "nothing here", over the strongest hundredth of each map's cells: a film without a
    finding teaches what only looks like it. ``scale`` and ``offset`` carry no gradient here.

    ``evidence``: ``[N, K, h, w]``; ``labels``: ``[N, K]``; ``placed``: ``[K]``, findings whose place is ever known.
    """
    absent = (labels == 0) & placed
    if not absent.any():
        return evidence.sum() * 0.0
    which = absent.nonzero()[:, 1]
    found = evidence[absent].float().flatten(1)
    cells = found.shape[1]
    strongest = found.topk(max(1, cells // 100), dim=1).values
    return F.softplus(F.softplus(scale.detach())[which, None] * cells * strongest + offset.detach()[which, None]).mean()


def anatomy_loss(drawn: Tensor, regions: Tensor) -> Tensor:
    """Cross entropy and Dice over regions that are known; 2 means "this region or the last one".

    ``drawn``: probabilities ``[N, R, G, G]``; ``regions``: ``[N, R, G, G]``.
    """
    drawn = drawn.float().clamp(1e-4, 1 - 1e-4)
    either = (regions == EITHER).flatten(2).any(2)[:, :, None, None]
    with_last = 1 - (1 - drawn) * (1 - drawn[:, -1:])
    inside = torch.where(either & (regions == EITHER), with_last.clamp(1e-4, 1 - 1e-4), drawn)
    known = (regions != UNKNOWN).flatten(2).all(2)
    if not known.any():
        return drawn.sum() * 0.0
    truth = ((regions == 1) | (regions == EITHER)).float()[known]
    guess = inside[known]
    return F.binary_cross_entropy(guess, truth) + _overlap_loss(guess, truth)


def expected_loss(evidence: Tensor, drawn: Tensor, labels: Tensor, members: list[list[int]], margin: int) -> Tensor:
    """Share of a present finding's evidence inside its expected regions, as the network itself draws them.

    ``members[k]``: indices of the expected regions of finding ``k``; an empty list means anywhere. The drawn regions
    carry no gradient here.
    """
    terms = []
    regions = drawn.detach().float()
    for k, indices in enumerate(members):
        present = labels[:, k] == 1
        if not indices or not present.any():
            continue
        union = 1 - (1 - regions[present][:, indices]).prod(dim=1, keepdim=True)
        wide = F.max_pool2d(union, 2 * margin + 1, stride=1, padding=margin) if margin else union
        inside = F.adaptive_max_pool2d((wide > 0.5).float(), evidence.shape[2:])[:, 0]
        seen = inside.flatten(1).sum(1) > 0
        if seen.any():
            terms.append(_share_loss(evidence[present, k][seen].float(), inside[seen]))
    return torch.stack(terms).mean() if terms else evidence.sum() * 0.0
