"""R3GAN's networks against the paper's function in plain torch, their first weights, images of any proportions."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.r3gan import Bottleneck
from tests.helpers.parameters import n_parameters, without_memory


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def shaken(network: Any) -> Any:
    """Double precision, and every weight at random, so that no layer is idle, as the last of a block is at first."""
    network.double()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.7 / max(1, weight[0].numel()) ** 0.5)
    return network


def block(x: Tensor, weights: dict[str, Tensor], name: str, groups: int) -> Tensor:
    """1 x 1 to twice the width, grouped 3 x 3, 1 x 1 back, a biased LeakyReLU after the first two."""

    def layer(number: int) -> Tensor:
        return weights[f"{name}.layers.{number}.weight"]

    def activated(y: Tensor, number: int) -> Tensor:
        y = y + weights[f"{name}.layers.{number}.bias"].view(1, -1, 1, 1)
        return torch.where(y > 0, y, 0.2 * y)

    y = activated(torch.einsum("oi,nihw->nohw", layer(0)[:, :, 0, 0], x), 0)
    # Group by group: channels of one see none of another.
    parts = zip(y.chunk(groups, dim=1), layer(2).chunk(groups), strict=True)
    y = activated(torch.cat([F.conv2d(part, weight, padding=1) for part, weight in parts], dim=1), 2)
    return x + torch.einsum("oi,nihw->nohw", layer(4)[:, :, 0, 0], y)


def resampled(x: Tensor, up: bool) -> Tensor:
    """[1, 2, 1] after pixels are copied, or before the mean of pairs: [1, 3, 3, 1] in each direction."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = torch.outer(row, row).view(1, 1, 4, 4)
    maps = x.reshape(-1, 1, *x.shape[2:])
    y = F.conv_transpose2d(maps, 4 * kernel, stride=2, padding=1) if up else F.conv2d(maps, kernel, None, 2, 1)
    return y.reshape(*x.shape[:2], *y.shape[2:])


@pytest.mark.parametrize("num_classes", [None, 3])
def test_the_generator_is_the_papers_function(num_classes: int | None) -> None:
    network = shaken(R3GANGenerator((2, 16, 24), 5, num_classes, width=[12, 8, 4], n_blocks=2, group_width=4))
    weights = network.state_dict()
    latent, labels = torch.randn(6, 5).double(), torch.arange(6) % 3
    z = latent if num_classes is None else torch.cat([latent, weights["embedding.weight"][labels]], dim=1)
    # A 4 x 6 basis, each channel of it scaled by a linear function of z.
    x = torch.einsum("chw,ci,ni->nchw", weights["basis"], weights["linear.weight"], z)
    for number in (0, 1):
        x = block(x, weights, f"stages.0.{number}", groups=6)
    for stage, groups in ((1, 4), (2, 2)):
        # Narrower, then twice the side.
        x = resampled(torch.einsum("oi,nihw->nohw", weights[f"stages.{stage}.0.weight"][:, :, 0, 0], x), up=True)
        for number in (2, 3):
            x = block(x, weights, f"stages.{stage}.{number}", groups)
    expected = torch.einsum("oi,nihw->nohw", weights["to_image.weight"][:, :, 0, 0], x)
    assert_close(network(latent) if num_classes is None else network(latent, labels), expected)
    assert expected.shape == (6, 2, 16, 24)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_the_discriminator_is_the_papers_function(num_classes: int | None) -> None:
    network = shaken(R3GANDiscriminator((2, 16, 24), num_classes, width=[12, 8, 4], n_blocks=2, group_width=4))
    weights = network.state_dict()
    images, labels = torch.randn(6, 2, 16, 24).double(), torch.arange(6) % 3
    x = torch.einsum("oi,nihw->nohw", weights["from_image.weight"][:, :, 0, 0], images)
    for stage, groups in ((0, 2), (1, 4), (2, 6)):
        for number in (0, 1):
            x = block(x, weights, f"stages.{stage}.{number}", groups)
        if stage < 2:
            narrow = resampled(x, up=False)
            x = torch.einsum("oi,nihw->nohw", weights[f"stages.{stage}.3.weight"][:, :, 0, 0], narrow)
    features = torch.einsum("nchw,chw,oc->no", x, weights["basis.weight"][:, 0], weights["linear.weight"])
    if num_classes is None:
        assert_close(network(images), features[:, 0])
    else:
        assert features.shape[1] == 12
        assert_close(network(images, labels), (features * weights["embedding.weight"][labels]).sum(1))


@pytest.mark.parametrize(
    ("network", "count"),
    [
        # CIFAR-10 with classes: per block 768 * 1536 * 2 + 1536 * 16 * 9 + 2 * 1536, eight of them.
        (lambda: R3GANGenerator(num_classes=10), 8 * 2_583_552 + 768 * 16 + 768 * 128 + 768 * 3 + 10 * 64),
        (lambda: R3GANDiscriminator(num_classes=10), 8 * 2_583_552 + 768 * 16 + 768 * 768 + 768 * 3 + 10 * 768),
        (lambda: R3GANDiscriminator(), 8 * 2_583_552 + 768 * 16 + 768 + 768 * 3),
    ],
    ids=["G", "D", "D without classes"],
)
def test_parameters_of_the_cifar_networks(network: Any, count: int) -> None:
    with without_memory():
        assert n_parameters(network()) == count


def test_widths_halve_above_32_pixels_as_for_ffhq() -> None:
    network = R3GANGenerator((3, 256, 256), width=96, n_blocks=1, group_width=2)
    widths = [part.layers[0].in_channels for part in network.modules() if isinstance(part, Bottleneck)]
    assert widths == [96, 96, 96, 96, 48, 24, 12]
    judge = R3GANDiscriminator((3, 64, 64), width=96, n_blocks=1, group_width=2)
    widths = [part.layers[0].in_channels for part in judge.modules() if isinstance(part, Bottleneck)]
    assert widths == [48, 96, 96, 96, 96]


@pytest.mark.parametrize("make", [R3GANGenerator, R3GANDiscriminator])
def test_initial_weights(make: Any) -> None:
    """Normal, of deviation gain over the root of the inputs; the last of each block 0; L^(-1/4) with L blocks."""
    network = make((3, 32, 32), num_classes=10, width=256, n_blocks=2, group_width=16)
    gain = math.sqrt(2 / 1.04) * 8**-0.25
    blocks = [part for part in network.modules() if isinstance(part, Bottleneck)]
    assert len(blocks) == 8

    def deviation(weights: list[Tensor]) -> float:
        return torch.cat([weight.detach().flatten() for weight in weights]).std().item()

    # 1 % are five standard errors of the smallest of these, 8 * 512 * 144 numbers.
    first, middle = ([part.layers[number].weight for part in blocks] for number in (0, 2))
    assert deviation(first) == pytest.approx(gain / math.sqrt(256), rel=0.01)
    assert deviation(middle) == pytest.approx(gain / math.sqrt(16 * 9), rel=0.01)
    assert all(not part.layers[4].weight.any() for part in blocks)
    assert all(not part.layers[number].bias.any() for part in blocks for number in (0, 2))
    # Five standard errors: 5 / sqrt(2 n).
    for weight, expected in _ends(network):
        assert deviation([weight]) == pytest.approx(expected, rel=5 / math.sqrt(2 * weight.numel()))
    # Every block is the identity at first.
    x = torch.randn(2, 256, 4, 4)
    assert torch.equal(blocks[0](x), x)


def _ends(network: Any) -> list[tuple[Tensor, float]]:
    """Weights outside the blocks, and their deviation."""
    if isinstance(network, R3GANGenerator):
        ends = [(network.basis, 1.0), (network.linear.weight, 1 / math.sqrt(128)), (network.to_image.weight, 1 / 16)]
        return [*ends, (network.embedding.weight, 1 / math.sqrt(10))]
    ends = [(network.from_image.weight, 1 / math.sqrt(3)), (network.basis.weight, 1 / 4)]
    return [*ends, (network.linear.weight, 1 / 16), (network.embedding.weight, 1 / math.sqrt(10 * 256))]


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 16, 32), (2, 24, 8), (3, 5, 4), (3, 80, 20)])
def test_images_of_any_proportions_and_channels(shape: tuple[int, int, int]) -> None:
    generator, judge = R3GANGenerator(shape, 6, width=8, n_blocks=1), R3GANDiscriminator(shape, width=8, n_blocks=1)
    images = generator(torch.randn(3, 6))
    assert images.shape == (3, *shape)
    assert judge(images).shape == (3,)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((3, 100, 100), "multiples of 16 where the shorter one is 100, not 100 x 100: set the data's image_size to 96"),
        ((3, 64, 70), r"multiples of 16 .* not 64 x 70: set the data's image_size to \[64, 64\]"),
        ((2, 1, 1), "images from 4 x 4 up, and the data has points: take networks of points"),
    ],
)
@pytest.mark.parametrize("make", [R3GANGenerator, R3GANDiscriminator])
def test_other_sizes_are_refused(make: Any, shape: tuple[int, int, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make(shape, width=8)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": [8, 8]}, r"width is \[8, 8\]: images of this shape take 3 stages"),
        ({"width": 8, "group_width": 12}, "twice the width of each stage, .* must be a multiple of group_width"),
        ({"width": [8, 8, 0]}, "must be a multiple of group_width"),
        ({"width": 8, "group_width": 0}, "group_width is 0: it must be at least 1"),
    ],
)
def test_widths_that_do_not_fit_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        R3GANGenerator((3, 16, 16), **options)
