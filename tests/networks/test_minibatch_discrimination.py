"""Minibatch discrimination against a case worked by hand and a loop, in every discriminator that gives one logit."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.networks import (
    ClassifyingDiscriminator,
    ConditionalMLPDiscriminator,
    ConvDiscriminator,
    MinibatchDiscriminator,
    MLPDiscriminator,
    PatchDiscriminator,
    ResNetDiscriminator,
    SNGANDiscriminator,
)
from gan_lightning.networks.layers.last_layer import features
from gan_lightning.networks.layers.minibatch_discrimination import MinibatchDiscrimination
from gan_lightning.variants import ACGAN, DCGAN, GAN, ConditionalGAN
from tests.helpers.games import SMALL_NETWORKS, example_batch, small

SHAPE = (1, 16, 16)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_by_hand() -> None:
    """Two features, T the identity in one kernel: the similarities of points 0, (1, 1) and (0, 2) in the city."""
    layer = MinibatchDiscrimination(2, n_kernels=1, kernel_dim=2)
    layer.tensor.data = torch.eye(2)[:, None, :]
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    o = 2 * math.exp(-2)  # all three are 2 apart
    assert_close(layer(x), torch.cat([x, torch.full((3, 1), o)], dim=1))
    assert_close(layer(x[:1]), torch.tensor([[0.0, 0.0, 0.0]]))  # alone: nothing, and not 1


def test_against_a_loop() -> None:
    layer = MinibatchDiscrimination(6, n_kernels=3, kernel_dim=4)
    x = torch.randn(5, 6)
    outputs = layer(x)
    for i in range(5):
        for b in range(3):
            m = [layer.tensor[:, b].T @ x[n] for n in range(5)]
            expected = sum(math.exp(-(m[i] - m[j]).abs().sum().item()) for j in range(5) if j != i)
            assert outputs[i, 6 + b].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("network", "num_classes"),
    [
        (MLPDiscriminator, None),
        (ConvDiscriminator, None),
        (ConvDiscriminator, 10),
        (ConditionalMLPDiscriminator, 10),
        (ClassifyingDiscriminator, 10),
        (ResNetDiscriminator, 10),
        (SNGANDiscriminator, None),
    ],
)
def test_any_discriminator_takes_it_and_begins_as_it_was(network: Any, num_classes: int | None) -> None:
    make = partial(network, **SMALL_NETWORKS[network])
    torch.manual_seed(1)
    plain = make(SHAPE, **({} if num_classes is None else {"num_classes": num_classes})).eval()
    torch.manual_seed(1)
    wrapped = MinibatchDiscriminator(SHAPE, num_classes, make, n_kernels=3, kernel_dim=2).eval()
    told = [torch.randn(4, *SHAPE)]
    if num_classes is not None and network is not ClassifyingDiscriminator:
        told.append(torch.arange(4))
    mine, theirs = (one if isinstance(one, tuple) else (one,) for one in (wrapped(*told), plain(*told)))
    for one, other in zip(mine, theirs, strict=True):
        assert one.shape == other.shape
        if network is not SNGANDiscriminator:  # whose last layer's largest singular value is estimated anew
            assert_close(one, other)
    assert features(wrapped, *told).shape[1] == features(plain, *told).shape[1] + 3


def test_the_logit_falls_with_the_company_where_the_weight_is_negative() -> None:
    discriminator = MinibatchDiscriminator(SHAPE, discriminator=partial(ConvDiscriminator, width=4, batch_norm=False))
    linear = discriminator.network.layers[-1][2]
    linear.weight.data[:, -100:] = -1
    image = torch.randn(1, *SHAPE)
    alone, among_copies = discriminator(image), discriminator(image.repeat(5, 1, 1, 1))
    assert_close(among_copies, (alone - 4 * 100).expand(5))


@pytest.mark.parametrize("variant", [GAN, DCGAN, ConditionalGAN, ACGAN])
def test_games_play_with_it(variant: Any) -> None:
    inner = {
        GAN: MLPDiscriminator,
        DCGAN: ConvDiscriminator,
        ConditionalGAN: ConvDiscriminator,
        ACGAN: ClassifyingDiscriminator,
    }[variant]
    recipe = partial(MinibatchDiscriminator, discriminator=partial(inner, **SMALL_NETWORKS[inner]), n_kernels=3)
    model: Any = small(variant, discriminator=recipe)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 4)))
    fake = model.generate_fakes(batch)
    terms = model.discriminator_loss(type(batch)(batch.real, batch.condition, batch.latent, fake).detached())
    sum(terms.values()).backward()
    (layer,) = [part for part in model.discriminator.modules() if isinstance(part, MinibatchDiscrimination)]
    assert layer.tensor.grad is not None
    assert type(model)(**model.hparams).discriminator.load_state_dict(model.discriminator.state_dict())


def test_patches_are_refused() -> None:
    with pytest.raises(ValueError, match="compares whole images, and this discriminator judges patches"):
        MinibatchDiscriminator((1, 32, 32), discriminator=partial(PatchDiscriminator, width=4))


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="n_kernels is 0 and kernel_dim is 5: they must be at least 1"):
        MinibatchDiscrimination(3, n_kernels=0)
