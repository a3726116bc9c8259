"""What is special to the maximum-likelihood loss: beside the optimal discriminator its gradient is the likelihood's."""

import math

import numpy as np
import pytest
import torch

from gan_lightning import losses
from gan_lightning.variants import MaximumLikelihoodGAN
from tests.helpers.games import answered, small

NODES, WEIGHTS = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(60))
"""Of the mean over a standard normal variable, exact for polynomials up to degree 119."""


def expected_loss_gradient(mean: float, log_deviation: float, of_data: tuple[float, float]) -> torch.Tensor:
    """d L_G / d (mean, log deviation) of x = mean + deviation z, against the discriminator that is optimal there."""
    parameters = torch.tensor([mean, log_deviation], dtype=torch.float64, requires_grad=True)
    x = parameters[0] + parameters[1].exp() * NODES
    data = torch.distributions.Normal(*of_data)
    made = torch.distributions.Normal(mean, math.exp(log_deviation))  # D is no function of the generator
    logits = data.log_prob(x) - made.log_prob(x)
    # The mean over z by quadrature: the loss of each node is -1/2 exp(logit).
    each = torch.stack([losses.maximum_likelihood_generator(logit)["adversarial"] for logit in logits])
    loss = (WEIGHTS / WEIGHTS.sum() * each).sum()
    return torch.autograd.grad(loss, parameters)[0]


@pytest.mark.parametrize("of_data", [(0.0, 1.0), (0.5, 0.8), (-0.7, 0.6)])
@pytest.mark.parametrize(("mean", "log_deviation"), [(0.0, 0.0), (0.3, 0.2), (-0.4, 0.1)])
def test_with_the_optimal_discriminator_it_is_maximum_likelihood(
    mean: float, log_deviation: float, of_data: tuple[float, float]
) -> None:
    """The gradient of KL(p_data || p_G) between two normal distributions, in closed form, halved."""
    data_mean, data_deviation = of_data
    variance, difference = math.exp(2 * log_deviation), mean - data_mean
    of_kl = [difference / variance, 1 - (data_deviation**2 + difference**2) / variance]
    found = expected_loss_gradient(mean, log_deviation, of_data)
    # The integrand is no polynomial: with 60 nodes these five digits are reached in all cases, nine in most.
    torch.testing.assert_close(found, torch.tensor(of_kl, dtype=torch.float64) / 2, rtol=1e-5, atol=1e-6)


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(MaximumLikelihoodGAN, side=8), real=[0.0, 0.0], fake=[0.0, math.log(3)])
    assert discriminator == pytest.approx({"real": math.log(2), "fake": (math.log(2) + math.log(4)) / 2})
    assert generator == pytest.approx({"adversarial": -(1 + 3) / 4})
