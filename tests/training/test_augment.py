"""Image and mask must move together, whatever the draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training import augment as views_of
from training.config import Schedule

pytestmark = pytest.mark.training
SIDES = torch.tensor([1, 0])


def augment(images: Tensor, masks: Tensor, schedule: Schedule, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Without regions."""
    nothing = torch.full((len(images), 2, *masks.shape[2:]), 255.0)
    moved, inside, _ = views_of.augment(images, masks, nothing, schedule, generator, sides=SIDES)
    return moved, inside


def test_a_mirror_swaps_left_and_right_regions() -> None:
    regions = torch.zeros(COUNT, 2, GRID, GRID)
    regions[:, 0, :, : GRID // 2] = 1.0
    regions[:, 1, :, GRID // 2 :] = 1.0
    schedule = Schedule(epochs=1, flip=True, rotate_deg=0.0)
    _, _, turned = views_of.augment(
        torch.zeros(COUNT, 1, SIDE, SIDE),
        torch.full((COUNT, 1, GRID, GRID), UNKNOWN),
        regions,
        schedule,
        torch.Generator().manual_seed(4),
        sides=SIDES,
    )
    columns = torch.arange(GRID, dtype=torch.float32)
    centre = (turned.sum(2) * columns).sum(2) / turned.sum((2, 3))
    assert (centre[:, 0] < centre[:, 1]).all(), "the first region stays at the left of the picture, mirrored or not"


SIDE, GRID, COUNT = 192, 48, 24
UNKNOWN = 255.0


def letter(side: int) -> Tensor:
    """``[side, side]``: a thick L, which no rotation makes its own mirror image."""
    out = torch.zeros(side, side)
    unit = side // 16
    out[4 * unit : 11 * unit, 6 * unit : 8 * unit] = 1.0
    out[9 * unit : 11 * unit, 6 * unit : 11 * unit] = 1.0
    return out


def overlap(first: Tensor, second: Tensor) -> float:
    return float((first & second).sum() / (first | second).sum())


def views(*, flip: bool, seed: int = 4) -> tuple[Tensor, Tensor]:
    images = letter(SIDE).expand(COUNT, 1, SIDE, SIDE).clone()
    masks = letter(GRID).expand(COUNT, 1, GRID, GRID).clone()
    schedule = Schedule(epochs=1, flip=flip, rotate_deg=20.0)
    return augment(images, masks, schedule, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("flip", [False, True])
def test_image_and_mask_move_together(flip: bool) -> None:
    images, masks = views(flip=flip)
    seen = avg_pool2d((images > 0.45).float(), SIDE // GRID)[:, 0] > 0.5
    together = [overlap(s, m == 1) for s, m in zip(seen, masks[:, 0], strict=True)]
    still = [overlap(s, letter(GRID) == 1) for s in seen]
    assert min(together) > 0.8
    assert sum(together) / COUNT > 0.9
    assert sum(still) / COUNT < 0.7, "the views must really differ from the original, or this test proves nothing"


def _is_mirrored(image: Tensor) -> bool:
    """Whether an L seen at any small turn is the mirror image: its foot points left of its stem."""
    upper, lower = image[: SIDE // 2], image[SIDE // 2 :]
    columns = torch.arange(SIDE, dtype=torch.float32)
    return bool((lower.sum(0) * columns).sum() / lower.sum() < (upper.sum(0) * columns).sum() / upper.sum())


def test_flip_only_where_asked() -> None:
    plain, _ = views(flip=False)
    flipped, _ = views(flip=True)
    assert not any(_is_mirrored((i[0] > 0.45).float()) for i in plain)
    assert 4 < sum(_is_mirrored((i[0] > 0.45).float()) for i in flipped) < COUNT - 4


def test_unknown_stays_unknown_and_known_is_binary() -> None:
    images = torch.rand(COUNT, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    masks = torch.full((COUNT, 2, GRID, GRID), UNKNOWN)
    masks[:, 1] = letter(GRID)
    moved, out = augment(images, masks, Schedule(epochs=1), torch.Generator().manual_seed(2))
    assert (out[:, 0] == UNKNOWN).all()
    assert set(out[:, 1].unique().tolist()) == {0.0, 1.0}
    assert float(moved.min()) >= 0.0
    assert float(moved.max()) <= 1.0


def test_a_finding_that_left_the_view_becomes_unknown() -> None:
    masks = torch.zeros(COUNT, 1, GRID, GRID)
    masks[:, 0, 0, 0] = 1.0
    _, out = augment(torch.zeros(COUNT, 1, SIDE, SIDE), masks, Schedule(epochs=1), torch.Generator().manual_seed(6))
    gone = (out[:, 0] == UNKNOWN).all(dim=2).all(dim=1)
    shown = (out[:, 0] == 1).any(dim=2).any(dim=1)
    assert gone.any(), "in some of the views the corner must be outside"
    assert (gone ^ shown).all()


def test_dropping_a_channel_leaves_the_first() -> None:
    images = torch.full((COUNT, 2, 64, 64), 0.5)
    masks = torch.full((COUNT, 1, 16, 16), UNKNOWN)
    schedule = Schedule(epochs=1, drop_channel=0.5)
    moved, _ = augment(images, masks, schedule, torch.Generator().manual_seed(8))
    dropped = (moved[:, 1] == 0).all(dim=2).all(dim=1)
    assert 4 < int(dropped.sum()) < COUNT - 4
    assert (moved[:, 0].mean(dim=(1, 2)) > 0.2).all()


def test_the_same_seed_gives_the_same_views() -> None:
    first, second, other = views(flip=True), views(flip=True), views(flip=True, seed=5)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])
