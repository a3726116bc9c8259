"""What is special to SAGAN: attention, and spectral normalisation and rates of both players."""

from typing import Any

import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import SAGANDiscriminator, SAGANGenerator
from gan_lightning.networks.layers.attention import SelfAttention
from gan_lightning.variants import SAGAN
from tests.helpers.games import small


def test_attention_by_hand() -> None:
    """Against the paper's sums, place by place: the softmax is over the places looked at."""
    torch.manual_seed(0)
    layer = SelfAttention(16)
    layer.gamma.data.fill_(0.5)
    x = torch.randn(2, 16, 4, 6)
    f, h = (nn.functional.max_pool2d(part(x), 2).flatten(2) for part in (layer.key, layer.value))
    g = layer.query(x).flatten(2)
    out = torch.zeros(2, 8, 24)
    for n in range(2):
        for j in range(24):
            scores = torch.stack([f[n, :, i] @ g[n, :, j] for i in range(6)])
            beta = scores.exp() / scores.exp().sum()
            out[n, :, j] = sum(beta[i] * h[n, :, i] for i in range(6))
    assert_close(layer(x), x + 0.5 * layer.output(out.unflatten(2, (4, 6))))


def test_attention_starts_as_the_identity_and_can_learn() -> None:
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gamma.grad is not None
    assert layer.gamma.grad != 0


def test_both_players_are_normalised() -> None:
    model: Any = small(SAGAN)
    for network in (model.generator, model.discriminator):
        layers = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding)]
        assert sum(isinstance(part, SelfAttention) for part in network.modules()) == 1
        assert all(hasattr(layer, "parametrizations") for layer in layers)
    # Scales and offsets of BatchNorm are no weights that map features to features.
    assert all("norm" not in name for name, _ in model.generator.named_parameters() if "original" in name)


def test_the_networks_are_the_authors() -> None:
    """Attention at 32 x 32, where the generator has 256 channels and the discriminator 128."""
    generator, discriminator = SAGANGenerator(num_classes=10), SAGANDiscriminator(num_classes=10)
    places: list[tuple[int, ...]] = []
    for network in (generator, discriminator):
        for part in network.modules():
            if isinstance(part, SelfAttention):
                part.register_forward_hook(lambda _, inputs, __: places.append(tuple(inputs[0].shape[1:])))
    with torch.no_grad():
        images = generator.eval()(torch.randn(1, 128), torch.tensor([3]))
        assert discriminator.eval()(images, torch.tensor([3])).shape == (1,)
    assert images.shape == (1, 3, 128, 128)
    assert places == [(256, 32, 32), (128, 32, 32)]
    blocks = [block for block in discriminator.blocks if hasattr(block, "residual")]
    assert [block.residual[3].out_channels for block in blocks] == [64, 128, 256, 512, 1024, 1024]
    assert blocks[-1].shortcut is None


def test_the_papers_rates() -> None:
    model = small(SAGAN)
    discriminator, generator = (optimizer.param_groups[0] for optimizer in model.configure_optimizers()[0])
    assert (generator["lr"], discriminator["lr"]) == (1e-4, 4e-4)
    assert generator["betas"] == discriminator["betas"] == (0.0, 0.9)
    assert model.n_critic == 1
