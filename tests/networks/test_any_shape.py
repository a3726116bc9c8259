"""Every network of images and every variant, at images that are not square and of any number of channels."""

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning import networks
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.games.growing import GrowingGame
from gan_lightning.networks.layers.growing import Growing
from gan_lightning.variants import LAPGAN, SRGAN, StackGAN
from tests.helpers.games import IMAGE_VARIANTS, SMALL_NETWORKS, example_batch, flat, small

POINTS = (networks.PointGenerator, networks.PointDiscriminator)
ENCODERS = (networks.ConvImageEncoder, networks.RegionEncoder)
TEXTS = (networks.BagOfWords, networks.LSTMTextEncoder)
OTHERS = (
    "WaveGAN",
    "HiFiGAN",
    "SpecGAN",
    "MidiNet",
    "LSTMGenerator",
    "LSTMDiscriminator",
    "TextCNN",
    "Pix2Code",
    "Program",
)
"""What the names of networks of sounds and other media begin with."""
IMAGE_NETWORKS = [
    kind for kind in SMALL_NETWORKS if kind not in (*POINTS, *TEXTS) and not kind.__name__.startswith(OTHERS)
]
SHAPES = [(1, 48, 32), (2, 32, 80), (6, 40, 32)]


def made(kind: Any, shape: tuple[int, int, int]) -> tuple[nn.Module, dict[str, Any]]:
    """A small network for images of a shape, and the arguments that it was made of."""
    channels, height, width = shape
    takes = inspect.signature(kind).parameters
    known = {
        "image_shape": shape,
        "condition_shape": (channels, height // 2, width // 2) if kind is networks.SRResNet else shape,
        "latent_dim": 5,
        "num_classes": 3,
        "n_attributes": 3,
        "outputs": 7,
        "embed_dim": 6,
        "condition_dim": 6,
        "palette_dim": 8,
        "scale": 2,
        "shape": shape,
    }
    arguments = {name: value for name, value in known.items() if name in takes}
    return kind(**arguments, **SMALL_NETWORKS[kind]), arguments


def inputs_of(network: nn.Module, arguments: dict[str, Any], n: int) -> list[Any]:
    """What its ``forward`` takes, by the names of the parameters."""
    shape = arguments.get("image_shape") or arguments["shape"]
    kinds = {
        # Some have noise beside the latent.
        "latent": lambda: torch.randn(n, sum(getattr(network, "lengths", [5]))),
        "noise": lambda: torch.randn(n, 1, *shape[1:]),
        "image": lambda: torch.rand(n, *shape) * 2 - 1,
        "features": lambda: torch.randn(n, *shape),
        "low_pass": lambda: torch.rand(n, *shape) * 2 - 1,
        "images": lambda: (
            torch.rand(n, *shape) * 2 - 1
            if isinstance(network, ENCODERS)
            else {domain: torch.rand(n, *shape) * 2 - 1 for domain in ("A", "B")}
        ),
        "condition": lambda: torch.rand(n, *arguments["condition_shape"]) * 2 - 1,
        "frames": lambda: torch.rand(n, *arguments.get("condition_shape", shape)) * 2 - 1,
        "labels": lambda: torch.arange(n) % 3,
        "attributes": lambda: torch.rand(n, 3),
        "sentence": lambda: torch.randn(n, 6),
        "conditions": lambda: torch.randn(n, 6),
        "words": lambda: torch.randn(n, 6, 4),
        "palette": lambda: torch.rand(n, 8),
        "mask": lambda: torch.arange(4) <= torch.arange(n)[:, None],
    }
    takes = inspect.signature(network.forward).parameters.values()
    return [kinds[each.name]() for each in takes if each.kind is not each.KEYWORD_ONLY]


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts for tensor in tensors(part)]


def test_every_network_of_images_is_here() -> None:
    exported = {getattr(networks, name) for name in networks.__all__}
    # Those that take no images, are made of others, or are another with an argument of its own, are tested elsewhere.
    composed = {"CharCNNRNN", "ALI", "Laplacian", "LAPGANCoarse", "Minibatch", "VirtualBatchNorm", "Pyramid"}
    missing = [kind.__name__ for kind in exported - {*SMALL_NETWORKS}]
    assert all(name.startswith(tuple(composed)) for name in missing), missing


ALI = [networks.ALIGenerator, networks.ALIEncoder, networks.ALIDiscriminator]
PYRAMIDS = [networks.PyramidGenerator, networks.PyramidDiscriminator]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [*IMAGE_NETWORKS, *ALI, *PYRAMIDS], ids=lambda kind: kind.__name__)
def test_a_network_of_any_shape(kind: Any, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    for other in (*ALI, *PYRAMIDS):
        monkeypatch.setitem(SMALL_NETWORKS, other, {"width": 4})
    network, arguments = made(kind, shape)
    outputs = tensors(network(*inputs_of(network, arguments, 4)))
    makes_images = "Generator" in kind.__name__ or kind in (
        networks.UNet,
        networks.PaletteUNet,
        networks.ResidualTranslator,
        networks.SRResNet,
        networks.BEGANAutoencoder,
        networks.ConvAutoencoder,
    )
    if makes_images:
        assert tuple(outputs[0].shape) == (4, *shape)
    assert all(len(output) == 4 and output.isfinite().all() for output in outputs)
    torch.stack([output.square().mean() for output in outputs]).sum().backward()
    for name, weight in network.named_parameters():
        # A grown network makes and takes images of its highest level alone.
        if isinstance(network, Growing) and "_images." in name and f"_images.{network.levels}." not in name:
            continue
        # A first stage that is trained is held still; a tree is asked for its largest image.
        if kind is networks.StackGANGenerator and name.startswith("stage1."):
            continue
        if name.startswith("to_images.") and not name.startswith(f"to_images.{len(network.to_images) - 1}."):
            continue
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("shape", [(4, 16, 24), (2, 32, 16)], ids=str)
@pytest.mark.parametrize("variant", IMAGE_VARIANTS, ids=lambda variant: variant.__name__)
def test_a_game_of_any_shape(variant: type[AdversarialModule], shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    arguments: dict[str, Any] = {"image_shape": shape}
    if issubclass(variant, GrowingGame):
        arguments["growth"] = 9.0  # all grown
    if variant is StackGAN:
        arguments["stage1_steps"] = 0  # in its second stage
    if variant is SRGAN:
        arguments["condition_shape"] = (channels, height // 2, width // 2)
    elif "condition_shape" in inspect.signature(variant).parameters:
        arguments["condition_shape"] = shape
    model = small(variant, **arguments)
    raw = example_batch(model, 6, shape=shape)
    prepared = model.checked_batch(raw)
    batch = model.draw_latents(prepared)
    batch = GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))
    if not isinstance(model, EmbeddingGame):  # Two encoders make no images.
        for real, fake in zip(flat(batch.real), flat(batch.fake), strict=True):
            assert fake.shape == real.shape
    assert tuple([part for part in flat(batch.real) if part.ndim == 4][-1].shape[1:]) == shape
    for loss in (model.discriminator_loss, model.discriminator_penalty, model.generator_loss, model.generator_penalty):
        assert all(term.isfinite() for term in loss(batch).values())
    if hasattr(model, "sample"):
        assert tuple(model.sample(3).shape) == (3, *shape)
        assert tuple(model.sample_table(4)[0].shape[1:]) == shape
    if hasattr(model, "picture_columns"):
        columns = model.picture_columns(prepared)
        assert all(tuple(column.shape[2:]) == (height, width) for column in columns)


def test_the_levels_of_a_pyramid_have_the_aspect_ratio_of_the_image() -> None:
    model = small(LAPGAN, image_shape=(2, 32, 16))
    assert model.sizes == [(8, 4), (16, 8), (32, 16)]
    noises = model.generator.noises(torch.randn(3, model.latent_dim))
    assert [tuple(noise.shape) for noise in noises.values()] == [(3, 4), (3, 1, 16, 8), (3, 1, 32, 16)]
