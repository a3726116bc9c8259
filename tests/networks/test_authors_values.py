"""The small numbers of each network against those of its authors: initial weights, eps, momenta, slopes, dropout.

None of them shows in a parameter count, and every framework has defaults of its own. Where ours differs on purpose, the
network's docstring says so.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_lightning import networks

NORMS = nn.modules.batchnorm._BatchNorm | nn.InstanceNorm2d


class Start(NamedTuple):
    """The distribution that a layer's weights start from."""

    std: float
    limit: float = math.inf
    """No weight is larger."""


def normal(std: float) -> Callable[[str, Tensor], Start]:
    return lambda _, weight: Start(std)


def uniform(limit: float) -> Callable[[str, Tensor], Start]:
    return lambda _, weight: Start(limit / math.sqrt(3), limit)


def glorot(gain: float = 1, inside: str = "") -> Callable[[str, Tensor], Start]:
    """Glorot's uniform distribution; the gain is for layers whose name has a certain part."""

    def start(name: str, weight: Tensor) -> Start:
        fans = (weight.shape[0] + weight.shape[1]) * math.prod(weight.shape[2:])
        std = math.sqrt(2 / fans) * (gain if inside in name else 1)
        return Start(std, std * math.sqrt(3))

    return start


def lecun(_: str, weight: Tensor) -> Start:
    """Lua Torch's and PyTorch's own: uniform within one over the root of the inputs."""
    limit = 1 / math.sqrt(math.prod(weight.shape[1:]))
    return Start(limit / math.sqrt(3), limit)


def infogan(_: str, weight: Tensor) -> Start:
    """TensorFlow's truncated normal distribution on convolutions only, which ends at two standard deviations."""
    return Start(0.02 * 0.87963, 0.04) if weight.ndim == 4 and weight.shape[1] in (1, 64) else Start(0.02)


INSIDE_BLOCKS = glorot(math.sqrt(2), inside="residual")

AUTHORS: dict[str, tuple[Callable[[], nn.Module], Callable[[str, Tensor], Start], dict[str, Any]]] = {
    # name: network, distribution, then what is not 0 (biases), 1e-5 (eps), .1 (momentum) and none (scale, slope)
    "DCGAN G": (lambda: networks.ConvGenerator((3, 32, 32)), normal(0.02), {"scale": 0.02}),
    "DCGAN D": (lambda: networks.ConvDiscriminator((3, 32, 32)), normal(0.02), {"scale": 0.02, "slope": 0.2}),
    "GAN G": (lambda: networks.MLPGenerator((1, 28, 28)), uniform(0.05), {}),
    "GAN D": (lambda: networks.MLPDiscriminator((1, 28, 28)), uniform(0.005), {}),
    "WGAN-GP G": (lambda: networks.ResNetGenerator(num_classes=10), INSIDE_BLOCKS, {}),
    "WGAN-GP D": (lambda: networks.ResNetDiscriminator(), INSIDE_BLOCKS, {}),
    "SNGAN G": (lambda: networks.SNGANGenerator(num_classes=10), INSIDE_BLOCKS, {"eps": 2e-5}),
    "SNGAN D": (lambda: networks.SNGANDiscriminator(num_classes=10), INSIDE_BLOCKS, {}),
    "SNGAN G, 64": (lambda: networks.PyramidGenerator(num_classes=10, width=16), INSIDE_BLOCKS, {"eps": 2e-5}),
    "SNGAN D, 64": (lambda: networks.PyramidDiscriminator(num_classes=10, width=16), INSIDE_BLOCKS, {}),
    "SAGAN G": (lambda: networks.SAGANGenerator((3, 64, 64), 128, 10, width=16), glorot(), {}),
    "SAGAN D": (lambda: networks.SAGANDiscriminator((3, 64, 64), 10, width=16), glorot(), {}),
    "ACGAN D": (lambda: networks.ClassifyingDiscriminator(), normal(0.02), {"scale": 0.02, "slope": 0.2}),
    "InfoGAN G": (lambda: networks.InfoGANGenerator(), normal(0.02), {"scale": 0.02}),
    "InfoGAN D": (lambda: networks.InfoGANDiscriminator(), infogan, {"scale": 0.02, "slope": 0.1}),
    "EBGAN D": (lambda: networks.ConvAutoencoder((3, 32, 32)), normal(0.02), {"scale": 0.02, "slope": 0.2}),
    "BEGAN G": (lambda: networks.BEGANGenerator((3, 32, 32)), glorot(), {}),
    "BEGAN D": (lambda: networks.BEGANAutoencoder((3, 32, 32)), glorot(), {}),
    "CoGAN G": (lambda: networks.CoupledGenerator(), glorot(math.sqrt(2)), {"bias": 0.1}),
    "CoGAN D": (lambda: networks.CoupledDiscriminator(), glorot(math.sqrt(2)), {"bias": 0.1}),
    "BiGAN G": (lambda: networks.BiGANGenerator(), normal(0.02), {"eps": 1e-8}),
    "BiGAN E": (lambda: networks.BiGANEncoder(), normal(0.02), {"eps": 1e-8, "slope": 0.2}),
    "BiGAN D": (lambda: networks.BiGANDiscriminator(), normal(0.02), {"slope": 0.2}),
    "IAN G": (lambda: networks.IANGenerator(width=16), normal(0.02), {"slope": 0.2}),
    "IAN E": (lambda: networks.IANEncoder((8, 4, 4)), normal(0.02), {}),
    "IAN D": (lambda: networks.IANDiscriminator(width=16).trunk, normal(0.02), {"slope": 0.2}),
    "ALI G": (lambda: networks.ALIGenerator(), normal(0.01), {"eps": 1e-4, "momentum": 0.05, "slope": 0.1}),
    "ALI E": (lambda: networks.ALIEncoder(), normal(0.01), {"eps": 1e-4, "momentum": 0.05, "slope": 0.1}),
    "ALI D": (lambda: networks.ALIDiscriminator(), normal(0.01), {}),
    "LAPGAN G": (lambda: networks.LAPGANGenerator((3, 32, 32)), lecun, {"bias": None}),
    "LAPGAN D": (lambda: networks.LAPGANDiscriminator((3, 32, 32)), lecun, {"bias": None}),
    "LAPGAN coarsest D": (lambda: networks.LAPGANCoarseDiscriminator((3, 8, 8)), normal(0.005), {}),
    "improved G": (lambda: networks.SoftplusGenerator().layers[:-3], glorot(), {"eps": 1e-6}),
    "pix2pix G": (lambda: networks.UNet(width=8), normal(0.02), {"scale": 0.02, "slope": 0.2}),
    "pix2pix D": (lambda: networks.PatchDiscriminator(width=16), normal(0.02), {"scale": 0.02, "slope": 0.2}),
    "CycleGAN G": (lambda: networks.ResidualTranslator(width=8), normal(0.02), {}),
    "CycleGAN D": (lambda: networks.InstancePatchDiscriminator(width=16), normal(0.02), {"slope": 0.2}),
    "StarGAN G": (lambda: networks.StarGANGenerator(width=16), lecun, {}),
    "StarGAN D": (
        lambda: networks.StarGANDiscriminator((3, 32, 32), width=16),
        lecun,
        {"bias": None, "slope": 0.01},
    ),
}


def start_weights(network: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Layers with weights, those below a parametrisation where there is one."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
            below: Any = layer.parametrizations if parametrize.is_parametrized(layer) else None
            weight = layer.weight if below is None else below.weight.original
            yield name, layer, weight.detach()


@pytest.fixture(params=AUTHORS)
def authors(request: pytest.FixtureRequest) -> tuple[nn.Module, Callable[[str, Tensor], Start], dict[str, Any]]:
    torch.manual_seed(0)
    make, start, other = AUTHORS[request.param]
    return make(), start, other


def test_initial_weights(authors: Any) -> None:
    """All weights of a network, over the standard deviations that they should have, spread by 1.

    The standard error of a sample's standard deviation is at most the normal distribution's, 1 / sqrt(2 n); six of
    them, so that no generator of random numbers fails it by chance.
    """
    network, start, _ = authors
    scaled = []
    for name, _, weight in start_weights(network):
        wanted = start(name, weight)
        assert weight.abs().max() <= wanted.limit * (1 + 1e-6), name
        scaled.append(weight.flatten() / wanted.std)
        each = scaled[-1]
        assert abs(each.square().mean().sqrt() - 1) < 6 / math.sqrt(2 * len(each)), name
    together = torch.cat(scaled)
    assert abs(together.square().mean().sqrt() - 1) < 6 / math.sqrt(2 * len(together))


def test_initial_biases(authors: Any) -> None:
    network, _, other = authors
    wanted = other.get("bias", 0.0)
    for name, layer, _ in start_weights(network):
        bias: Any = getattr(layer, "bias", None)
        if bias is not None and wanted is not None:
            assert bias.detach().unique().tolist() == pytest.approx([wanted]), name


def test_normalisations(authors: Any) -> None:
    network, _, other = authors
    for name, norm in network.named_modules():
        if isinstance(norm, NORMS):
            assert norm.eps == other.get("eps", 1e-5), name
            assert norm.momentum == other.get("momentum", 0.1), name
            if norm.weight is not None:
                scales, spread = norm.weight.detach(), other.get("scale", 0.0)
                assert (scales - 1).abs().max() <= 6 * spread, name
                assert not spread or scales.unique().numel() > 1, name


def test_slopes(authors: Any) -> None:
    network, _, other = authors
    slopes = {layer.negative_slope for layer in network.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == ({other["slope"]} if "slope" in other else set())


def test_units_of_the_improved_generators_last_layer_have_length_one() -> None:
    last: Any = networks.SoftplusGenerator().layers[-3]
    assert torch.allclose(last.weight.norm(dim=1), torch.ones(28 * 28))
    assert not last.bias.any()


def test_alis_dropout_is_the_authors() -> None:
    discriminator = networks.ALIDiscriminator()
    rates = {
        name: [layer.p for layer in trunk if isinstance(layer, nn.Dropout)]
        for name, trunk in discriminator.named_children()
        if isinstance(trunk, nn.Sequential)
    }
    assert rates == {"image": [0.2, 0.5, 0.5, 0.5, 0.5], "latent": [0.2, 0.5], "joint": [0.5, 0.5, 0.5]}
