"""How labels enter networks, and spectral normalisation."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import (
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    ConvDiscriminator,
    ConvGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
)
from gan_lightning.networks.layers.labels import ConditionalBatchNorm2d
from gan_lightning.networks.layers.spectral import spectral_norm


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


GENERATORS: list[Any] = [
    lambda: ConditionalMLPGenerator((1, 16, 16), 4, 3),
    lambda: ConvGenerator((1, 16, 16), 4, 3, width=4),
    lambda: ResNetGenerator((1, 16, 16), 4, 3, width=4),
    lambda: SNGANGenerator((1, 16, 16), 4, 3, width=4),
]
DISCRIMINATORS: list[Any] = [
    lambda: ConditionalMLPDiscriminator((1, 16, 16), 3),
    lambda: ConvDiscriminator((1, 16, 16), 3, width=4),
    lambda: ResNetDiscriminator((1, 16, 16), 3, width=4),
    lambda: SNGANDiscriminator((1, 16, 16), 3, width=4),
]


@pytest.mark.parametrize("make", GENERATORS)
def test_a_class_is_told_to_the_generator(make: Any) -> None:
    generator = make().eval()
    for name, parameter in generator.named_parameters():
        if name.endswith(("scale", "offset")):
            nn.init.normal_(parameter)
    latent, labels = torch.randn(1, 4).expand(3, 4), torch.tensor([0, 2, 0])
    images = generator(latent, labels)
    assert_close(images[0], images[2])
    assert not torch.allclose(images[0], images[1])


@pytest.mark.parametrize("make", DISCRIMINATORS)
def test_a_class_is_told_to_the_discriminator(make: Any) -> None:
    logits = make().eval()(torch.randn(1, 1, 16, 16).expand(3, -1, -1, -1), torch.tensor([0, 2, 0]))
    assert logits.shape == (3,)
    assert_close(logits[0], logits[2])
    assert not torch.allclose(logits[0], logits[1])


def test_conditional_batch_norm_by_hand() -> None:
    norm = ConditionalBatchNorm2d(1, num_classes=2)
    norm.scale.data = torch.tensor([[1.0], [3.0]])
    norm.offset.data = torch.tensor([[0.0], [5.0]])
    x = torch.tensor([-1.0, 1.0])[:, None, None, None]  # mean 0, variance 1
    assert_close(norm(x, torch.tensor([0, 1])).flatten(), torch.tensor([-1.0, 8.0]), atol=1e-4, rtol=0)
    assert norm.norm.eps == 1e-5
    wide = x.expand(2, 4, 1, 1)
    assert_close(ConditionalBatchNorm2d(4, 3)(wide, torch.tensor([0, 2])), wide, atol=1e-4, rtol=0)


def test_only_the_blocks_have_conditional_batch_norm() -> None:
    layers = SNGANGenerator(num_classes=10, width=4).layers
    inside = [m for layer in layers for m in layer.modules() if isinstance(m, ConditionalBatchNorm2d)]
    assert len(inside) == 6
    assert [type(layer) for layer in layers][-4] is nn.BatchNorm2d


def test_projection_is_an_inner_product_with_the_class() -> None:
    network = ResNetDiscriminator((1, 16, 16), 3, width=4)
    image, labels = torch.randn(5, 1, 16, 16), torch.tensor([0, 1, 2, 0, 1])
    features = network.blocks(image).mean(dim=(2, 3))
    assert network.embedding is not None
    vectors = network.linear.weight + network.embedding.weight[labels]
    assert_close(network(image, labels), (vectors * features).sum(1) + network.linear.bias)


def sigma(layer: Any) -> float:
    return torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()


def normalised(network: nn.Module) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding)]


def test_spectral_norm_of_every_weight_of_the_discriminator_becomes_one() -> None:
    network = SNGANDiscriminator((3, 32, 32), num_classes=10, width=8)
    layers = normalised(network)
    assert any(isinstance(layer, nn.Embedding) for layer in layers)
    for _ in range(100):  # one power iteration each
        network(torch.randn(2, 3, 32, 32), torch.tensor([1, 2]))
    network.eval()
    assert [sigma(layer) for layer in layers] == pytest.approx([1] * len(layers), rel=0.01)


def test_power_iteration_advances_once_a_forward_pass_and_stands_still_in_evaluation() -> None:
    network = spectral_norm(nn.Sequential(nn.Linear(5, 4, bias=False)))
    layer: Any = network[0]
    weight = layer.parametrizations.weight.original
    weight.data = torch.randn(4, 5)
    state: Any = layer.parametrizations.weight[0]
    # One iteration: u from v, then v from u.
    u = nn.functional.normalize(weight @ state._v, dim=0)
    v = nn.functional.normalize(weight.T @ u, dim=0)
    x = torch.randn(3, 5)
    assert_close(network(x), x @ weight.T / (u @ weight @ v))
    assert_close(state._u, u)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    assert len(before) == 2
    network.eval()(x)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_the_gradient_passes_through_the_spectral_norm() -> None:
    """With sigma = u'Wv and u, v constant: the gradient of W / sigma along W itself is 0."""
    network = spectral_norm(nn.Sequential(nn.Linear(5, 4, bias=False)))
    layer: Any = network[0]
    network(torch.randn(3, 5)).square().sum().backward()
    weight = layer.parametrizations.weight.original
    assert (weight * weight.grad).sum().item() == pytest.approx(0, abs=1e-5)
    assert weight.grad.abs().sum() > 0.01


def test_the_generator_of_sngan_is_not_normalised() -> None:
    assert not any("parametrizations" in name for name in SNGANGenerator(width=4).state_dict())


def test_the_discriminator_of_sngan_sums_over_space() -> None:
    network = SNGANDiscriminator((3, 32, 32), width=4).eval()
    image = torch.randn(2, 3, 32, 32)
    assert network.linear.bias is None
    assert_close(network(image), network.linear(network.blocks(image).sum(dim=(2, 3))).squeeze(1))
