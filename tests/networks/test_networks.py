"""Networks against the papers' parameter counts, shapes and initial statistics."""

import math
import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import (
    BigGANDiscriminator,
    BigGANGenerator,
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    ConvDiscriminator,
    ConvGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
    SAGANDiscriminator,
    SAGANGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
)
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.resnet import DownBlock, UpBlock
from tests.helpers.parameters import n_parameters, without_memory

SMALL = [
    (lambda shape: MLPGenerator(shape, 6, hidden=16), lambda shape: MLPDiscriminator(shape, hidden=8)),
    (lambda shape: ConvGenerator(shape, 6, width=2), lambda shape: ConvDiscriminator(shape, width=2)),
    (
        lambda shape: ConvGenerator(shape, 6, width=2, batch_norm=False),
        lambda shape: ConvDiscriminator(shape, width=2, batch_norm=False),
    ),
    (lambda shape: ResNetGenerator(shape, 6, width=4), lambda shape: ResNetDiscriminator(shape, width=4)),
]
SMALL_IDS = ["mlp", "conv", "conv without batch norm", "resnet"]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def spread(tensor: torch.Tensor) -> float:
    return tensor.detach().std().item()


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (lambda: MLPGenerator((1, 28, 28), latent_dim=100), 2_503_984),
        (lambda: MLPDiscriminator((1, 28, 28)), 1_231_441),
        (lambda: ConvGenerator((3, 64, 64), latent_dim=100, width=64), 3_576_704),
        (lambda: ConvDiscriminator((3, 64, 64), width=64), 2_765_568),
        (lambda: ResNetGenerator((3, 32, 32), latent_dim=128, width=128), 1_204_483),
        (lambda: ResNetDiscriminator((3, 32, 32), width=128), 1_053_825),
        (lambda: ConditionalMLPGenerator((1, 28, 28)), 2_413_984),
        (lambda: ConditionalMLPDiscriminator((1, 28, 28)), 1_224_351),
        (lambda: SNGANGenerator(), 4_276_739),
        (lambda: SNGANDiscriminator(), 1_053_824),
        (lambda: SNGANGenerator(num_classes=10), 4_304_387),
        (lambda: SNGANDiscriminator(num_classes=10), 1_055_104),
        # With the shared class vector and hierarchical latents: together the 158.42 million of the paper's table 1
        (lambda: BigGANGenerator(), 70_433_988),
        (lambda: BigGANDiscriminator(), 87_982_370),
        (lambda: SAGANGenerator(num_classes=1000), 42_078_852),
        (lambda: SAGANDiscriminator(num_classes=1000), 39_463_618),
    ],
)
def test_parameter_counts_are_the_papers(network, count):
    with without_memory():
        assert n_parameters(network()) == count


@pytest.mark.parametrize(("make_generator", "make_discriminator"), SMALL, ids=SMALL_IDS)
@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("n", [1, 3])
def test_shapes_and_ranges(make_generator, make_discriminator, side, n):
    shape = (2, side, side)
    generator = make_generator(shape).eval()
    for parameter in generator.parameters():
        parameter.data.mul_(30)  # fresh weights are so small that the output would stay in range by itself
    fake = generator(torch.randn(n, 6))
    assert fake.shape == (n, *shape)
    assert 0.9 < fake.abs().max() <= 1
    logits = make_discriminator(shape).eval()(fake)
    assert logits.shape == (n,)


def test_smallest_images():
    for width in (16, 2):
        fake = ConvGenerator((1, 8, 8), latent_dim=10, width=width)(torch.randn(4, 10))
        assert fake.shape == (4, 1, 8, 8)
        assert ConvDiscriminator((1, 8, 8), width=width)(fake).shape == (4,)
    assert ResNetGenerator((1, 8, 8), latent_dim=10, width=4)(torch.randn(4, 10)).shape == (4, 1, 8, 8)


@pytest.mark.parametrize(("make_generator", "make_discriminator"), SMALL, ids=SMALL_IDS)
def test_eval_is_deterministic_and_judges_images_one_by_one(make_generator, make_discriminator):
    latent = torch.randn(5, 6)
    generator, discriminator = make_generator((1, 16, 16)).eval(), make_discriminator((1, 16, 16)).eval()
    fake = generator(latent)
    assert_close(generator(latent), fake, rtol=0, atol=0)
    assert_close(discriminator(fake), discriminator(fake), rtol=0, atol=0)
    assert_close(discriminator(fake[2:3]), discriminator(fake)[2:3])


@pytest.mark.parametrize(("make_generator", "make_discriminator"), SMALL, ids=SMALL_IDS)
def test_every_parameter_learns(make_generator, make_discriminator):
    generator, discriminator = make_generator((1, 16, 16)), make_discriminator((1, 16, 16))
    discriminator(generator(torch.randn(8, 6))).square().sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        assert any(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("network", "smallest", "start"),
    [(ConvGenerator, 8, 4), (ConvDiscriminator, 8, 4), (ResNetGenerator, 8, 4), (ResNetDiscriminator, 16, 8)],
)
@pytest.mark.parametrize(
    ("height", "width", "step", "advice"),
    [
        (100, 100, (16, 8), (96, 96)),
        (64, 100, (16, 8), ("[64, 96]", "[64, 96]")),
        (4, 4, (2, 2), (8, 16)),
        (0, 0, (2, 2), (8, 16)),
        (33, 62, (8, 4), ("[32, 64]", "[32, 64]")),
    ],
)
def test_other_resolutions_are_refused(network, smallest, start, height, width, step, advice):
    place = 0 if start == 4 else 1
    shorter = max(smallest, min(height, width))
    message = (
        f"{network.__name__} works on images from {smallest} x {smallest} up whose sides are multiples of "
        f"{step[place]} where the shorter one is {shorter}, not {height} x {width}: set the data's image_size to "
        f"{advice[place]}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        network((3, height, width))


@pytest.mark.parametrize(
    ("shape", "start", "expected"),
    [
        # 2^n and 3 x 2^n, by hand: sides divided by 2^n, the shorter from start to 2 start - 1.
        ((1, 8, 8), 4, (1, (4, 4))),
        ((3, 64, 64), 4, (4, (4, 4))),
        ((3, 64, 64), 8, (3, (8, 8))),
        ((3, 64, 96), 4, (4, (4, 6))),
        ((3, 96, 64), 4, (4, (6, 4))),
        ((3, 96, 96), 4, (4, (6, 6))),
        ((1, 28, 28), 4, (2, (7, 7))),
        ((3, 256, 32), 4, (3, (32, 4))),
    ],
)
def test_the_smallest_map_has_the_aspect_ratio_of_the_image(shape, start, expected):
    assert coarsest_map("Network", shape, smallest=2 * start if start == 4 else 8, start=start) == expected


def test_resnet_discriminator_refuses_an_unknown_pooling():
    with pytest.raises(ValueError, match="pooling is 'max': it must be mean or sum"):
        ResNetDiscriminator(width=4, pooling="max")


def test_dcgan_layers_are_those_of_the_pytorch_example():
    generator = [tuple(t.shape) for t in ConvGenerator().state_dict().values() if t.ndim == 4]
    assert generator == [
        (100, 512, 4, 4),
        (512, 256, 4, 4),
        (256, 128, 4, 4),
        (128, 64, 4, 4),
        (64, 3, 4, 4),
    ]
    discriminator = [tuple(t.shape) for t in ConvDiscriminator().state_dict().values() if t.ndim == 4]
    assert discriminator == [
        (64, 3, 4, 4),
        (128, 64, 4, 4),
        (256, 128, 4, 4),
        (512, 256, 4, 4),
        (1, 512, 4, 4),
    ]
    kinds = [type(layer).__name__ for layer in ConvDiscriminator((3, 32, 32), width=2).layers]
    inner = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *inner, *inner, "Conv2d"]


@pytest.mark.parametrize("network", [ConvGenerator, ConvDiscriminator, ResNetGenerator])
def test_batch_norm_keeps_pytorchs_eps(network):
    norms = [module for module in network().modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.eps == 1e-5 and norm.momentum == 0.1 for norm in norms)


@pytest.mark.parametrize("network", [ConvGenerator, ConvDiscriminator])
def test_batch_norm_can_be_switched_off(network):
    layers = list(network(width=2, batch_norm=False).layers)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in layers)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(layer.bias is not None and not layer.bias.any() for layer in convolutions)
    assert all(layer.bias is None for layer in network(width=2).layers if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("network", [ConvGenerator, ConvDiscriminator])
def test_dcgan_initial_statistics(network):
    layers = list(network().layers)
    weights = torch.cat(
        [layer.weight.flatten() for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    )
    scales = torch.cat([layer.weight for layer in layers if isinstance(layer, nn.BatchNorm2d)])
    assert spread(weights) == pytest.approx(0.02, rel=0.01)
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert scales.mean().item() == pytest.approx(1, abs=0.004)
    assert spread(scales) == pytest.approx(0.02, rel=0.15)
    assert not any(layer.bias.any() for layer in layers if isinstance(layer, nn.BatchNorm2d))


@pytest.mark.parametrize(("network", "limit"), [(MLPGenerator, 0.05), (MLPDiscriminator, 0.005)])
def test_mlp_initial_statistics(network, limit):
    for module in network((1, 28, 28)).modules():
        if isinstance(module, nn.Linear):
            assert module.weight.abs().max() <= limit
            assert spread(module.weight) == pytest.approx(limit / math.sqrt(3), rel=0.1)
            assert not module.bias.any()


def test_maxout_keeps_the_largest_piece():
    maxout = MLPDiscriminator((1, 1, 2), hidden=3, pieces=2).layers[2]
    x = torch.randn(4, 2)
    pieces = x @ maxout.linear.weight.T
    expected = torch.stack([pieces[:, 2 * unit : 2 * unit + 2].max(dim=1).values for unit in range(3)], dim=1)
    assert_close(maxout(x), expected)


def test_mlp_dropout_is_the_papers():
    rates = [module.p for module in MLPDiscriminator((1, 8, 8)).modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.2, 0.5, 0.5]
    assert not any(isinstance(module, nn.Dropout) for module in MLPGenerator((1, 8, 8)).modules())


@pytest.mark.parametrize("network", [ResNetGenerator, ResNetDiscriminator])
def test_resnet_initial_statistics(network):
    """Glorot's standard deviation, times sqrt(2) on the 3 x 3 convolutions of blocks only."""
    for name, weight in network().state_dict().items():
        if name.endswith("weight") and weight.ndim > 1:
            area = math.prod(weight.shape[2:])
            glorot = math.sqrt(2 / ((weight.shape[0] + weight.shape[1]) * area))
            gain = math.sqrt(2) if "residual" in name else 1
            assert spread(weight) == pytest.approx(gain * glorot, rel=0.15), name
        elif name.endswith("bias"):
            assert not weight.any(), name


def test_resnet_pooling():
    mean, total = ResNetDiscriminator(width=4), ResNetDiscriminator(width=4, pooling="sum")
    total.load_state_dict(mean.state_dict())
    image = torch.randn(2, 3, 32, 32)
    assert_close(total(image), 64 * mean(image))  # 8 x 8 pixels; the bias is 0


def test_resnet_shortcuts_are_the_authors():
    """The authors upsample, then convolve; and convolve, then pool in all blocks but the first."""
    x = torch.randn(2, 4, 6, 6)
    up, down = UpBlock(4).eval(), DownBlock(4, 5)
    shortcut = up.shortcut(nn.functional.interpolate(x, scale_factor=2, mode="nearest"))
    assert_close(up(x), shortcut + up.residual(x))
    assert_close(down(x), nn.functional.avg_pool2d(down.shortcut(x), 2) + down.residual(x))


def test_resnet_discriminator_blocks():
    """No norm anywhere, no leading ReLU on the image, and two plain blocks at 8 x 8."""
    discriminator = ResNetDiscriminator((3, 64, 64), width=4)
    assert not any("norm" in type(module).__name__.lower() for module in discriminator.modules())
    assert [type(block).__name__ for block in discriminator.blocks] == ["DownBlock"] * 3 + ["PlainBlock"] * 2 + ["ReLU"]
    assert [isinstance(block.residual[0], nn.ReLU) for block in discriminator.blocks[:-1]] == [False] + [True] * 4
    assert discriminator.blocks(torch.randn(1, 3, 64, 64)).shape == (1, 4, 8, 8)
