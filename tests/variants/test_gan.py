"""What is special to the first GAN: its two generator losses."""

import math

import pytest
import torch

from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import GAN, MinimaxGAN
from tests.helpers.games import small


def exchange(model: GAN, logit: float) -> GameBatch:
    """An exchange after which the discriminator says ``logit`` to everything."""
    model.discriminator = Constant(logit)
    return GameBatch(torch.zeros(4, 1, 16, 16), fake=torch.zeros(4, 1, 16, 16, requires_grad=True))


class Constant(torch.nn.Module):
    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.tensor(logit))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logit + 0 * images.flatten(1).sum(1)


def test_value_at_the_optimum() -> None:
    """At D = 1/2, V(D, G) = -log 4 and the saturating loss is log(1/2) (Goodfellow 2014, theorem 1)."""
    for variant, generator_loss in [(GAN, math.log(2)), (MinimaxGAN, math.log(0.5))]:
        model = small(variant)
        batch = exchange(model, 0.0)
        assert sum(model.discriminator_loss(batch).values()).item() == pytest.approx(math.log(4))
        assert sum(model.generator_loss(batch).values()).item() == pytest.approx(generator_loss)


def test_only_the_minimax_gradient_vanishes_when_the_discriminator_is_sure() -> None:
    gradients = []
    for variant in (GAN, MinimaxGAN):
        model = small(variant)
        batch = exchange(model, -12.0)
        sum(model.generator_loss(batch).values()).backward()
        gradients.append(abs(model.discriminator.logit.grad.item()))
    assert gradients[0] == pytest.approx(1, abs=1e-4)
    assert gradients[1] < 1e-4


def test_the_networks_are_the_papers() -> None:
    model = GAN()
    assert sum(weight.numel() for weight in model.generator.parameters()) == 2_503_984
    assert sum(weight.numel() for weight in model.discriminator.parameters()) == 1_231_441
