"""What is special to feature matching: what the features are, whose means are compared, and who learns by it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import frozen
from gan_lightning.networks import ConvDiscriminator, MLPDiscriminator, PatchDiscriminator, ResNetDiscriminator
from gan_lightning.networks.layers.last_layer import features, last_layer
from gan_lightning.variants import FeatureMatchingGAN
from tests.helpers.games import small


def means(*pixels: list[float]) -> Tensor:
    return torch.tensor(pixels, dtype=torch.float32)[:, None, None, :]


def test_the_squared_distance_of_means_by_hand() -> None:
    """Features are twice the two pixels: the means (4, 0) and (1, 2) are (3, -2) apart."""
    model: Any = small(FeatureMatchingGAN)
    double = nn.Linear(2, 2, bias=False)
    double.weight.data = 2 * torch.eye(2)
    model.discriminator = nn.Sequential(nn.Flatten(), double, nn.Linear(2, 1))
    batch = GameBatch(means([3, 1], [1, -1]), fake=means([0, 0], [1, 2], [0.5, 1]))
    terms = model.generator_loss(batch)
    assert terms.keys() == {"feature_matching"}
    assert terms["feature_matching"].item() == pytest.approx(9 + 4)


def test_only_the_generator_learns_by_it_and_only_through_its_own_images() -> None:
    model: Any = small(FeatureMatchingGAN)
    real = torch.randn(4, 1, 16, 16, requires_grad=True)
    fake = model.generate_fakes(model.draw_latents(GameBatch(real)))
    with frozen(model.discriminator):
        model.generator_loss(GameBatch(real, fake=fake))["feature_matching"].backward()
    assert real.grad is None
    assert all(weight.grad is None for weight in model.discriminator.parameters())
    assert all(weight.grad is not None and weight.grad.any() for weight in model.generator.parameters())
    assert not last_layer(model.discriminator)[1]._forward_pre_hooks


@pytest.mark.parametrize("network", [MLPDiscriminator, ConvDiscriminator, ResNetDiscriminator, PatchDiscriminator])
def test_the_last_layer_makes_the_logits_of_the_features(network: Any) -> None:
    discriminator = network((1, 32, 32)).eval()
    images = torch.randn(3, 1, 32, 32)
    _, layer = last_layer(discriminator)
    seen = features(discriminator, images)
    assert seen.shape[0] == 3
    shaped = (
        seen
        if isinstance(layer, nn.Linear)
        else seen.unflatten(1, (layer.in_channels, -1)).unflatten(
            2, (int((seen.shape[1] // layer.in_channels) ** 0.5), -1)
        )
    )
    torch.testing.assert_close(layer(shaped).flatten(), discriminator(images).flatten())


def test_a_compiled_discriminator_shows_its_features() -> None:
    model: Any = small(FeatureMatchingGAN, side=8)
    batch = model.draw_latents(GameBatch(torch.randn(4, 1, 8, 8)))
    batch = GameBatch(batch.real, fake=model.generate_fakes(batch))
    expected = model.generator_loss(batch)["feature_matching"]
    model.discriminator.compile(backend="eager")
    model.discriminator(batch.real)
    torch.testing.assert_close(model.generator_loss(batch)["feature_matching"], expected)


def test_a_network_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="Flatten has no linear layer and no convolution"):
        features(nn.Flatten(), torch.zeros(1, 2))
