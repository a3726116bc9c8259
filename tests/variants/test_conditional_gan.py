"""What is special to the conditional GAN: the class reaches both players."""

import pytest
import torch

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.variants import ConditionalGAN
from tests.helpers.games import small
from tests.helpers.parameters import n_parameters, without_memory


def test_the_networks_are_the_papers() -> None:
    with without_memory():
        model = ConditionalGAN()
    assert n_parameters(model.generator) == 2_413_984
    assert n_parameters(model.discriminator) == 1_224_351


@pytest.mark.parametrize("networks", [{}, {"generator": ConvGenerator, "discriminator": ConvDiscriminator}])
def test_both_players_are_told_the_class(networks: dict[str, type]) -> None:
    model = small(ConditionalGAN, **networks).eval()
    latent = torch.randn(1, 4).expand(10, 4)
    images = model.generate_fakes(GameBatch(None, torch.arange(10), latent))
    assert len(torch.unique(images.flatten(1), dim=0)) == 10
    assert torch.equal(images, model.generator(latent, torch.arange(10)))
    same = images[:1].expand(10, -1, -1, -1)
    assert len(torch.unique(model.discriminator(same, torch.arange(10)))) == 10


def test_real_and_fake_are_judged_with_the_same_labels() -> None:
    model = small(ConditionalGAN)
    told: list[torch.Tensor] = []
    model.discriminator.register_forward_hook(lambda _, inputs, __: told.append(inputs[1]))
    batch = model.draw_latents(model.prepare_batch((torch.zeros(5, 1, 16, 16), torch.tensor([3, 1, 4, 1, 5]))))
    batch = GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))
    model.discriminator_loss(batch)
    model.generator_loss(batch)
    assert [labels.tolist() for labels in told] == [[3, 1, 4, 1, 5]] * 3
