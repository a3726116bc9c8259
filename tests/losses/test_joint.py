"""Losses of two heads against the sums of the authors' codes, written out with binary cross-entropies."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.losses import Terms, joint_discrimination, joint_generation


def cost(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


@pytest.fixture
def logits() -> list[Tensor]:
    """r, r_t, w_t, f, f_t."""
    torch.manual_seed(0)
    return list(3 * torch.randn(5, 7, dtype=torch.float64))


def total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def test_averaged_as_in_stackgan_and_attngan(logits: list[Tensor]) -> None:
    r, rt, wt, f, ft = logits
    expected = (cost(r, 1) + cost(rt, 1)) / 2 + (cost(f, 0) + cost(ft, 0) + cost(wt, 0)) / 3
    assert_close(total(joint_discrimination((r, rt), wt, (f, ft))), expected)


def test_summed_as_in_stackgan_plus_plus(logits: list[Tensor]) -> None:
    r, rt, wt, f, ft = logits
    # A wrong pair's image is real: its own head wants 1.
    expected = (cost(rt, 1) + cost(r, 1)) + (cost(wt, 0) + cost(r, 1)) + (cost(ft, 0) + cost(f, 0))
    assert_close(total(joint_discrimination((r, rt), wt, (f, ft), is_summed=True)), expected)


@pytest.mark.parametrize("is_summed", [False, True])
def test_without_the_head_of_images(is_summed: bool, logits: list[Tensor]) -> None:
    _, rt, wt, _, ft = logits
    expected = cost(rt, 1) + (cost(wt, 0) + cost(ft, 0)) / 2
    assert_close(total(joint_discrimination((None, rt), wt, (None, ft), is_summed)), expected)


def test_generator(logits: list[Tensor]) -> None:
    *_, f, ft = logits
    assert_close(total(joint_generation((f, ft))), cost(f, 1) + cost(ft, 1))
    assert_close(total(joint_generation((None, ft))), cost(ft, 1))
