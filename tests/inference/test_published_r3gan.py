"""Weights of R3GAN's authors compute here what their layers compute, written out with their names."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.games.label import LabelGame
from gan_lightning.inference.initialisation import init_from
from gan_lightning.inference.published import r3gan
from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.variants import R3GAN

Weights = dict[str, Tensor]

ROW = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
"""[1, 2, 1] and [1, 1], convolved and made to add up to 1."""


class Random:
    """Weights at random, of a size that keeps the variance."""

    def __init__(self, seed: int) -> None:
        self.rng = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        inputs = max(1, Tensor([*shape[1:]]).prod().int().item())
        return torch.randn(shape, generator=self.rng) / inputs**0.5

    def block(self, name: str, width: int, groups: int) -> Weights:
        wide = 2 * width
        return {
            f"{name}.LinearLayer1.Layer.weight": self(wide, width, 1, 1),
            f"{name}.LinearLayer2.Layer.weight": self(wide, wide // groups, 3, 3),
            f"{name}.LinearLayer3.Layer.weight": self(width, wide, 1, 1),
            f"{name}.NonLinearity1.Bias": self(wide),
            f"{name}.NonLinearity2.Bias": self(wide),
        }

    def resampling(self, name: str, inputs: int, outputs: int) -> Weights:
        change = {f"{name}.LinearLayer.Layer.weight": self(outputs, inputs, 1, 1)} if inputs != outputs else {}
        return {f"{name}.Resampler.Kernel": torch.outer(ROW, ROW), **change}


WIDTHS, GROUP, BLOCKS = (8, 8, 4), 4, 2
LATENT = 5


def generator(classes: int | None = None, channels: int = 3) -> Weights:
    """A stage begins with what changes the resolution."""
    random, weights = Random(1), Weights()
    for stage, width in enumerate(WIDTHS):
        name = f"Model.MainLayers.{stage}.Layers"
        if stage == 0:
            inputs = LATENT if classes is None else 2 * LATENT
            weights |= {
                f"{name}.0.Basis": random(width, 4, 4) * 4,
                f"{name}.0.LinearLayer.weight": random(width, inputs),
            }
        else:
            weights |= random.resampling(f"{name}.0", WIDTHS[stage - 1], width)
        for number in range(1, BLOCKS + 1):
            weights |= random.block(f"{name}.{number}", width, 2 * width // GROUP)
    weights["Model.AggregationLayer.Layer.weight"] = random(channels, WIDTHS[-1], 1, 1)
    if classes is not None:
        weights["Model.EmbeddingLayer.weight"] = random(LATENT, classes)
    return weights


def discriminator(classes: int | None = None, channels: int = 3) -> Weights:
    """A stage ends with it."""
    random, widths = Random(2), WIDTHS[::-1]
    weights = {"Model.ExtractionLayer.Layer.weight": random(widths[0], channels, 1, 1)}
    for stage, width in enumerate(widths):
        name = f"Model.MainLayers.{stage}.Layers"
        for number in range(BLOCKS):
            weights |= random.block(f"{name}.{number}", width, 2 * width // GROUP)
        if stage < len(widths) - 1:
            weights |= random.resampling(f"{name}.{BLOCKS}", width, widths[stage + 1])
    weights[f"{name}.{BLOCKS}.Basis.weight"] = random(width, 1, 4, 4)
    weights[f"{name}.{BLOCKS}.LinearLayer.weight"] = random(1 if classes is None else width, width)
    if classes is not None:
        weights["Model.EmbeddingLayer.weight"] = random(width, classes)
    return weights


def their_block(x: Tensor, weights: Weights, name: str) -> Tensor:
    y = F.conv2d(x, weights[f"{name}.LinearLayer1.Layer.weight"])
    y = F.leaky_relu(y + weights[f"{name}.NonLinearity1.Bias"][:, None, None], 0.2)
    grouped = weights[f"{name}.LinearLayer2.Layer.weight"]
    y = F.conv2d(y, grouped, padding=1, groups=y.shape[1] // grouped.shape[1])
    y = F.leaky_relu(y + weights[f"{name}.NonLinearity2.Bias"][:, None, None], 0.2)
    return x + F.conv2d(y, weights[f"{name}.LinearLayer3.Layer.weight"])


def their_change(x: Tensor, weights: Weights, name: str) -> Tensor:
    change = weights.get(f"{name}.LinearLayer.Layer.weight")
    return x if change is None else F.conv2d(x, change)


def their_images(weights: Weights, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    z = latents
    if labels is not None:
        classes = weights["Model.EmbeddingLayer.weight"]
        z = torch.cat([z, F.one_hot(labels, classes.shape[1]).float() @ classes.t()], dim=1)
    x = (
        weights["Model.MainLayers.0.Layers.0.Basis"]
        * (z @ weights["Model.MainLayers.0.Layers.0.LinearLayer.weight"].t())[:, :, None, None]
    )
    for stage in range(len(WIDTHS)):
        name = f"Model.MainLayers.{stage}.Layers"
        if stage:
            x = their_change(x, weights, f"{name}.0")
            kernel = 4 * weights[f"{name}.0.Resampler.Kernel"].view(1, 1, 4, 4)
            maps = F.conv_transpose2d(x.flatten(0, 1)[:, None], kernel, stride=2, padding=1)
            x = maps.view(*x.shape[:2], *maps.shape[2:])
        for number in range(1, BLOCKS + 1):
            x = their_block(x, weights, f"{name}.{number}")
    return F.conv2d(x, weights["Model.AggregationLayer.Layer.weight"])


def their_logits(weights: Weights, images: Tensor, labels: Tensor | None = None) -> Tensor:
    x = F.conv2d(images, weights["Model.ExtractionLayer.Layer.weight"])
    for stage in range(len(WIDTHS)):
        name = f"Model.MainLayers.{stage}.Layers"
        for number in range(BLOCKS):
            x = their_block(x, weights, f"{name}.{number}")
        if stage < len(WIDTHS) - 1:
            kernel = weights[f"{name}.{BLOCKS}.Resampler.Kernel"].view(1, 1, 4, 4)
            maps = F.conv2d(x.flatten(0, 1)[:, None], kernel, stride=2, padding=1)
            x = their_change(maps.view(*x.shape[:2], *maps.shape[2:]), weights, f"{name}.{BLOCKS}")
    x = F.conv2d(x, weights[f"{name}.{BLOCKS}.Basis.weight"], groups=x.shape[1]).flatten(1)
    x = x @ weights[f"{name}.{BLOCKS}.LinearLayer.weight"].t()
    if labels is None:
        return x.flatten()
    classes = weights["Model.EmbeddingLayer.weight"]
    return (x * (F.one_hot(labels, classes.shape[1]).float() @ classes.t())).sum(1)


def saved(content: Any, folder: Path) -> Path:
    """As they save it: a pickle, and not by torch.save."""
    path = folder / "network-snapshot-000001000.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize(("classes", "channels"), [(None, 3), (3, 3), (None, 1)])
def test_images_are_the_same(classes: int | None, channels: int, tmp_path: Path) -> None:
    weights = generator(classes, channels)
    # The average comes first, whatever stands before it.
    path = saved({"G": generator(2), "D": discriminator(classes), "G_ema": weights, "cur_nimg": 1000}, tmp_path)
    model: Any = inference.load_reference(path)
    assert isinstance(model.generator, R3GANGenerator)
    latents, labels = model.indexed_latents(0, 4, 9), None if classes is None else torch.tensor([2, 0, 1, 2])
    expected = their_images(weights, latents, labels)
    assert expected.std() > 0.1
    assert model.image_shape == (channels, 16, 16)
    assert isinstance(model, LabelGame) == (classes is not None)
    chosen = {} if labels is None else {"labels": labels.tolist()}
    assert_close(model.sample(4, seed=9, **chosen), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("classes", [None, 3])
def test_logits_are_the_same(classes: int | None, tmp_path: Path) -> None:
    weights = discriminator(classes)
    network = inference.reference_network(saved(weights, tmp_path))
    assert isinstance(network, R3GANDiscriminator)
    images, labels = torch.rand(4, 3, 16, 16) * 2 - 1, None if classes is None else torch.tensor([2, 0, 1, 2])
    expected = their_logits(weights, images, labels)
    assert expected.std() > 0.01
    with torch.no_grad():
        assert_close(network(images) if labels is None else network(images, labels), expected, rtol=0, atol=1e-5)


def theirs(network: nn.Module) -> Weights:
    """One of our networks under their names, for stages of two blocks, three stages, the first two equally wide."""
    is_generator = isinstance(network, R3GANGenerator)
    given = generator(3) if is_generator else discriminator(3)
    ours = network.state_dict()
    renamed = r3gan.recognise(given)
    assert renamed is not None
    # Found by their shapes and values: which of their weights became ours.
    names = {name: their for name, value in renamed.weights.items() for their, w in given.items() if _same(value, w)}
    kernels = {name: value for name, value in given.items() if name.endswith("Kernel")}
    turned = {their: ours[name].t() if "Embedding" in their else ours[name] for name, their in names.items()}
    return kernels | turned


def _same(value: Tensor, other: Tensor) -> bool:
    return any(
        value.shape == each.shape and torch.equal(value, each)
        for each in (other, other.t() if other.ndim == 2 else other)
    )


@pytest.mark.parametrize("kind", [R3GANGenerator, R3GANDiscriminator])
def test_a_round_trip_of_our_own_networks(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(2)
    options: dict[str, Any] = {"num_classes": 3, "width": [*WIDTHS], "n_blocks": BLOCKS, "group_width": GROUP}
    ours = kind((3, 16, 16), **options, **({"latent_dim": LATENT} if kind is R3GANGenerator else {}))
    back = inference.reference_network(saved(theirs(ours), tmp_path))
    assert back.state_dict().keys() == ours.state_dict().keys()
    for name, weight in ours.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name


def test_a_run_begins_with_them(tmp_path: Path) -> None:
    path = saved({"G": generator(2), "D": discriminator(3), "G_ema": generator(3)}, tmp_path)
    options: dict[str, Any] = {"width": [*WIDTHS], "n_blocks": BLOCKS, "group_width": GROUP}
    networks = {
        "generator": partial(R3GANGenerator, **options),
        "discriminator": partial(R3GANDiscriminator, **options),
    }
    game: Any = R3GAN(image_shape=(3, 16, 16), latent_dim=LATENT, num_classes=3, **networks)
    assert [str(report) for report in init_from(game, path)] == [
        f"{player}: all of {path}." for player in ("generator", "discriminator")
    ]
    latents, labels, images = game.indexed_latents(0, 4, 0), torch.tensor([2, 0, 1, 2]), torch.rand(4, 3, 16, 16)
    assert_close(game(latents, labels), their_images(generator(3), latents, labels), rtol=0, atol=1e-5)
    with torch.no_grad():
        expected = their_logits(discriminator(3), images, labels)
        assert_close(game.discriminator(images, labels), expected, rtol=0, atol=1e-5)


def test_samples_by_the_command(tmp_path: Path) -> None:
    path = saved({"G_ema": generator(3)}, tmp_path)
    options = ["--ckpt", str(path), "--n", "3", "--labels", "2", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main(["generate", *options]) == 0
    assert len([*(tmp_path / "out").glob("*.png")]) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"Model.MainLayers.1.Layers.0.Resampler.Kernel": torch.full((4, 4), 1 / 16)},
            r"its resampling filter is none of \[1, 2, 1\]",
        ),
        ({"Model.MainLayers.1.Layers.1.NonLinearity1.Bias": torch.zeros(3)}, "its weights fit none of the networks"),
        ({"Model.MainLayers.9.Other": torch.zeros(3)}, "its weights fit none of the networks"),
    ],
)
def test_what_is_another_network_is_refused(change: Weights, told: str, tmp_path: Path) -> None:
    with pytest.raises(inference.CheckpointError, match=told):
        inference.load_reference(saved(generator() | change, tmp_path))
