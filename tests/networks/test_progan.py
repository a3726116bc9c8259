"""Growing networks: ProGAN's against plain functional torch, fades of both families, what grows with the level."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from gan_lightning.networks import ProGANDiscriminator, ProGANGenerator, StyleGANDiscriminator, StyleGANGenerator
from gan_lightning.networks.layers.equalized import LEAKY_GAIN, EqualizedConv2d, EqualizedLinear
from gan_lightning.networks.layers.growing import faded
from gan_lightning.optimizers import ProGANAdam

SHAPE = (3, 16, 24)
SMALL: dict[str, Any] = {"channel_base": 32, "max_channels": 10}
STYLE: dict[str, Any] = {"style_dim": 5, "mapping_depth": 2}


def randomised(network: nn.Module) -> nn.Module:
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(("bias", "strength", "constant")):
                weight.add_(0.3 * torch.randn_like(weight))
    return network.double()


def generators() -> list[Any]:
    return [ProGANGenerator(SHAPE, 6, **SMALL), StyleGANGenerator(SHAPE, 6, **SMALL, **STYLE)]


def discriminators() -> list[Any]:
    return [ProGANDiscriminator(SHAPE, **SMALL), StyleGANDiscriminator(SHAPE, **SMALL)]


def conv(x: Tensor, w: dict[str, Tensor], name: str, gain: float = math.sqrt(2)) -> Tensor:
    kernel = w[f"{name}.weight"]
    bias = w.get(f"{name}.bias")
    return F.conv2d(x, kernel * gain / math.sqrt(kernel[0].numel()), bias, padding=kernel.shape[2] // 2)


def norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def progan_maps(w: dict[str, Tensor], latent: Tensor, stage: int) -> list[Tensor]:
    """Table 2 of the paper, from a latent on the sphere."""
    dense = w["blocks.0.linear.weight"]
    x = norm(latent) @ dense.t() * math.sqrt(2) / 4 / math.sqrt(dense.shape[1]) + w["blocks.0.linear.bias"]
    x = norm(leaky(x.reshape(len(latent), -1, 4, 6)))
    maps = [norm(leaky(conv(x, w, "blocks.0.conv")))]
    for level in range(1, stage + 1):
        x = norm(leaky(conv(doubled(maps[-1]), w, f"blocks.{level}.conv1")))
        maps.append(norm(leaky(conv(x, w, f"blocks.{level}.conv2"))))
    return maps


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_progans_generator(level: float) -> None:
    network = randomised(ProGANGenerator(SHAPE, 6, **SMALL))
    network.level = level
    w = dict(network.state_dict())
    latent = torch.randn(3, 6, dtype=torch.float64)
    stage = math.ceil(level)
    maps = progan_maps(w, latent, stage)
    expected = conv(maps[stage], w, f"to_images.{stage}", 1.0)
    if level != stage:
        share = level - (stage - 1)
        coarse = doubled(conv(maps[stage - 1], w, f"to_images.{stage - 1}", 1.0))
        expected = (1 - share) * coarse + share * expected
    assert_close(network(latent), expected)
    # Samples have the full size, whatever the level.
    for _ in range(2 - stage):
        expected = doubled(expected)
    assert_close(network.eval()(latent), expected)


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_progans_discriminator(level: float) -> None:
    network = randomised(ProGANDiscriminator(SHAPE, **SMALL))
    network.level = level
    w = dict(network.state_dict())
    stage = math.ceil(level)
    images = torch.randn(4, 3, 4 * 2**stage, 6 * 2**stage, dtype=torch.float64)
    x = leaky(conv(images, w, f"from_images.{stage}"))
    for lower in reversed(range(stage)):
        x = leaky(conv(leaky(conv(x, w, f"blocks.{lower}.0")), w, f"blocks.{lower}.2"))
        x = F.avg_pool2d(x, 2)
        if lower == stage - 1 and level != stage:
            share = level - lower
            x = (1 - share) * leaky(conv(F.avg_pool2d(images, 2), w, f"from_images.{lower}")) + share * x
    extra = (x.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(4, 1, 4, 6)
    x = leaky(conv(torch.cat([x, extra], 1), w, "end.1")).flatten(1)
    for layer, gain in ((4, math.sqrt(2)), (6, 1.0)):
        weight = w[f"end.{layer}.weight"]
        x = x @ weight.t() * gain / math.sqrt(weight.shape[1]) + w[f"end.{layer}.bias"]
        x = leaky(x) if layer == 4 else x
    assert_close(network(images), x[:, 0])


def test_stylegans_generator() -> None:
    """Figure 1b and equation 1, with the constant noise of samples."""
    network = randomised(StyleGANGenerator(SHAPE, 6, **SMALL, **STYLE)).eval()
    w = dict(network.state_dict())
    latent = torch.randn(3, 6, dtype=torch.float64)
    style = norm(latent)
    for layer in range(2):
        weight, bias = w[f"mapping.layers.{layer}.weight"], w[f"mapping.layers.{layer}.bias"]
        style = leaky((style @ weight.t() * 0.01 / math.sqrt(weight.shape[1]) + 0.01 * bias) * math.sqrt(2))

    def styled(x: Tensor, name: str) -> Tensor:
        x = x + w[f"{name}.noise.strength"] * w[f"{name}.noise.constant"] + w[f"{name}.bias"][:, None, None]
        x = leaky(x)
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), unbiased=False, keepdim=True)
        affine = w[f"{name}.affine.weight"]
        y = style @ affine.t() / math.sqrt(affine.shape[1]) + w[f"{name}.affine.bias"]
        scale, offset = y[:, : x.shape[1]], y[:, x.shape[1] :]
        return (x - mean) / (variance + 1e-8).sqrt() * (1 + scale[:, :, None, None]) + offset[:, :, None, None]

    x = styled(w["blocks.0.constant"].expand(3, -1, -1, -1), "blocks.0.style1")
    x = styled(conv(x, w, "blocks.0.conv"), "blocks.0.style2")
    binomial = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 16
    for level in (1, 2):
        x = conv(doubled(x), w, f"blocks.{level}.conv1")
        x = F.conv2d(x, binomial.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])
        x = styled(x, f"blocks.{level}.style1")
        x = styled(conv(x, w, f"blocks.{level}.conv2"), f"blocks.{level}.style2")
    assert_close(network(latent), conv(x, w, "to_images.2", 1.0))


def test_stylegans_first_eight_layers_are_truncated() -> None:
    network = StyleGANGenerator((1, 64, 64), 6, **SMALL, **STYLE).eval()
    network.mapping.mean_style.normal_()
    latent = torch.randn(3, 6)
    styles = network.styles(latent, truncation=0.0)
    assert_close(styles[:, :8], network.mapping.mean_style.expand(3, 8, -1))
    assert_close(styles[:, 8:], network.mapping(latent)[:, None].expand(-1, 2, -1))


@pytest.mark.parametrize("family", [0, 1])
class TestFades:
    def test_a_fade_begins_with_the_last_level_enlarged(self, family: int) -> None:
        generator = randomised(generators()[family]).eval()
        latent = torch.randn(2, 6, dtype=torch.float64)
        generator.level = 1
        before = generator(latent)
        generator.level = 1 + 1e-9
        assert_close(generator(latent), before, rtol=0, atol=1e-7)

    def test_after_a_fade_the_old_image_layer_does_nothing(self, family: int) -> None:
        generator, discriminator = randomised(generators()[family]), randomised(discriminators()[family])
        for network in (generator, discriminator):
            network.level = 2
        discriminator(generator(torch.randn(4, 6, dtype=torch.float64))).sum().backward()
        for network, layers in ((generator, "to_images"), (discriminator, "from_images")):
            used = [layer.weight.grad is not None for layer in getattr(network, layers)]
            assert used == [False, False, True]
        for network in (generator, discriminator):
            network.zero_grad()
            network.level = 1.5
        discriminator(generator(torch.randn(4, 6, dtype=torch.float64))).sum().backward()
        for network, layers in ((generator, "to_images"), (discriminator, "from_images")):
            used = [layer.weight.grad is not None for layer in getattr(network, layers)]
            assert used == [False, True, True]

    def test_higher_levels_cost_nothing_and_stay(self, family: int) -> None:
        for network in (generators()[family], discriminators()[family]):
            network.level = 1
            given = torch.randn(4, 6) if hasattr(network, "to_images") else torch.randn(4, 3, 8, 12)
            network(given).square().sum().backward()
            idle = [name for name, weight in network.named_parameters() if weight.grad is None]
            assert idle
            # Blocks of the generator are numbered by their level, those of the discriminator by the lower of two.
            mine = "blocks.2." if hasattr(network, "to_images") else "blocks.1."
            assert any(name.startswith(mine) for name in idle)
            assert not any(name.startswith("blocks.0.") for name in idle)

    def test_the_level_is_in_the_state(self, family: int) -> None:
        for make in (generators, discriminators):
            network, other = make()[family], make()[family]
            network.level = 0.75
            other.load_state_dict(network.state_dict())
            assert other.level == 0.75
            assert (other.stage, other.fade) == (1, 0.75)


def test_real_images_fade_as_the_fakes_do() -> None:
    network = ProGANGenerator(SHAPE, 6, **SMALL)
    images = torch.randn(2, *SHAPE)
    network.level = 2
    assert faded(images, network) is not None
    assert_close(faded(images, network), images)
    network.level = 1.25
    coarse = doubled(images.unflatten(3, (12, 2)).unflatten(2, (8, 2)).mean((3, 5)))
    assert_close(faded(images, network), 0.75 * coarse + 0.25 * images)
    network.level = 0
    assert_close(faded(images, network), images.unflatten(3, (6, 4)).unflatten(2, (4, 4)).mean((3, 5)))


def test_weights_are_scaled_when_they_are_used_and_not_before() -> None:
    torch.manual_seed(0)
    dense, kernel = EqualizedLinear(500, 40, gain=LEAKY_GAIN), EqualizedConv2d(50, 40, gain=LEAKY_GAIN)
    for layer in (dense, kernel):
        assert layer.weight.std().item() == pytest.approx(1, abs=0.03)
    # He's variance: 2 of independent inputs of variance 1
    assert dense(torch.randn(400, 500)).var().item() == pytest.approx(2, abs=0.2)
    assert kernel(torch.randn(4, 50, 32, 32))[:, :, 1:-1, 1:-1].var().item() == pytest.approx(2, abs=0.2)


def test_adam_changes_every_layer_by_the_same_share() -> None:
    """Section 4.1: the first step of Adam is lr for each weight, and all weights have the deviation 1."""
    torch.manual_seed(0)
    layers = nn.Sequential(EqualizedLinear(8, 800), EqualizedLinear(800, 800), EqualizedLinear(800, 2))
    before = [layer.weight.detach().clone() for layer in layers]
    optimizer = ProGANAdam(layers.parameters())
    layers(torch.randn(16, 8)).square().sum().backward()
    optimizer.step()
    for layer, old in zip(layers, before, strict=True):
        change = (layer.weight - old).square().mean().sqrt() / old.square().mean().sqrt()
        # Of 1600 weights in the last layer: their own deviation is within 10 % of 1.
        assert change.item() == pytest.approx(1e-3, rel=0.1)


def test_a_slow_layer_begins_as_the_others_and_moves_less() -> None:
    torch.manual_seed(0)
    slow = EqualizedLinear(400, 300, lr_multiplier=0.01)
    x = torch.randn(200, 400)
    assert slow(x).var().item() == pytest.approx(1, abs=0.1)
    fast = EqualizedLinear(400, 300)
    moved = []
    for layer in (slow, fast):
        before = layer(x).detach()
        optimizer = ProGANAdam(layer.parameters())
        layer(x).square().sum().backward()
        optimizer.step()
        moved.append((layer(x) - before).std().item())
    assert moved[0] / moved[1] == pytest.approx(0.01, rel=0.3)
