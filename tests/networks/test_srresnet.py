"""SRGAN's networks against the paper's counts, and against the same layers written out in torch's own."""

import re
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import SRGANDiscriminator, SRResNet
from tests.helpers.parameters import n_parameters


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def same_weights(network: nn.Module, reference: nn.Module) -> None:
    """Gives a network the weights of another whose layers come in the same order, whatever their names."""
    with torch.no_grad():
        for value in reference.state_dict().values():
            if value.ndim == 1:
                value.uniform_(0.5, 1.5)
            elif value.ndim > 1:
                value.normal_(0, value[0].numel() ** -0.5)  # No part outweighs the others.
    names, values = network.state_dict().keys(), reference.state_dict().values()
    network.load_state_dict(dict(zip(names, values, strict=True)))


class Reference(nn.Module):
    """The generator of figure 4, flat, as a reimplementation would have it; it is given images in [0, 1]."""

    def __init__(self, n_doublings: int, n_blocks: int) -> None:
        super().__init__()
        kernels = [9, *[3] * (2 * n_blocks), 3]
        layers: list[nn.Module] = []
        for number, kernel in enumerate(kernels):
            layers.append(nn.Conv2d(64 if number else 3, 64, kernel, 1, kernel // 2))
            layers += [nn.BatchNorm2d(64)] if number else []
            layers += [nn.PReLU()] if (number % 2 == 1 and number < len(kernels) - 1) or number == 0 else []
        for _ in range(n_doublings):
            layers += [nn.Conv2d(64, 256, 3, 1, 1), nn.PReLU()]
        self.layers = nn.ModuleList([*layers, nn.Conv2d(64, 3, 9, 1, 4)])
        self.n_doublings, self.n_blocks = n_doublings, n_blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = iter(self.layers)

        def through(count: int, x: torch.Tensor) -> torch.Tensor:
            for _ in range(count):
                x = next(layers)(x)
            return x

        first = x = through(2, x)
        for _ in range(self.n_blocks):
            x = x + through(5, x)
        x = through(2, x) + first
        for _ in range(self.n_doublings):
            x = through(1, nn.functional.pixel_shuffle(through(1, x), 2))
        return through(1, x)


@pytest.mark.parametrize(("scale", "count"), [(4, 1_549_462), (2, 1_401_749)])
def test_the_generator_is_the_papers(scale: int, count: int) -> None:
    # At x2 there is one 3 x 3 convolution of 64 to 256 channels less, with its bias and slope.
    assert 1_549_462 - 1_401_749 == 64 * 256 * 9 + 256 + 1
    network = SRResNet((3, 24, 24), (3, 24 * scale, 24 * scale))
    assert n_parameters(network) == count
    reference = Reference(scale.bit_length() - 1, n_blocks=16)
    shapes = [[tuple(value.shape) for value in part.state_dict().values()] for part in (network, reference)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("scale", [2, 4])
def test_the_generator_computes_what_the_reference_does(scale: int) -> None:
    network, reference = SRResNet((3, 8, 8), (3, 8 * scale, 8 * scale), n_blocks=2), Reference(scale // 2, 2)
    same_weights(network, reference)
    network.eval(), reference.eval()
    images = torch.rand(2, 3, 5, 7)
    assert_close(network(2 * images - 1), reference(images), rtol=1e-4, atol=1e-4)
    assert network(images).shape == (2, 3, 5 * scale, 7 * scale)


def test_the_output_has_no_bound() -> None:
    network = SRResNet((3, 8, 8), (3, 16, 16), width=4, n_blocks=1)
    nn.init.constant_(network.last.bias, 3.0)
    assert network(torch.rand(1, 3, 8, 8)).max() > 1.5


@pytest.mark.parametrize(("scale", "n_blocks"), [(2, 1), (4, 1), (4, 3), (8, 0)])
def test_reach_is_how_far_a_pixel_sees(scale: int, n_blocks: int) -> None:
    side = 41
    network = SRResNet((1, side, side), (1, side * scale, side * scale), width=2, n_blocks=n_blocks).double().eval()
    for weight in network.parameters():
        nn.init.constant_(weight, 0.1)  # Positive: nothing cancels.
    images = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2 * scale
    network(images)[:, :, middle : middle + scale, middle : middle + scale].sum().backward()
    assert images.grad is not None
    seen = images.grad[0, 0].nonzero()
    assert (seen.min(), seen.max()) == (side // 2 - network.reach, side // 2 + network.reach)


def test_the_papers_generator_sees_40_pixels_far() -> None:
    assert SRResNet().reach == 40


@pytest.mark.parametrize("made", [(3, 24, 24), (3, 72, 72), (3, 96, 48), (3, 100, 96), (3, 12, 12)])
def test_enlargements_that_cannot_be(made: tuple[int, int, int]) -> None:
    sentence = f"not {made[1]} x {made[2]} of 24 x 24: change the data's scale."
    with pytest.raises(ValueError, match=f"^SRResNet makes images .* {re.escape(sentence)}$"):
        SRResNet((3, 24, 24), made)


def test_the_discriminator_is_the_papers() -> None:
    network = SRGANDiscriminator()
    assert n_parameters(network) == 23_565_505
    channels, strides = [3, 64, 64, 128, 128, 256, 256, 512, 512], [1, 2] * 4
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(channels)):
        layers.append(nn.Conv2d(inputs, outputs, 3, strides[number], 1))
        layers += [nn.BatchNorm2d(outputs)] if number else []
        layers.append(nn.LeakyReLU(0.2))
    head = [nn.Flatten(), nn.Linear(512 * 6 * 6, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1)]
    reference = nn.Sequential(*layers, *head)
    assert [type(layer) for layer in network.layers] == [type(layer) for layer in reference]
    with torch.no_grad():
        network.load_state_dict(dict(zip(network.state_dict(), reference.state_dict().values(), strict=True)))
        images = torch.randn(2, 3, 96, 96)
        assert_close(network(images), reference(images)[:, 0])


def test_the_discriminator_judges_other_sizes() -> None:
    for side in (16, 40, 41):
        assert SRGANDiscriminator((1, side, side), width=2, hidden=3)(torch.randn(2, 1, side, side)).shape == (2,)
