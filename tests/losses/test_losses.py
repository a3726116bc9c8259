"""Losses against hand-worked values, PyTorch's own cross-entropy and the papers' identities."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import losses
from gan_lightning.losses import Terms

# An energy is low where an image looks real, a logit is high: the energies have tests of their own. So have the
# relativistic losses, whose generator is shown real images too, the matching-aware one and those of three classes,
# which have three batches.
OF_THEIR_OWN = ("energy_", "relativistic", "matching_aware", "ternary")
LOGIT_LOSSES = {name: loss for name, loss in vars(losses).items() if not name.startswith(OF_THEIR_OWN)}
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


def test_energy_balance_by_hand():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([4.0, 8.0])
    terms = losses.energy_balance_discriminator(real, fake, k=torch.tensor(0.25))
    assert {name: term.item() for name, term in terms.items()} == {"real": 2, "fake": -1.5}


@pytest.mark.parametrize(
    ("k", "real", "fake", "then"),
    [
        (0.5, 4.0, 1.0, 0.6),  # 0.5 + 0.1 (0.5 * 4 - 1)
        (0.5, 4.0, 3.0, 0.4),
        (0.05, 4.0, 3.0, 0.0),
        (0.95, 4.0, 1.0, 1.0),
    ],
)
def test_the_next_balance_by_hand(k, real, fake, then):
    """Good fakes, of a low energy, turn the discriminator's attention to them."""
    k, real, fake = (torch.tensor(value) for value in (k, real, fake))
    assert losses.next_balance(k, real, fake, gamma=0.5, rate=0.1).item() == pytest.approx(then)


def test_convergence_by_hand():
    assert losses.convergence(torch.tensor(4.0), torch.tensor(3.5), gamma=0.5).item() == 5.5
    assert losses.convergence(torch.tensor(4.0), torch.tensor(0.5), gamma=0.5).item() == 5.5


RELATIVISTIC = {name: loss for name, loss in vars(losses).items() if name.startswith("relativistic")}


def softplus(t: float) -> float:
    return math.log(1 + math.exp(t))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # s = (1, 3) and s' = (0, -2), with the means 2 and -1.
        ("relativistic", (softplus(-1) + softplus(-5)) / 2),
        ("relativistic_average", (softplus(-2) + softplus(-4)) / 4 + (softplus(-2) + softplus(-4)) / 4),
        ("relativistic_average_least_squares", (1 + 9) / 4 + (1 + 9) / 4),
        ("relativistic_average_hinge", 0),
    ],
)
def test_relativistic_by_hand(form, expected):
    own, other = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -2.0])
    assert RELATIVISTIC[form](own, other).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # The other player's loss: s = (0, -2) and s' = (1, 3), with the means -1 and 2.
        ("relativistic", (softplus(1) + softplus(5)) / 2),
        ("relativistic_average", (softplus(2) + softplus(4)) / 2),
        ("relativistic_average_least_squares", (9 + 25) / 2),
        ("relativistic_average_hinge", (3 + 5) / 2),
    ],
)
def test_relativistic_with_the_roles_exchanged_by_hand(form, expected):
    own, other = torch.tensor([0.0, -2.0]), torch.tensor([1.0, 3.0])
    assert RELATIVISTIC[form](own, other).item() == pytest.approx(expected)


def test_all_relativistic_forms_are_tested():
    assert len(RELATIVISTIC) == 4


@pytest.mark.parametrize("form", RELATIVISTIC)
def test_relativistic_losses_compare(form):
    loss, equal = RELATIVISTIC[form], torch.full((5, 1), 3.0)
    undecided = math.log(2) if form in ("relativistic", "relativistic_average") else 1
    assert loss(equal, equal).item() == pytest.approx(undecided)
    own, other = torch.randn(2, 7, dtype=torch.float64)
    assert_close(loss(own + 100, other + 100), loss(own, other))


@pytest.mark.parametrize("form", RELATIVISTIC)
def test_relativistic_shapes_cannot_broadcast(form):
    """A column and a row would pair every image with every other."""
    own, other = torch.randn(2, 4)
    if form == "relativistic":
        for column, row in [(own[:, None], other), (own, other[:3]), (own[:1], other)]:
            with pytest.raises(ValueError, match="the shapes of the logits must agree: got"):
                RELATIVISTIC[form](column, row)
    else:
        assert_close(RELATIVISTIC[form](own[:, None], other), RELATIVISTIC[form](own, other))
        assert RELATIVISTIC[form](own, other[:3]).isfinite()


def test_relativistic_means_carry_a_gradient():
    """Of 1/2 (s - E s' - 1)^2 + 1/2 (s' - E s + 1)^2, one image each: d/ds = d + d, with d = s - s' - 1."""
    own = torch.tensor([0.5], requires_grad=True)
    losses.relativistic_average_least_squares(own, torch.tensor([2.0])).backward()
    assert own.grad.item() == pytest.approx(2 * (0.5 - 2 - 1))


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
