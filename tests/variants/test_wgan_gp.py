"""What is special to WGAN-GP: the penalty, a critic without BatchNorm, and the paper's Adam."""

import pytest
import torch
from torch import nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ConvDiscriminator
from gan_lightning.variants import WGANGP
from tests.helpers.games import answered, small
from tests.helpers.parameters import n_parameters, without_memory


@pytest.mark.parametrize("n", [1, 5])
def test_penalty_of_a_line(n: int) -> None:
    """D(x) = w . x has the gradient norm |w| at every point between real and fake."""
    model = small(WGANGP)
    line = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    model.discriminator = line
    batch = GameBatch(torch.randn(n, 1, 16, 16), fake=torch.randn(n, 1, 16, 16))
    for norm in (1.0, 3.0):
        line[1].weight.data *= norm / line[1].weight.data.norm()
        penalty = model.discriminator_penalty(batch)["gradient_penalty"].item()
        assert penalty == pytest.approx(10 * (norm - 1) ** 2, abs=1e-4)


def test_the_paper_is_the_default() -> None:
    with without_memory():
        model = WGANGP()
    assert n_parameters(model.generator) == 1_204_483
    assert n_parameters(model.discriminator) == 1_053_825
    assert not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.discriminator.modules())
    assert (model.n_critic, model.penalty_weight) == (5, 10.0)
    for optimizer in model.configure_optimizers()[0]:
        assert optimizer.param_groups[0]["lr"] == 1e-4
        assert optimizer.param_groups[0]["betas"] == (0.0, 0.9)


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(WGANGP), real=[0.5, 3.0], fake=[-1.0, 4.0])
    assert discriminator == pytest.approx({"real": -1.75, "fake": 1.5})
    assert generator == pytest.approx({"adversarial": -1.5})


def test_a_critic_with_batch_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="BatchNorm ties the images of a batch together"):
        small(WGANGP, discriminator=ConvDiscriminator)
    with pytest.raises(ValueError, match="penalty_weight is -1"):
        small(WGANGP, penalty_weight=-1)
