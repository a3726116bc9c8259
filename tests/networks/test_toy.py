"""The networks for points, against the paper's sizes and initial weights."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import PointDiscriminator, PointGenerator


def linear(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]


def test_layers_are_the_papers() -> None:
    """256 - 128 - 128 - 2, and 2 - 128 - 1."""
    sizes = [[tuple(layer.weight.shape) for layer in linear(net)] for net in (PointGenerator(), PointDiscriminator())]
    assert sizes == [[(128, 256), (128, 128), (2, 128)], [(128, 2), (1, 128)]]
    deep = PointDiscriminator(hidden=5, n_hidden=3)
    assert [tuple(layer.weight.shape) for layer in linear(deep)] == [(5, 2), (5, 5), (5, 5), (1, 5)]
    assert [tuple(layer.weight.shape) for layer in linear(PointGenerator(latent_dim=3, n_hidden=0))] == [(2, 3)]


@pytest.mark.parametrize("gain", [0.8, 1.4])
def test_weights_are_orthogonal(gain: float) -> None:
    for network in (PointGenerator(gain=gain), PointDiscriminator(gain=gain)):
        for layer in linear(network):
            weight = layer.weight if layer.weight.shape[0] <= layer.weight.shape[1] else layer.weight.T
            assert_close(weight @ weight.T, gain**2 * torch.eye(len(weight)), rtol=0, atol=1e-5)
            assert not layer.bias.any()


def test_a_case_worked_by_hand() -> None:
    """relu(4 / 4) - 3 * relu(-8 / 4) + 0.5 and relu(1) - 3 * relu(2) + 0.5."""
    discriminator = PointDiscriminator(hidden=2)
    first, last = linear(discriminator)
    with torch.no_grad():
        first.weight.copy_(torch.eye(2))
        last.weight.copy_(torch.tensor([[1.0, -3.0]]))
        last.bias.fill_(0.5)
    points = torch.tensor([[4.0, -8.0], [4.0, 8.0]])[..., None, None]
    assert_close(discriminator(points), torch.tensor([1.5, -4.5]))


def test_points_may_lie_anywhere() -> None:
    points = PointGenerator(latent_dim=5)(100 * torch.randn(64, 5))
    assert points.shape == (64, 2, 1, 1)
    assert points.abs().max() > 4


def test_every_parameter_learns() -> None:
    generator, discriminator = PointGenerator(latent_dim=5), PointDiscriminator(n_hidden=2)
    discriminator(generator(torch.randn(8, 5))).square().sum().backward()
    for parameter in [*generator.parameters(), *discriminator.parameters()]:
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
