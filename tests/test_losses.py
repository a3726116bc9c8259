"""Losses against hand-worked values, PyTorch's own cross-entropy and the papers' identities."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import losses
from gan_lightning.losses import Terms

# An energy is low where an image looks real, a logit is high: the energies have tests of their own.
LOGIT_LOSSES = {name: loss for name, loss in vars(losses).items() if not name.startswith("energy_")}
DISCRIMINATOR_LOSSES = [loss for name, loss in LOGIT_LOSSES.items() if name.endswith("_discriminator")]
GENERATOR_LOSSES = [loss for name, loss in LOGIT_LOSSES.items() if name.endswith("_generator")]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def generator_gradient(loss, logit: float) -> float:
    logits = torch.tensor([logit], requires_grad=True)
    total(loss(logits)).backward()
    return logits.grad.item()


def test_minimax_at_the_optimum():
    undecided = torch.zeros(5, 1)  # D = 1/2 everywhere
    value = -total(losses.minimax_discriminator(undecided, undecided))
    assert value.item() == pytest.approx(-math.log(4))
    assert total(losses.minimax_generator(undecided)).item() == pytest.approx(math.log(1 / 2))
    assert total(losses.non_saturating_generator(undecided)).item() == pytest.approx(math.log(2))


def test_minimax_agrees_with_binary_cross_entropy():
    real, fake = 3 * torch.randn(2, 7, 1, 4, 4, dtype=torch.float64)
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    terms = losses.minimax_discriminator(real, fake)
    assert_close(terms["real"], F.binary_cross_entropy_with_logits(real, ones))
    assert_close(terms["fake"], F.binary_cross_entropy_with_logits(fake, zeros))
    assert_close(losses.minimax_generator(fake)["adversarial"], -F.binary_cross_entropy_with_logits(fake, zeros))
    assert_close(losses.non_saturating_generator(fake)["adversarial"], F.binary_cross_entropy_with_logits(fake, ones))


def test_smoothing_is_one_sided():
    real, fake = 3 * torch.randn(2, 7, dtype=torch.float64)
    terms = losses.minimax_discriminator(real, fake, real_target=0.9)
    assert_close(terms["real"], F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9)))
    assert_close(terms["fake"], F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)))
    optimum = torch.tensor(math.log(9.0), requires_grad=True)  # D = 0.9
    losses.minimax_discriminator(optimum, fake, real_target=0.9)["real"].backward()
    assert optimum.grad.item() == pytest.approx(0, abs=1e-6)


def test_only_the_minimax_generator_saturates():
    sure_it_is_fake = -30.0
    assert generator_gradient(losses.minimax_generator, sure_it_is_fake) == pytest.approx(0, abs=1e-9)
    assert generator_gradient(losses.non_saturating_generator, sure_it_is_fake) == pytest.approx(-1)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_stay_finite(logit):
    logits = torch.full((3,), logit, requires_grad=True)
    for loss in GENERATOR_LOSSES:
        total(loss(logits)).backward()
    for loss in DISCRIMINATOR_LOSSES:
        value = total(loss(logits, logits))
        assert value.isfinite()
        value.backward()
    assert logits.grad.isfinite().all()
    assert total(losses.non_saturating_generator(logits)).item() == pytest.approx(max(0, -logit))


def test_least_squares_by_hand():
    real, fake = torch.tensor([3.0, 0.0]), torch.tensor([2.0, -4.0])
    terms = losses.least_squares_discriminator(real, fake)
    assert terms["real"].item() == pytest.approx(1.25)  # (2^2 + 1^2) / 2 / 2
    assert terms["fake"].item() == pytest.approx(5)  # (2^2 + 4^2) / 2 / 2
    assert losses.least_squares_generator(fake)["adversarial"].item() == pytest.approx(6.5)  # (1 + 25) / 2 / 2


def test_least_squares_is_pearson_chi_squared():
    """On two points with p_d = (3/4, 1/4) and p_g = (1/4, 3/4), each image standing for a mass of 1/4."""
    best = torch.tensor([0.5, -0.5], requires_grad=True)  # (b p_d + a p_g) / (p_d + p_g)
    real, fake = best[[0, 0, 0, 1]], best[[0, 1, 1, 1]]
    total(losses.least_squares_discriminator(real, fake, real_target=1, fake_target=-1)).backward()
    assert_close(best.grad, torch.zeros(2))
    on_real = losses.least_squares_generator(real, target=0)["adversarial"]
    on_fake = losses.least_squares_generator(fake, target=0)["adversarial"]
    chi_squared = (0.5 - 1) ** 2 / 1 + (1.5 - 1) ** 2 / 1  # sum of (2 p_g - (p_d + p_g))^2 / (p_d + p_g)
    assert (2 * (on_real + on_fake)).item() == pytest.approx(chi_squared)


def test_wasserstein_by_hand():
    real, fake = torch.tensor([[5.0], [1.0]]), torch.tensor([[-2.0], [6.0]])
    terms = losses.wasserstein_discriminator(real, fake)
    assert terms["real"].item() == pytest.approx(-3)
    assert terms["fake"].item() == pytest.approx(2)
    assert losses.wasserstein_generator(fake)["adversarial"].item() == pytest.approx(-2)


def test_wasserstein_keeps_its_digits_in_bfloat16():
    real, fake = torch.full((64,), 100.0), torch.full((64,), 100.0)
    real[:16] = 101.0  # a distance of 1/4, where bfloat16's step is 1/2
    terms = losses.wasserstein_discriminator(real.bfloat16(), fake.bfloat16())
    assert total(terms).item() == pytest.approx(-0.25)


@pytest.mark.parametrize("loss", DISCRIMINATOR_LOSSES)
def test_discriminator_terms(loss):
    real, fake = torch.randn(2, 4, 1, 3, 3)
    terms = loss(real, fake)
    assert list(terms) == ["real", "fake"]
    assert all(term.shape == () for term in terms.values())
    # Real and fake batches may differ in size, and descending the loss must raise D(real) and lower D(fake).
    real, fake = torch.zeros(6, requires_grad=True), torch.full((4,), 0.5, requires_grad=True)
    total(loss(real, fake)).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("loss", GENERATOR_LOSSES)
def test_generator_terms(loss):
    terms = loss(torch.randn(4, 1, 3, 3))
    assert list(terms) == ["adversarial"]
    assert terms["adversarial"].shape == ()
    assert generator_gradient(loss, 0.0) < 0


def test_hinge_by_hand():
    terms = losses.hinge_discriminator(torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, -0.5, 1.0]))
    assert terms["real"].item() == pytest.approx((0 + 0.5 + 2) / 3)
    assert terms["fake"].item() == pytest.approx((0 + 0.5 + 2) / 3)
    assert losses.hinge_generator(torch.tensor([3.0, 5.0]))["adversarial"].item() == -4  # no hinge here


def test_energy_hinge_is_per_image():
    """Of the energies 0 and 12 with margin 10, the first costs 10; the hinge of their mean would cost 4."""
    terms = losses.energy_discriminator(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 12.0]), margin=10)
    assert terms["real"].item() == 2
    assert terms["fake"].item() == 5
    assert losses.energy_generator(torch.tensor([0.0, 12.0]))["adversarial"].item() == 6


def test_pulling_away_takes_two():
    with pytest.raises(ValueError, match="a batch needs 2 at least: raise batch_size"):
        losses.pulling_away(torch.ones(1, 5))


def test_pulling_away_by_hand():
    east, north, west = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 3.0]), torch.tensor([-5.0, 0.0])
    assert losses.pulling_away(torch.stack([east, north])).item() == pytest.approx(0)
    # Squared: opposite codes are as alike as equal ones.
    assert losses.pulling_away(torch.stack([east, west])).item() == pytest.approx(1)
    # Of the six ordered pairs, two are parallel.
    assert losses.pulling_away(torch.stack([east, north, west])).item() == pytest.approx(1 / 3)
    diagonal = torch.tensor([1.0, 1.0])
    assert losses.pulling_away(torch.stack([east, diagonal]).reshape(2, 2, 1, 1)).item() == pytest.approx(0.5)


def test_gaussian_nll_agrees_with_pytorchs_distribution():
    value, mean, log_variance = torch.randn(3, 5, 2, dtype=torch.float64)
    expected = -torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(value).sum(1).mean()
    assert_close(losses.gaussian_nll(value, mean, log_variance), expected)
