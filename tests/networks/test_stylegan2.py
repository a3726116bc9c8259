"""StyleGAN2's networks against the paper's formulas, written out image by image with explicit kernels."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from gan_lightning.networks import ProGANGenerator, StyleGAN2Discriminator, StyleGAN2Generator, StyleGANGenerator
from gan_lightning.networks.layers import winograd
from gan_lightning.networks.layers.fir import FIRBlur
from gan_lightning.networks.layers.minibatch_deviation import MinibatchDeviation
from gan_lightning.networks.stylegan2 import ModulatedConv2d

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def filtered(images: Tensor, up: int = 1, down: int = 1, before: int = 0, after: int = 0) -> Tensor:
    """Zeros between pixels, zeros around them, each channel filtered along both sides, every ``down``-th pixel kept."""
    n, c, h, w = images.shape
    sparse = torch.zeros(n, c, h * up, w * up, dtype=images.dtype)
    sparse[:, :, ::up, ::up] = images
    padded = F.pad(sparse, [before, after, before, after])
    taps = TAPS.to(images.dtype) * up
    rows = sum(taps[k] * padded[:, :, k : padded.shape[2] - 3 + k] for k in range(4))
    both = sum(taps[k] * rows[:, :, :, k : rows.shape[3] - 3 + k] for k in range(4))
    return both[:, :, ::down, ::down]


def drawn(network: torch.nn.Module) -> dict[str, Tensor]:
    """Every weight drawn at random, biases and strengths of noise too, in double precision."""
    torch.manual_seed(1)
    network.double()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(("bias", "strength")):
                weight.add_(0.3 * torch.randn_like(weight))
    return dict(network.state_dict())


def linear(x: Tensor, w: dict[str, Tensor], name: str, multiplier: float = 1.0) -> Tensor:
    weight = w[f"{name}.weight"]
    return x @ weight.t() * multiplier / math.sqrt(weight.shape[1]) + w[f"{name}.bias"] * multiplier


def activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def mapped(x: Tensor, w: dict[str, Tensor], name: str, depth: int) -> Tensor:
    for layer in range(depth):
        x = activated(linear(x, w, f"{name}.layers.{layer}", 0.01))
    return x


def unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def modulated(x: Tensor, style: Tensor, w: dict[str, Tensor], name: str, up: bool, demodulate: bool = True) -> Tensor:
    """Equations 1 and 3: a kernel for each image."""
    scales = linear(style, w, f"{name}.affine")
    kernel = w[f"{name}.weight"]
    if kernel.ndim == 2:
        kernel = kernel[:, :, None, None]
    kernel = kernel / math.sqrt(kernel[0].numel())
    results = []
    for image, scale in zip(x, scales, strict=True):
        own = kernel * scale[None, :, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            wide = F.conv_transpose2d(image[None], own.transpose(0, 1), stride=2)
            results.append(filtered(wide, before=1, after=1) * 4)
        else:
            results.append(F.conv2d(image[None], own, padding=kernel.shape[2] // 2))
    return torch.cat(results)


def generated(
    w: dict[str, Tensor], latents: Tensor, depth: int, doublings: int, labels: Tensor | None = None
) -> Tensor:
    x = unit(latents)
    if labels is not None:
        classes = F.one_hot(labels, w["mapping.embedding.weight"].shape[1]).double()
        x = torch.cat([x, unit(linear(classes, w, "mapping.embedding"))], 1)
    style = mapped(x, w, "mapping", depth)
    return synthesised(w, style[:, None].expand(-1, 2 * doublings + 2, -1), doublings)


def synthesised(w: dict[str, Tensor], styles: Tensor, doublings: int) -> Tensor:
    """Each convolution has a style of its own; an image has that of the next convolution, the last one another."""
    x = w["constant"].expand(len(styles), -1, -1, -1)
    image: Any = None
    for level in range(doublings + 1):
        for layer in [0] if level == 0 else [2 * level - 1, 2 * level]:
            name = f"layers.{layer}"
            x = modulated(x, styles[:, layer], w, f"{name}.conv", up=layer % 2 == 1)
            x = x + w[f"{name}.noise.constant"] * w[f"{name}.noise.strength"] + w[f"{name}.bias"][:, None, None]
            x = activated(x)
        new = modulated(x, styles[:, 2 * level + 1], w, f"to_images.{level}", up=False, demodulate=False)
        new = new + w[f"to_images.{level}.bias"][:, None, None]
        # Twice as many pixels: two zeros before, one behind, as the filter has an even number of taps.
        image = new if image is None else filtered(image, up=2, before=2, after=1) + new
    return image


def convolved(x: Tensor, w: dict[str, Tensor], name: str, **options: int) -> Tensor:
    kernel = w[f"{name}.weight"]
    return F.conv2d(x, kernel / math.sqrt(kernel[0].numel()), w.get(f"{name}.bias"), **options)


def judged(w: dict[str, Tensor], images: Tensor, blocks: int, residual: bool, labels: Tensor | None = None) -> Tensor:
    x = activated(convolved(images, w, "from_image"))
    for block in range(blocks):
        name = f"blocks.{block}"
        y = activated(convolved(x, w, f"{name}.conv1", padding=1))
        y = activated(convolved(filtered(y, before=2, after=2), w, f"{name}.conv2", stride=2))
        skip = convolved(filtered(x, down=2, before=1, after=1), w, f"{name}.skip") if residual else None
        x = y if skip is None else (y + skip) / math.sqrt(2)
    # Groups of four: images i, i + n / 4, i + n / 2, ... are one.
    groups = len(x) // 4
    deviations = torch.stack([(x[g::groups].var(0, unbiased=False) + 1e-8).sqrt().mean() for g in range(groups)])
    extra = deviations.repeat(4)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    x = activated(convolved(torch.cat([x, extra], 1), w, "conv", padding=1))
    x = linear(activated(linear(x.flatten(1), w, "linear")), w, "output")
    if labels is None:
        return x[:, 0]
    classes = F.one_hot(labels, w["mapping.embedding.weight"].shape[1]).double()
    mapping = mapped(unit(linear(classes, w, "mapping.embedding")), w, "mapping", 2)
    return (x * mapping).sum(1) / math.sqrt(x.shape[1])


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 12)])
def test_the_generator_is_the_papers(shape: tuple[int, int, int], num_classes: int | None) -> None:
    network = StyleGAN2Generator(shape, 6, num_classes, style_dim=7, mapping_depth=2, channel_base=64, max_channels=9)
    w = drawn(network)
    latents = torch.randn(3, 6, dtype=torch.float64)
    labels = [] if num_classes is None else [torch.tensor([2, 0, 2])]
    expected = generated(w, latents, 2, int(math.log2(shape[1] // 4)), *labels)
    assert expected.std() > 0.1
    assert_close(network.eval()(latents, *labels), expected, rtol=1e-7, atol=1e-9)


def test_each_layer_has_its_own_style() -> None:
    network = StyleGAN2Generator((1, 16, 16), 6, style_dim=7, mapping_depth=2, channel_base=64, max_channels=9)
    w = drawn(network)
    styles = torch.randn(2, 6, 7, dtype=torch.float64)
    assert_close(network.eval().synthesise(styles), synthesised(w, styles, 2), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("num_classes", [None, 3])
def test_the_discriminator_is_the_papers(num_classes: int | None, residual: bool) -> None:
    network = StyleGAN2Discriminator(
        (3, 16, 16), num_classes, channel_base=64, max_channels=9, residual=residual, mapping_depth=2
    )
    w = drawn(network)
    images = torch.randn(8, 3, 16, 16, dtype=torch.float64)
    labels = [] if num_classes is None else [torch.arange(8) % 3]
    expected = judged(w, images, 2, residual, *labels)
    assert expected.std() > 1e-3
    assert_close(network(images, *labels), expected, rtol=1e-7, atol=1e-9)


def test_demodulated_maps_have_unit_deviation() -> None:
    """Section 2.2: of independent inputs of unit variance, whatever the style."""
    torch.manual_seed(0)
    conv = ModulatedConv2d(64, 32, 5)
    style = 3 * torch.randn(4, 5)
    maps, factors = conv(torch.randn(4, 64, 32, 32), style)
    # Inside, away from the zeros of the padding; 4 x 900 values of each channel.
    inner = (maps * factors)[:, :, 1:-1, 1:-1]
    assert inner.std().item() == pytest.approx(1, abs=0.05)
    assert (maps[:, :, 1:-1, 1:-1].std((1, 2, 3)) / inner.std((1, 2, 3))).max() > 1.5  # it was not one before


def test_a_filter_alone() -> None:
    images = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    for padding, gain in ((1, 4.0), (2, 1.0)):
        expected = gain * filtered(images, before=padding, after=padding)
        assert_close(FIRBlur(padding, gain).double()(images), expected)


@pytest.mark.parametrize(("n", "group_size", "size"), [(8, 4, 4), (6, 4, 3), (5, None, 5), (7, 4, 1), (3, 4, 3)])
def test_minibatch_deviation(n: int, group_size: int | None, size: int) -> None:
    """Groups of the largest size that divides the batch, at most the one asked for."""
    maps = torch.randn(n, 4, 2, 3, dtype=torch.float64)
    made = MinibatchDeviation(group_size, n_features=2)(maps)
    assert_close(made[:, :4], maps)
    groups = n // size
    for feature in range(2):
        for g in range(groups):
            part = maps[g::groups, 2 * feature : 2 * feature + 2]
            expected = (part.var(0, unbiased=False) + 1e-8).sqrt().mean()
            assert_close(made[g::groups, 4 + feature], expected.expand(size, 2, 3))


def test_everything_has_second_derivatives() -> None:
    torch.manual_seed(0)
    network = StyleGAN2Generator((1, 8, 8), 2, style_dim=2, mapping_depth=1, channel_base=16, max_channels=2).double()
    network.eval()
    styles = torch.randn(1, network.n_styles, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda given: network.synthesise(given).square(), (styles,))
    judge = StyleGAN2Discriminator((1, 8, 8), channel_base=16, max_channels=2).double()
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(judge, (images,))


class TestStyles:
    def network(self) -> StyleGAN2Generator:
        torch.manual_seed(0)
        return StyleGAN2Generator((3, 16, 16), 6, style_dim=7, mapping_depth=2, channel_base=64, max_channels=9)

    def test_truncation_leads_to_the_mean(self) -> None:
        network = self.network()
        network.mapping.mean_style.normal_()
        latents = torch.randn(2, 6)
        styles = network.eval().styles(latents)
        drawn_in = network.styles(latents, truncation=0.7)
        mean = network.mapping.mean_style
        assert_close(drawn_in, mean + 0.7 * (styles - mean))
        assert_close(network(latents, truncation=0.0)[0], network(latents, truncation=0.0)[1])

    def test_the_mean_follows_in_training_only(self) -> None:
        network = self.network()
        latents = torch.randn(50, 6)
        network.eval()(latents)
        assert not network.mapping.mean_style.any()
        network.train()(latents)
        with torch.no_grad():
            assert_close(network.mapping.mean_style, 0.005 * network.eval().mapping(latents).mean(0))

    def test_noise_is_off_constant_or_of_each_image(self) -> None:
        network = self.network()
        with torch.no_grad():
            for layer in network.layers:
                layer.noise.strength.fill_(0.5)
        styles = network.eval().styles(torch.randn(1, 6).expand(2, -1))
        silent, constant = network.synthesise(styles, 0.0), network.synthesise(styles)
        assert_close(silent[0], silent[1])
        assert_close(constant[0], constant[1])
        assert (silent - constant).abs().max() > 0.01
        maps = [layer.noise.constant for layer in network.layers]
        assert_close(network.synthesise(styles, maps), constant)
        in_training = network.train().synthesise(styles)
        assert (in_training[0] - in_training[1]).abs().max() > 0.01


@pytest.mark.parametrize("network", [StyleGAN2Generator, StyleGANGenerator, ProGANGenerator])
def test_an_exported_generator_takes_batches_of_any_size(network: Any) -> None:
    """The first half of an export to ONNX, where a plain number for the batch size would be part of the program."""
    torch.manual_seed(0)
    generator = network((1, 8, 8), 4, channel_base=32, max_channels=8).eval()
    exported = torch.export.export(generator, (torch.randn(3, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    latents = torch.randn(5, 4)
    assert_close(exported.module()(latents), generator(latents))


class TestKeptKernels:
    @pytest.fixture
    def networks(self) -> tuple[Any, Any]:
        """A network that keeps its kernels, all by Winograd's algorithm, and the same that does not."""
        torch.manual_seed(0)
        plain = StyleGAN2Generator((3, 16, 16), 8, style_dim=8, mapping_depth=1, max_channels=6).double().eval()
        kept = copy.deepcopy(plain)
        for part in kept.modules():
            if isinstance(part, ModulatedConv2d):
                part.keeps_kernels = True
        return plain, kept

    def test_images_are_the_same(self, networks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        plain, kept = networks
        latents = torch.randn(2, 8, dtype=torch.float64)
        with torch.no_grad():
            assert_close(kept(latents), plain(latents))
            monkeypatch.setattr(winograd, "pays", lambda *_: True)
            for _ in range(2):
                assert_close(kept(latents), plain(latents))

    def test_they_are_made_once(self, networks: Any) -> None:
        _, kept = networks
        with torch.no_grad():
            kept(torch.randn(2, 8, dtype=torch.float64))
            convolution = kept.layers[1].conv
            before = convolution._kept
            kept(torch.randn(1, 8, dtype=torch.float64))
            assert convolution._kept is before

    @pytest.mark.parametrize("way", ["in place", "a state", "another tensor"])
    def test_a_weight_that_changes_is_noticed(self, way: str, networks: Any) -> None:
        plain, kept = networks
        latents = torch.randn(2, 8, dtype=torch.float64)
        with torch.no_grad():
            kept(latents)
            # Not by a factor, which demodulation takes out again.
            for weight in plain.parameters():
                weight.add_(weight.square())
            if way == "in place":
                for weight in kept.parameters():
                    weight.add_(weight.square())
            elif way == "a state":
                kept.load_state_dict(plain.state_dict())
            else:
                for part in kept.modules():
                    for name, weight in [*part.named_parameters(recurse=False)]:
                        setattr(part, name, torch.nn.Parameter(weight + weight.square()))
            assert_close(kept(latents), plain(latents))

    def test_weights_of_inference_mode_are_not_kept(self) -> None:
        with torch.inference_mode():
            convolution = ModulatedConv2d(3, 4, 5)
            convolution.keeps_kernels = True
            x, style = torch.randn(1, 3, 8, 8), torch.randn(1, 5)
            before, _ = convolution(x, style)
            convolution.weight.mul_(2)
            assert_close(convolution(x, style)[0], 2 * before)

    def test_gradients_reach_weights_and_latents(self, networks: Any) -> None:
        _, kept = networks
        with torch.no_grad():
            kept(torch.randn(1, 8, dtype=torch.float64))
        latents = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
        found = [torch.autograd.grad(each(latents).sum(), [latents, each.layers[0].conv.weight]) for each in networks]
        assert_close(found[1], found[0])

    def test_a_copy_has_kernels_of_its_own(self, networks: Any) -> None:
        _, kept = networks
        latents = torch.randn(2, 8, dtype=torch.float64)
        with torch.no_grad():
            expected = kept(latents)
            other = copy.deepcopy(kept)
            for weight in other.parameters():
                weight.add_(weight.square())
            assert not torch.allclose(other(latents), expected)
            assert torch.equal(kept(latents), expected)
