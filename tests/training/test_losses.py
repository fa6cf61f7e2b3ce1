"""The losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import anatomy_loss, clear_loss, evidence_losses, expected_loss, gather_loss, label_loss

pytestmark = pytest.mark.training
NAN = float("nan")
EPSILON = 1e-3


def evidence_loss(evidence: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The share loss alone."""
    count = evidence.shape[1]
    return evidence_losses(evidence, masks, torch.ones(count), torch.zeros(count))[0]


def test_label_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0], [-1.0, 0.5]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    weight = torch.tensor([1.0, 3.0])
    by_hand = (
        math.log(2)  # positive at logit 0
        + math.log1p(math.exp(2.0))  # negative at logit 2
        + math.log1p(math.exp(-1.0))  # negative at logit -1
        + 3.0 * math.log1p(math.exp(-0.5))  # positive at logit 0.5, weight 3
    ) / 4
    assert float(label_loss(logits, labels, weight)) == pytest.approx(by_hand, rel=1e-6)


def test_an_unknown_label_counts_for_nothing() -> None:
    logits = torch.tensor([[0.3, 9.0], [-0.7, -9.0]], requires_grad=True)
    labels = torch.tensor([[1.0, NAN], [0.0, NAN]])
    loss = label_loss(logits, labels, torch.ones(2))
    loss.backward()
    alone = label_loss(logits[:, :1].detach(), labels[:, :1], torch.ones(1))
    assert float(loss.detach()) == pytest.approx(float(alone), rel=1e-6)
    assert logits.grad is not None
    assert torch.equal(logits.grad[:, 1], torch.zeros(2))
    assert (logits.grad[:, 0] != 0).all()


def test_no_known_label_gives_zero_and_not_nan() -> None:
    logits = torch.tensor([[0.3, 9.0]], requires_grad=True)
    loss = label_loss(logits, torch.full((1, 2), NAN), torch.ones(2))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(1, 2))


def test_evidence_loss_by_hand() -> None:
    evidence = torch.tensor([[[[3.0, 1.0], [-5.0, 0.0]]]])  # positive evidence 3 + 1
    masks = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])  # 3 of 4 inside
    assert float(evidence_loss(evidence, masks)) == pytest.approx(-math.log(0.75 + EPSILON), abs=1e-5)


def test_a_finer_mask_covers_every_cell_it_touches() -> None:
    evidence = torch.tensor([[[[2.0, 6.0], [0.0, 0.0]]]])
    masks = torch.zeros(1, 1, 4, 4)
    masks[0, 0, 1, 3] = 1.0  # one fine cell in the upper right coarse cell: 6 of 8 inside
    assert float(evidence_loss(evidence, masks)) == pytest.approx(-math.log(0.75 + EPSILON), abs=1e-5)


def test_findings_of_unknown_place_are_left_out() -> None:
    evidence = torch.tensor([[[[3.0, 1.0]], [[0.0, 7.0]]]], requires_grad=True)
    masks = torch.tensor([[[[1.0, 0.0]], [[255.0, 255.0]]]])
    loss = evidence_loss(evidence, masks)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-math.log(0.75 + EPSILON), abs=1e-5)
    assert evidence.grad is not None
    assert torch.equal(evidence.grad[0, 1], torch.zeros(1, 2))


def test_nothing_known_gives_zero_that_can_be_differentiated() -> None:
    evidence = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = evidence_loss(evidence, torch.full((2, 3, 8, 8), 255.0))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert evidence.grad is not None
    assert torch.equal(evidence.grad, torch.zeros_like(evidence))


def test_no_positive_evidence_gives_a_finite_loss() -> None:
    evidence = torch.full((1, 1, 2, 2), -1.0, requires_grad=True)
    loss = evidence_loss(evidence, torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-math.log(EPSILON), rel=1e-4)


def test_a_step_down_the_gradient_moves_evidence_inside() -> None:
    evidence = (torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(3)) + 0.1).requires_grad_()
    masks = torch.zeros(1, 1, 6, 6)
    masks[0, 0, 1:3, 2:5] = 1.0

    def share(values: torch.Tensor) -> float:
        positive = values.clamp(min=0)
        return float((positive * masks).sum() / positive.sum())

    evidence_loss(evidence, masks).backward()
    assert evidence.grad is not None
    inside, outside = evidence.grad[masks == 1], evidence.grad[masks == 0]
    assert (inside < 0).all()
    assert (outside > 0).all()
    assert share((evidence - 0.5 * evidence.grad).detach()) > share(evidence.detach())


def test_evidence_of_the_mask_s_own_shape_has_no_shape_loss() -> None:
    masks = torch.zeros(1, 1, 8, 8)
    masks[0, 0, 2:5, 3:7] = 1.0
    right = torch.where(masks == 1, 1.0, -1.0)
    scale, offset = torch.full((1,), 3.0), torch.zeros(1)
    good = evidence_losses(right, masks, scale, offset)[1]
    wrong = evidence_losses(-right, masks, scale, offset)[1]
    assert float(good) < 0.01
    assert float(wrong) > 0.9


def test_anatomy_loss_knows_this_region_or_the_last() -> None:
    drawn = torch.full((1, 2, 4, 4), 0.01)
    drawn[0, 0, :2], drawn[0, 1, 2:] = 0.99, 0.99
    both = torch.full((1, 2, 4, 4), 255.0)
    both[0, 0] = 2.0  # all of it is the first region or the last
    strict = both.clone()
    strict[0, 0] = 1.0
    assert float(anatomy_loss(drawn, both)) < 0.05
    assert float(anatomy_loss(drawn, strict)) > 0.5
    assert float(anatomy_loss(drawn, torch.full((1, 2, 4, 4), 255.0))) == 0.0


def test_expected_loss_counts_present_findings_inside_drawn_regions() -> None:
    evidence = torch.zeros(2, 1, 4, 4)
    evidence[:, 0, 0, 0], evidence[:, 0, 3, 3] = 3.0, 1.0
    drawn = torch.zeros(2, 1, 8, 8)
    drawn[:, 0, :4, :4] = 1.0
    labels = torch.tensor([[1.0], [0.0]])
    got = expected_loss(evidence, drawn, labels, [[0]], 0)
    assert float(got) == pytest.approx(-math.log(0.75 + EPSILON), abs=1e-5)
    assert float(expected_loss(evidence, drawn, labels, [[]], 0)) == 0.0
    assert float(expected_loss(evidence, drawn, labels * 0, [[0]], 0)) == 0.0


def test_clear_loss_by_hand() -> None:
    evidence = torch.tensor([[[[0.5, -1.0]]], [[[3.0, 0.0]]], [[[4.0, 0.0]]]])
    labels = torch.tensor([[0.0], [1.0], [NAN]])
    loss = clear_loss(evidence, labels, torch.zeros(1), torch.full((1,), -1.0), torch.tensor([True]))
    strongest = math.log(2) * 2 * 0.5 - 1.0  # softplus(0) x cells x strongest cell of the one absent finding + offset
    assert float(loss) == pytest.approx(math.log1p(math.exp(strongest)), rel=1e-6)


def test_clear_loss_leaves_alone_what_has_no_place_and_teaches_no_scale() -> None:
    evidence = torch.ones(1, 2, 2, 2, requires_grad=True)
    scale, offset = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    clear_loss(evidence, torch.zeros(1, 2), scale, offset, torch.tensor([True, False])).backward()
    assert evidence.grad is not None
    assert evidence.grad[0, 0].any()
    assert not evidence.grad[0, 1].any()
    assert scale.grad is None
    assert offset.grad is None
    nothing = clear_loss(evidence, torch.ones(1, 2), scale, offset, torch.tensor([True, True]))
    assert float(nothing.detach()) == 0.0


def test_gather_loss_by_hand() -> None:
    shares = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.7, 0.1, 0.1, 0.1]]))
    unknown = torch.full((1, 1, 2, 2), 255.0)
    masks = torch.cat([torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]), unknown])
    assert float(gather_loss(shares, masks)) == pytest.approx(-math.log(0.375), rel=1e-6)


def test_gather_loss_takes_places_of_all_findings_together() -> None:
    shares = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]]))
    one = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    other = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    unknown = torch.full((2, 2), 255.0)
    assert float(gather_loss(shares, torch.stack([one, other, unknown])[None])) == pytest.approx(-math.log(0.75))


def test_gather_loss_without_shares_or_places_is_nothing() -> None:
    masks = torch.full((1, 1, 2, 2), 255.0)
    assert float(gather_loss(None, masks)) == 0.0
    assert float(gather_loss(torch.log(torch.full((1, 4), 0.25)), masks)) == 0.0


def test_gather_loss_pulls_shares_to_the_place() -> None:
    score = torch.zeros(1, 4, requires_grad=True)
    masks = torch.tensor([[[[0.0, 0.0], [1.0, 0.0]]]])
    gather_loss(torch.log_softmax(score, dim=1), masks).backward()
    assert score.grad is not None
    assert torch.allclose(score.grad, torch.tensor([[0.25, 0.25, -0.75, 0.25]]))
