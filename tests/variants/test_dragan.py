"""What is special to DRAGAN: the penalty around real images, one norm a sample, and no BatchNorm."""

import pytest
import torch
from torch import nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ConvDiscriminator
from gan_lightning.variants import DRAGAN
from tests.helpers.games import answered, small


@pytest.mark.parametrize("n", [1, 5])
def test_penalty_of_a_line(n: int) -> None:
    """D(x) = w . x has the gradient norm |w| everywhere; one norm over the batch would be sqrt(n) |w|."""
    model = small(DRAGAN)
    line = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    model.discriminator = line
    batch = GameBatch(torch.randn(n, 1, 16, 16))  # no fakes: the penalty is around the data
    for norm in (1.0, 3.0):
        line[1].weight.data *= norm / line[1].weight.data.norm()
        penalty = model.discriminator_penalty(batch)["gradient_penalty"].item()
        assert penalty == pytest.approx(10 * (norm - 1) ** 2, abs=1e-4)


def test_the_argument_says_how_far_around_the_data() -> None:
    """D(x) = 1/2 |x|^2 has the gradient x, whose norm is 1 at the data and more around it."""
    model = small(DRAGAN, perturbation=0.0)
    model.discriminator = nn.Sequential(Square(), nn.Flatten(), nn.Linear(256, 1, bias=False))
    nn.init.constant_(model.discriminator[2].weight, 0.5)
    images = torch.full((3, 1, 16, 16), 1 / 16)
    images[:, :, :8] *= -1
    assert model.discriminator_penalty(GameBatch(images))["gradient_penalty"].item() == pytest.approx(0, abs=1e-6)
    model.perturbation = 0.5
    assert model.discriminator_penalty(GameBatch(images))["gradient_penalty"].item() > 1e-4


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square()


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(DRAGAN), real=[0.0, 0.0], fake=[0.0, 0.0])
    assert discriminator == pytest.approx({"real": 0.693147, "fake": 0.693147})
    assert generator == pytest.approx({"adversarial": 0.693147})


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"DRAGAN penalises .* BatchNorm ties the images of a batch together"):
        small(DRAGAN, discriminator=ConvDiscriminator)
    with pytest.raises(ValueError, match="penalty_weight is -1"):
        small(DRAGAN, penalty_weight=-1)
    with pytest.raises(ValueError, match="perturbation is -1: it must be at least 0"):
        small(DRAGAN, perturbation=-1)
