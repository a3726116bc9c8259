"""What is special to DCGAN: its networks, its Adam, and the optional R1."""

import math

import pytest
import torch

from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import DCGAN
from tests.helpers.games import answered, small
from tests.helpers.parameters import n_parameters, without_memory


def test_the_paper_is_the_default() -> None:
    with without_memory():
        model = DCGAN()
    assert n_parameters(model.generator) == 3_576_704
    assert n_parameters(model.discriminator) == 2_765_568
    for optimizer in model.configure_optimizers()[0]:
        assert optimizer.param_groups[0]["lr"] == 2e-4
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)
    assert model.discriminator_penalty(GameBatch(torch.zeros(2, 3, 64, 64))) == {}


def test_r1_is_half_gamma_times_the_squared_gradient() -> None:
    """D(x) = w . x has the gradient w everywhere."""
    model = small(DCGAN, side=8, r1_weight=0.3)
    line = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    model.discriminator = line
    penalty = model.discriminator_penalty(GameBatch(torch.randn(5, 1, 8, 8)))
    assert penalty["r1"].item() == pytest.approx(0.15 * line[1].weight.square().sum().item(), rel=1e-5)


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(DCGAN, side=8), real=[0.5, 3.0], fake=[-1.0, 4.0])

    def softplus(x: float) -> float:
        return math.log(1 + math.exp(x))

    assert discriminator == pytest.approx(
        {"real": (softplus(-0.5) + softplus(-3)) / 2, "fake": (softplus(-1) + softplus(4)) / 2}
    )
    assert generator == pytest.approx({"adversarial": (softplus(1) + softplus(-4)) / 2})


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="r1_weight is -1"):
        small(DCGAN, r1_weight=-1)
