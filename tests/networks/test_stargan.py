"""StarGAN's networks: those of the authors' code, layer by layer."""

import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import StarGANDiscriminator, StarGANGenerator
from tests.helpers.parameters import n_parameters, without_memory


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def layers_of(network: nn.Module) -> list[tuple[str, ...]]:
    """Kind, channels in and out, kernel, stride, padding and bias of every convolution; names of all else."""
    described = []
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            assert part.padding_mode == "zeros"
            sizes = (part.in_channels, part.out_channels, part.kernel_size[0], part.stride[0], part.padding[0])
            kind = nn.Conv2d if isinstance(part, nn.Conv2d) else nn.ConvTranspose2d  # a subclass computes it faster
            described.append((kind.__name__, *sizes, part.bias is not None))
        elif not list(part.children()):
            described.append((type(part).__name__,))
    return described


def test_parameter_counts_are_the_papers() -> None:
    with without_memory():
        counts = [n_parameters(make()) for make in (StarGANGenerator, StarGANDiscriminator)]
    assert counts == [8_430_528, 44_762_048]  # 53.2 million together


def test_generator_layers_are_the_authors() -> None:
    end = [("InstanceNorm2d",), ("ReLU",)]
    inner = ("Conv2d", 256, 256, 3, 1, 1, False)
    assert layers_of(StarGANGenerator()) == [
        *[("Conv2d", 8, 64, 7, 1, 3, False), *end],
        *[("Conv2d", 64, 128, 4, 2, 1, False), *end],
        *[("Conv2d", 128, 256, 4, 2, 1, False), *end],
        *[inner, *end, inner, ("InstanceNorm2d",)] * 6,
        *[("ConvTranspose2d", 256, 128, 4, 2, 1, False), *end],
        *[("ConvTranspose2d", 128, 64, 4, 2, 1, False), *end],
        ("Conv2d", 64, 3, 7, 1, 3, False),
        ("Tanh",),
    ]


def test_discriminator_layers_are_the_authors() -> None:
    channels = [3, 64, 128, 256, 512, 1024, 2048]
    convolutions = [("Conv2d", channels[i], channels[i + 1], 4, 2, 1, True) for i in range(6)]
    network = StarGANDiscriminator()
    assert layers_of(network) == [
        *[layer for convolution in convolutions for layer in (convolution, ("LeakyReLU",))],
        ("Conv2d", 2048, 1, 3, 1, 1, False),
        ("Conv2d", 2048, 5, 2, 1, 0, False),
    ]
    assert {part.negative_slope for part in network.modules() if isinstance(part, nn.LeakyReLU)} == {0.01}
    patches, attributes = network(torch.randn(2, 3, 128, 128))
    assert (patches.shape, attributes.shape) == ((2, 1, 2, 2), (2, 5))


def test_a_block_adds_to_what_comes_in() -> None:
    block = StarGANGenerator(width=2, n_blocks=1).layers[9]
    features = torch.randn(2, 8, 8, 8)
    assert_close(block(features), features + block.layers(features))


def test_initial_weights_are_pytorchs() -> None:
    for network in (StarGANGenerator(), StarGANDiscriminator()):
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                bound = (part.in_channels * part.kernel_size[0] * part.kernel_size[1]) ** -0.5
                assert part.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_evaluation_is_as_training() -> None:
    """Running statistics, which the authors' code remembers and never uses, would make them differ."""
    generator = StarGANGenerator((3, 16, 16), width=4, n_blocks=1)
    images, attributes = torch.randn(4, 3, 16, 16), torch.eye(5)[:4]
    trained = generator(images, attributes)
    assert not list(generator.buffers())
    assert_close(generator.eval()(images, attributes), trained, rtol=0, atol=0)
    assert_close(generator(images[2:3], attributes[2:3]), trained[2:3])
    assert all(part.affine for part in generator.modules() if isinstance(part, nn.InstanceNorm2d))


def test_attributes_survive_the_first_norm() -> None:
    """InstanceNorm takes away what a constant map adds, but for the borders, where zeros cut the kernel."""
    generator = StarGANGenerator((3, 16, 16), width=4, n_blocks=1)
    image = torch.randn(1, 3, 16, 16)
    one, other = (generator(image, torch.eye(5)[i : i + 1]) for i in (0, 1))
    assert (one - other).abs().max() > 0.01
    for part in generator.modules():
        if isinstance(part, nn.Conv2d):
            part.padding_mode, part._reversed_padding_repeated_twice = "reflect", [part.padding[0]] * 4
    one, other = (generator(image, torch.eye(5)[i : i + 1]) for i in (0, 1))
    assert_close(one, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "patches"), [(4, 2), (8, 2), (16, 2), (32, 2), (48, 3), (64, 2), (100, 3), (128, 2), (256, 4)]
)
def test_other_sides(side: int, patches: int) -> None:
    scores, logits = StarGANDiscriminator((1, side, side), 3, width=2)(torch.randn(2, 1, side, side))
    assert (scores.shape, logits.shape) == ((2, 1, patches, patches), (2, 3))
    if side > 4:
        generator = StarGANGenerator((1, side, side), 3, width=2, n_blocks=1)
        assert generator(torch.randn(2, 1, side, side), torch.ones(2, 3)).shape == (2, 1, side, side)


def test_sides_that_do_not_fit_are_refused() -> None:
    for side in (30, 4):
        message = f"StarGANGenerator needs sides that are multiples of 4 from 8 up, not {side} x {side}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            StarGANGenerator((3, side, side))
    for side, n_layers in ((3, None), (16, 5), (16, 0)):
        with pytest.raises(ValueError, match=f"{side} x {side} and n_layers {n_layers or 0} do not fit"):
            StarGANDiscriminator((3, side, side), n_layers=n_layers)
