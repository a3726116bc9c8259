"""Weights of PyTorch's DCGAN example compute here what its layers compute, written out with its names."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.games.image import ImageGame
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.visualization.images import to_uint8

Weights = dict[str, Tensor]


def norm(place: int, channels: int, rng: torch.Generator) -> Weights:
    return {
        f"main.{place}.weight": 1 + 0.3 * torch.randn(channels, generator=rng),
        f"main.{place}.bias": 0.3 * torch.randn(channels, generator=rng),
        f"main.{place}.running_mean": 0.3 * torch.randn(channels, generator=rng),
        f"main.{place}.running_var": 0.5 + torch.rand(channels, generator=rng),
        f"main.{place}.num_batches_tracked": torch.tensor(7),
    }


def netg(nz: int = 5, ngf: int = 3, nc: int = 3, doublings: int = 4) -> Weights:
    """The generator's state dict by the example's source: places 0, 3, 6, ... are transposed convolutions."""
    rng = torch.Generator().manual_seed(3)
    channels = [nz, *(ngf * 2**level for level in reversed(range(doublings))), nc]
    weights: Weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(channels)):
        # Sixteen taps of the inputs meet in a pixel of the first layer, four in the others.
        scale = (inputs * (1 if layer == 0 else 4)) ** -0.5
        weights[f"main.{3 * layer}.weight"] = scale * torch.randn(inputs, outputs, 4, 4, generator=rng)
        if layer < doublings:
            weights |= norm(3 * layer + 1, outputs, rng)
    return weights


def netd(ndf: int = 3, nc: int = 3, halvings: int = 4) -> Weights:
    """The discriminator's: convolutions at 0, 2, 5, 8, ... with a norm behind all but the first and the last."""
    rng = torch.Generator().manual_seed(4)
    channels = [nc, *(ndf * 2**level for level in range(halvings)), 1]
    weights: Weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(channels)):
        place = max(3 * layer - 1, 0)
        weights[f"main.{place}.weight"] = (16 * inputs) ** -0.5 * torch.randn(outputs, inputs, 4, 4, generator=rng)
        if 0 < layer < halvings:
            weights |= norm(place + 1, outputs, rng)
    return weights


def normalised(images: Tensor, weights: Weights, place: int) -> Tensor:
    mean, var, scale, shift = (
        weights[f"main.{place}.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (images - mean) / (var + 1e-5).sqrt() * scale + shift


def their_images(weights: Weights, latents: Tensor, doublings: int = 4) -> Tensor:
    """netG in evaluation mode."""
    x = latents[:, :, None, None]
    for layer in range(doublings + 1):
        stride, padding = (1, 0) if layer == 0 else (2, 1)
        x = F.conv_transpose2d(x, weights[f"main.{3 * layer}.weight"], stride=stride, padding=padding)
        x = F.relu(normalised(x, weights, 3 * layer + 1)) if layer < doublings else torch.tanh(x)
    return x


def their_probabilities(weights: Weights, images: Tensor, halvings: int = 4) -> Tensor:
    """netD in evaluation mode."""
    x = F.leaky_relu(F.conv2d(images, weights["main.0.weight"], stride=2, padding=1), 0.2)
    for layer in range(1, halvings):
        x = F.conv2d(x, weights[f"main.{3 * layer - 1}.weight"], stride=2, padding=1)
        x = F.leaky_relu(normalised(x, weights, 3 * layer), 0.2)
    return torch.sigmoid(F.conv2d(x, weights[f"main.{3 * halvings - 1}.weight"])).flatten()


def saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "netG_epoch_24.pth")
    return folder / "netG_epoch_24.pth"


SIZES = [
    pytest.param({}, id="as published"),
    pytest.param({"nc": 1}, id="grey"),
    pytest.param({"doublings": 3}, id="32 x 32"),
]


@pytest.mark.parametrize("sizes", [*SIZES, pytest.param({"nz": 1, "ngf": 1}, id="a single channel")])
def test_images_are_the_same(sizes: dict[str, int], tmp_path: Path) -> None:
    weights = netg(**sizes)
    model: Any = inference.load_reference(saved(weights, tmp_path))
    assert isinstance(model, ImageGame)
    assert isinstance(model.generator, ConvGenerator)
    latents = model.indexed_latents(0, 4, 9)
    expected = their_images(weights, latents, sizes.get("doublings", 4))
    assert expected.std() > 0.1
    assert model.image_shape == tuple(expected.shape[1:])
    assert_close(model.sample(4, seed=9), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sizes", [{}, {"nc": 1, "ndf": 1}, {"halvings": 5}])
def test_probabilities_are_the_same(sizes: dict[str, int], tmp_path: Path) -> None:
    weights = netd(**sizes)
    network = inference.reference_network(saved(weights, tmp_path))
    assert isinstance(network, ConvDiscriminator)
    halvings = sizes.get("halvings", 4)
    images = torch.rand(3, sizes.get("nc", 3), 4 * 2**halvings, 4 * 2**halvings) * 2 - 1
    expected = their_probabilities(weights, images, halvings)
    assert expected.std() > 1e-3
    with torch.no_grad():
        assert_close(torch.sigmoid(network(images)), expected, rtol=0, atol=1e-5)


PLACES = {
    "alone": lambda: netg(),
    "DataParallel": lambda: {f"module.{name}": weight for name, weight in netg().items()},
    "one level down": lambda: {"netG": netg(), "netD": netd(), "optimizerG": {"state": {}, "param_groups": []}},
    "beside the discriminator": lambda: {"netD": netd(), "generator": netg(), "epoch": 24},
    "two levels down": lambda: {"epoch": 3, "models": {"D": netd(), "G": netg()}},
    "of another Lightning module": lambda: {
        "state_dict": {
            **{f"discriminator.{name}": weight for name, weight in netd().items()},
            **{f"generator.{name}": weight for name, weight in netg().items()},
        },
        "hyper_parameters": {"lr": 2e-4},
    },
    "the average before the others": lambda: {"G": netg(ngf=2), "G_ema": netg()},
}


@pytest.mark.parametrize("place", PLACES)
def test_wherever_people_save_them(place: str, tmp_path: Path) -> None:
    model: Any = inference.load_reference(saved(PLACES[place](), tmp_path))
    expected = their_images(netg(), model.indexed_latents(0, 2, 0))
    assert_close(model.sample(2), expected, rtol=0, atol=1e-5)


def test_a_round_trip_of_our_own_networks(tmp_path: Path) -> None:
    torch.manual_seed(2)
    shape = (3, 64, 64)
    for ours, shift in ((ConvGenerator(shape, 6, width=2), -1), (ConvDiscriminator(shape, width=2), 0)):
        renamed = {}
        for name, value in ours.state_dict().items():
            _, place, part = name.split(".")
            renamed[f"main.{int(place) + shift}.{part}"] = torch.rand_like(value.float()).to(value.dtype)
        back = inference.reference_network(saved(renamed, tmp_path))
        assert type(back) is type(ours)
        assert all(torch.equal(*pair) for pair in zip(back.state_dict().values(), renamed.values(), strict=True))
        assert [*back.state_dict()] == [*ours.state_dict()]


def test_the_arguments_of_its_network_are_known(tmp_path: Path) -> None:
    model = inference.load_reference(saved(netg(), tmp_path))
    recipe = {"class_path": "gan_lightning.networks.ConvGenerator", "init_args": {"width": 3}}
    assert (model.hparams["generator"], model.hparams["latent_dim"]) == (recipe, 5)


class TestCommand:
    def test_samples(self, tmp_path: Path) -> None:
        path = saved({"netG": netg(), "netD": netd()}, tmp_path)
        options = ["--ckpt", str(path), "--n", "3", "--device", "cpu"]
        assert main(["generate", *options, "--out", str(tmp_path / "out")]) == 0
        model: Any = inference.load_reference(path)
        expected = to_uint8(their_images(netg(), model.indexed_latents(0, 3, 0))).permute(0, 2, 3, 1).numpy()
        for number in range(3):
            made = np.asarray(Image.open(tmp_path / "out" / f"{number:05}.png")).astype(int)
            assert np.abs(made - expected[number]).max() <= 1  # a rounding apart
        assert main(["generate", *options[:2], "--interpolate", "0", "1", "--out", str(tmp_path / "way")]) == 0

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (lambda: {"netD": netd()}, "holds a discriminator, which makes no images: give the file of a generator."),
            (
                lambda: {name: w for name, w in netg().items() if name != "main.4.bias"},
                "cannot be used: its weights fit none of the networks that are known: pix2pix",
            ),
        ],
    )
    def test_what_cannot_be_used(
        self, content: Any, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = saved(content(), tmp_path)
        with pytest.raises(SystemExit, match="2"):
            main(["generate", "--ckpt", str(path), "--out", str(tmp_path / "out")])
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gan-lightning generate: {path} {says}")

    def test_it_translates_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = saved(netg(), tmp_path)
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
        options = ["--ckpt", path, "--input", tmp_path / "a.png", "--out", tmp_path / "out"]
        with pytest.raises(SystemExit, match="2"):
            main(["translate", *map(str, options)])
        assert "makes images from latents: use `gan-lightning generate`" in capsys.readouterr().err


class Example(nn.Module):
    """The example's own module, as far as pickling one needs it."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer, (inputs, outputs) in enumerate(((5, 24), (24, 12), (12, 6), (6, 3), (3, 3))):
            stride, padding = (1, 0) if layer == 0 else (2, 1)
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(True)] if layer < 4 else [nn.Tanh()]
        self.main = nn.Sequential(*layers)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_network_that_was_pickled_whole(is_new: bool, tmp_path: Path) -> None:
    network = Example().eval()
    network.load_state_dict(netg())
    torch.save({"g": network}, tmp_path / "whole.pth", _use_new_zipfile_serialization=is_new)
    model: Any = inference.load_reference(tmp_path / "whole.pth")
    latents = model.indexed_latents(0, 2, 0)
    with torch.no_grad():
        assert_close(model.sample(2), network.main(latents[:, :, None, None]), rtol=0, atol=1e-5)
