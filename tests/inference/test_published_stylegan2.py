"""Weights of NVIDIA's StyleGAN2-ADA and of rosinality's program compute here what their layers compute.

Both forward passes are written out with the names of the files, in plain functional torch.
"""

import argparse
import math
import pickle
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.games.label import LabelGame
from gan_lightning.networks import StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.variants import StyleGAN2
from tests.networks.test_stylegan2 import activated, filtered, unit

Weights = dict[str, Tensor]
SIDES = (4, 8, 16)
CHANNELS = {4: 6, 8: 6, 16: 5}
LATENT, STYLE = 4, 7


def drawn(shapes: dict[str, tuple[int, ...]]) -> Weights:
    rng = torch.Generator().manual_seed(5)
    weights = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    # The mapping network's are stored divided by its rate.
    return {n: w * 100 if n.startswith("mapping.fc") and n.endswith("weight") else w for n, w in weights.items()}


def nvidia_generator(classes: int = 0) -> Weights:
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (STYLE,), "synthesis.b4.const": (CHANNELS[4], 4, 4)}
    if classes:
        shapes |= {"mapping.embed.weight": (STYLE, classes), "mapping.embed.bias": (STYLE,)}
    for layer, inputs in enumerate((LATENT + (STYLE if classes else 0), STYLE, STYLE)):
        shapes |= {f"mapping.fc{layer}.weight": (STYLE, inputs), f"mapping.fc{layer}.bias": (STYLE,)}
    for level, side in enumerate(SIDES):
        block, outputs = f"synthesis.b{side}", CHANNELS[side]
        shapes[f"{block}.resample_filter"] = (4, 4)
        for conv in ("conv0", "conv1")[side == 4 :]:
            inputs = CHANNELS[SIDES[level - 1]] if conv == "conv0" else outputs
            shapes |= {
                f"{block}.{conv}.weight": (outputs, inputs, 3, 3),
                f"{block}.{conv}.bias": (outputs,),
                f"{block}.{conv}.noise_strength": (),
                f"{block}.{conv}.noise_const": (side, side),
                f"{block}.{conv}.resample_filter": (4, 4),
                f"{block}.{conv}.affine.weight": (inputs, STYLE),
                f"{block}.{conv}.affine.bias": (inputs,),
            }
        shapes |= {
            f"{block}.torgb.weight": (3, outputs, 1, 1),
            f"{block}.torgb.bias": (3,),
            f"{block}.torgb.affine.weight": (outputs, STYLE),
            f"{block}.torgb.affine.bias": (outputs,),
        }
    return drawn(shapes)


def nvidia_images(w: Weights, latents: Tensor, labels: Tensor | None = None, psi: float = 1.0) -> Tensor:
    x = unit(latents)
    if labels is not None:
        embedding = w["mapping.embed.weight"][:, labels].t() / math.sqrt(w["mapping.embed.weight"].shape[1])
        x = torch.cat([x, unit(embedding + w["mapping.embed.bias"])], 1)
    for layer in range(3):
        weight = w[f"mapping.fc{layer}.weight"]
        x = activated(x @ weight.t() * 0.01 / math.sqrt(weight.shape[1]) + 0.01 * w[f"mapping.fc{layer}.bias"])
    style = w["mapping.w_avg"] + psi * (x - w["mapping.w_avg"])

    def scales(name: str) -> Tensor:
        return style @ w[f"{name}.affine.weight"].t() / math.sqrt(STYLE) + w[f"{name}.affine.bias"]

    maps = w["synthesis.b4.const"].expand(len(latents), -1, -1, -1)
    image: Any = 0.0
    for side in SIDES:
        block = f"synthesis.b{side}"
        for conv in ("conv0", "conv1")[side == 4 :]:
            name = f"{block}.{conv}"
            results = []
            for one, scale in zip(maps, scales(name), strict=True):
                kernel = w[f"{name}.weight"] * scale[None, :, None, None]
                kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
                if conv == "conv0":
                    wide = F.conv_transpose2d(one[None], kernel.transpose(0, 1), stride=2)
                    results.append(filtered(wide, before=1, after=1) * 4)
                else:
                    results.append(F.conv2d(one[None], kernel, padding=1))
            noise = w[f"{name}.noise_const"] * w[f"{name}.noise_strength"]
            maps = activated(torch.cat(results) + noise + w[f"{name}.bias"][:, None, None])
        name = f"{block}.torgb"
        scaled = maps * scales(name)[:, :, None, None] / math.sqrt(maps.shape[1])
        new = F.conv2d(scaled, w[f"{name}.weight"], w[f"{name}.bias"])
        image = new if side == 4 else filtered(image, up=2, before=2, after=1) + new
    return image


def nvidia_discriminator(classes: int = 0, residual: bool = True) -> Weights:
    last = CHANNELS[4]
    shapes: dict[str, tuple[int, ...]] = {}
    if classes:
        shapes |= {"mapping.embed.weight": (last, classes), "mapping.embed.bias": (last,)}
        for layer in range(2):
            shapes |= {f"mapping.fc{layer}.weight": (last, last), f"mapping.fc{layer}.bias": (last,)}
    for side in (16, 8):
        inputs, outputs = CHANNELS[side], CHANNELS[side // 2]
        if side == 16:
            shapes |= {"b16.fromrgb.weight": (inputs, 3, 1, 1), "b16.fromrgb.bias": (inputs,)}
        shapes |= {
            f"b{side}.resample_filter": (4, 4),
            f"b{side}.conv0.weight": (inputs, inputs, 3, 3),
            f"b{side}.conv0.bias": (inputs,),
            f"b{side}.conv1.weight": (outputs, inputs, 3, 3),
            f"b{side}.conv1.bias": (outputs,),
        }
        if residual:
            shapes[f"b{side}.skip.weight"] = (outputs, inputs, 1, 1)
    shapes |= {
        "b4.conv.weight": (last, last + 1, 3, 3),
        "b4.conv.bias": (last,),
        "b4.fc.weight": (last, last * 16),
        "b4.fc.bias": (last,),
        "b4.out.weight": (last if classes else 1, last),
        "b4.out.bias": (last if classes else 1,),
    }
    return drawn(shapes)


def nvidia_logits(w: Weights, images: Tensor, labels: Tensor | None = None, residual: bool = True) -> Tensor:
    def conv(x: Tensor, name: str, **options: int) -> Tensor:
        kernel = w[f"{name}.weight"]
        return F.conv2d(x, kernel / math.sqrt(kernel[0].numel()), w.get(f"{name}.bias"), **options)

    def dense(x: Tensor, name: str, rate: float = 1.0) -> Tensor:
        weight = w[f"{name}.weight"]
        return x @ weight.t() * rate / math.sqrt(weight.shape[1]) + rate * w[f"{name}.bias"]

    x = activated(conv(images, "b16.fromrgb"))
    for side in (16, 8):
        y = activated(conv(x, f"b{side}.conv0", padding=1))
        y = activated(conv(filtered(y, before=2, after=2), f"b{side}.conv1", stride=2))
        x = (y + conv(filtered(x, down=2, before=1, after=1), f"b{side}.skip")) / math.sqrt(2) if residual else y
    deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(len(x), 1, 4, 4)
    x = activated(conv(torch.cat([x, deviation], 1), "b4.conv", padding=1))
    x = dense(activated(dense(x.flatten(1), "b4.fc")), "b4.out")
    if labels is None:
        return x[:, 0]
    y = unit(dense(F.one_hot(labels, w["mapping.embed.weight"].shape[1]).float(), "mapping.embed"))
    for layer in range(2):
        y = activated(dense(y, f"mapping.fc{layer}", 0.01))
    return (x * y).sum(1) / math.sqrt(x.shape[1])


def rosinality_generator() -> Weights:
    """The same weights as NVIDIA's without classes, under rosinality's names and with its scales."""
    theirs = nvidia_generator()
    weights: Weights = {"input.input": theirs["synthesis.b4.const"][None]}
    weights["style.1.weight"] = torch.zeros(STYLE, STYLE)
    for layer in range(3):
        weights |= {f"style.{layer + 1}.{part}": theirs[f"mapping.fc{layer}.{part}"] for part in ("weight", "bias")}
    names = {"conv1": "b4.conv1", "to_rgb1": "b4.torgb"}
    for place, side in enumerate(SIDES[1:]):
        names |= {f"convs.{2 * place}": f"b{side}.conv0", f"convs.{2 * place + 1}": f"b{side}.conv1"}
        names[f"to_rgbs.{place}"] = f"b{side}.torgb"
    number = 0
    for ours, name in names.items():
        part = {
            n.removeprefix(f"synthesis.{name}."): w for n, w in theirs.items() if n.startswith(f"synthesis.{name}.")
        }
        weights |= {
            f"{ours}.conv.weight": part["weight"][None],
            f"{ours}.conv.modulation.weight": part["affine.weight"],
            f"{ours}.conv.modulation.bias": part["affine.bias"],
        }
        if ours.startswith("to_rgb"):
            weights[f"{ours}.bias"] = part["bias"].reshape(1, 3, 1, 1)
            if ours != "to_rgb1":
                weights[f"{ours}.upsample.kernel"] = torch.ones(4, 4)
        else:
            weights |= {
                f"{ours}.noise.weight": part["noise_strength"].reshape(1),
                f"{ours}.activate.bias": part["bias"],
            }
            weights[f"noises.noise_{number}"] = part["noise_const"][None, None]
            number += 1
            if ours in ("convs.0", "convs.2"):
                weights[f"{ours}.conv.blur.kernel"] = torch.ones(4, 4)
    return weights


def rosinality_discriminator() -> Weights:
    theirs = nvidia_discriminator()
    names = {"b16.fromrgb": "convs.0", "b4.conv": "final_conv"}
    weights = {f"{ours}.0.weight": theirs[f"{name}.weight"] for name, ours in names.items()}
    weights |= {f"{ours}.1.bias": theirs[f"{name}.bias"] for name, ours in names.items()}
    for place, side in enumerate((16, 8), start=1):
        weights |= {
            f"convs.{place}.conv1.0.weight": theirs[f"b{side}.conv0.weight"],
            f"convs.{place}.conv1.1.bias": theirs[f"b{side}.conv0.bias"],
            f"convs.{place}.conv2.0.kernel": torch.ones(4, 4),
            f"convs.{place}.conv2.1.weight": theirs[f"b{side}.conv1.weight"],
            f"convs.{place}.conv2.2.bias": theirs[f"b{side}.conv1.bias"],
            f"convs.{place}.skip.0.kernel": torch.ones(4, 4),
            f"convs.{place}.skip.1.weight": theirs[f"b{side}.skip.weight"],
        }
    for layer, name in enumerate(("b4.fc", "b4.out")):
        weights |= {f"final_linear.{layer}.{part}": theirs[f"{name}.{part}"] for part in ("weight", "bias")}
    return weights


def saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "network.pt")
    return folder / "network.pt"


class Described:
    """What their pickles name: a function of their own that would run source code of the file."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def __reduce__(self) -> Any:
        state = {"_parameters": dict(self.weights), "_buffers": {}, "_modules": {}}
        described = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": "G", "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (described,)


@pytest.fixture
def nvidia_pickle(tmp_path: Path) -> Path:
    """A file as their programs write it, by a stand-in for their module, which is gone when it is read."""
    module = types.ModuleType("torch_utils.persistence")

    def rebuild(described: Any) -> None:
        raise AssertionError("code of the file was run")

    rebuild.__module__, rebuild.__qualname__ = module.__name__, "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = rebuild  # type: ignore[attr-defined]
    sys.modules |= {"torch_utils": types.ModuleType("torch_utils"), module.__name__: module}
    try:
        content = {
            "G": Described(nvidia_generator()),
            "D": Described(nvidia_discriminator()),
            "G_ema": Described(nvidia_generator()),
            "augment_pipe": None,
            "training_set_kwargs": {"resolution": 16},
        }
        (tmp_path / "network-snapshot.pkl").write_bytes(pickle.dumps(content))
    finally:
        del sys.modules["torch_utils"], sys.modules[module.__name__]
    return tmp_path / "network-snapshot.pkl"


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("psi", [1.0, 0.5])
def test_nvidias_images_are_the_same(classes: int, psi: float, tmp_path: Path) -> None:
    weights = nvidia_generator(classes)
    network = inference.reference_network(saved({"G_ema": weights}, tmp_path))
    assert isinstance(network, StyleGAN2Generator)
    latents = torch.randn(3, LATENT)
    labels = [torch.tensor([2, 0, 1])] if classes else []
    expected = nvidia_images(weights, latents, *labels, psi=psi)
    assert expected.std() > 0.1
    with torch.no_grad():
        made = network(latents, *labels, truncation=psi)
    # float32 through a dozen layers; 1e-8 under the roots is of scaled weights here
    assert_close(made, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("residual", [True, False])
def test_nvidias_logits_are_the_same(classes: int, residual: bool, tmp_path: Path) -> None:
    weights = nvidia_discriminator(classes, residual)
    network = inference.reference_network(saved({"D": weights}, tmp_path))
    assert isinstance(network, StyleGAN2Discriminator)
    images = torch.randn(4, 3, 16, 16)
    labels = [torch.tensor([2, 0, 1, 2])] if classes else []
    expected = nvidia_logits(weights, images, *labels, residual=residual)
    assert expected.std() > 1e-3
    with torch.no_grad():
        assert_close(network(images, *labels), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_their_pickles_are_read_and_nothing_in_them_is_run(nvidia_pickle: Path, tmp_path: Path) -> None:
    model: Any = inference.load_reference(nvidia_pickle)
    expected = nvidia_images(nvidia_generator(), model.indexed_latents(0, 2, 0))
    assert_close(model.sample(2), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert main(["generate", "--ckpt", str(nvidia_pickle), "--n", "2", "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def test_rosinalitys_images_are_the_same(tmp_path: Path) -> None:
    """Its files hold the arguments of the program, an object of argparse, beside the weights."""
    content = {"g": {}, "d": {}, "g_ema": rosinality_generator(), "args": argparse.Namespace(size=16, batch=4)}
    model: Any = inference.load_reference(saved(content, tmp_path))
    weights = nvidia_generator()
    expected = nvidia_images(weights, model.indexed_latents(0, 3, 2))
    assert_close(model.sample(3, seed=2), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_rosinalitys_mean_style_is_computed(tmp_path: Path) -> None:
    network: Any = inference.reference_network(saved({"g_ema": rosinality_generator()}, tmp_path))
    torch.manual_seed(0)
    with torch.no_grad():
        styles = network.mapping(torch.randn(10_000, LATENT))
    error = styles.std(0) * math.sqrt(2 / 10_000)
    assert ((network.mapping.mean_style - styles.mean(0)).abs() < 5 * error).all()


def test_rosinalitys_logits_are_the_same(tmp_path: Path) -> None:
    network = inference.reference_network(saved({"d": rosinality_discriminator()}, tmp_path))
    images = torch.randn(4, 3, 16, 16)
    expected = nvidia_logits(nvidia_discriminator(), images)
    with torch.no_grad():
        assert_close(network(images), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("program", ["nvidia", "rosinality"])
def test_a_run_begins_with_their_weights(program: str, tmp_path: Path) -> None:
    """Both players take all of a file; the first samples are those of the published generator."""
    if program == "nvidia":
        content = {"G_ema": nvidia_generator(), "D": nvidia_discriminator()}
    else:
        content = {"g": {}, "g_ema": rosinality_generator(), "d": rosinality_discriminator()}
    file = saved(content, tmp_path)
    # 80 over the side, 6 at most: CHANNELS
    narrow = {"channel_base": 80, "max_channels": 6}
    game = StyleGAN2(
        image_shape=(3, 16, 16),
        latent_dim=LATENT,
        generator=partial(StyleGAN2Generator, style_dim=STYLE, mapping_depth=3, **narrow),
        discriminator=partial(StyleGAN2Discriminator, **narrow),
    )
    reports = [str(report) for report in inference.init_from(game, file)]
    assert reports == [f"{player}: all of {file}." for player in ("generator", "discriminator")]
    expected = nvidia_images(nvidia_generator(), game.indexed_latents(0, 2, 0))
    assert_close(game.sample(2), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    images = torch.randn(4, 3, 16, 16)
    logits = nvidia_logits(nvidia_discriminator(), images)
    with torch.no_grad():
        assert_close(game.discriminator(images), logits, rtol=1e-4, atol=1e-4 * logits.abs().max().item())


@pytest.mark.parametrize("side", [8, 32])
def test_another_resolution_takes_the_layers_of_its_resolutions(side: int, tmp_path: Path) -> None:
    """Their names have the resolutions: b16 is the block from 16 x 16 on."""
    file = saved({"G_ema": nvidia_generator(), "D": nvidia_discriminator()}, tmp_path)
    narrow = {"channel_base": 80, "max_channels": 6}
    game = StyleGAN2(
        image_shape=(3, side, side),
        latent_dim=LATENT,
        generator=partial(StyleGAN2Generator, style_dim=STYLE, mapping_depth=3, **narrow),
        discriminator=partial(StyleGAN2Discriminator, **narrow),
    )
    reports = inference.init_from(game, file)
    theirs, state = nvidia_discriminator(), game.state_dict()
    place = {8: 0, 32: 2}[side]
    assert torch.equal(state[f"discriminator.blocks.{place}.conv1.weight"], theirs["b8.conv0.weight"])
    assert torch.equal(state["discriminator.linear.weight"], theirs["b4.fc.weight"])
    assert not any(torch.equal(weight, theirs["b16.fromrgb.bias"]) for weight in state.values())
    known = nvidia_generator()
    assert torch.equal(state["generator.layers.2.conv.weight"], known["synthesis.b8.conv1.weight"])
    left = {8: ("other.from_image", "other.blocks.0.conv1"), 32: ()}[side]
    assert {*left} <= {*reports[1].unused}
    assert "from_image" in " ".join(reports[1].missing)


def test_with_classes_samples_are_of_classes(tmp_path: Path) -> None:
    model = inference.load_reference(saved({"G_ema": nvidia_generator(3)}, tmp_path))
    assert isinstance(model, LabelGame)
    assert model.num_classes == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: {**w, "synthesis.input.freqs": torch.zeros(3, 2)}, "it is a generator of StyleGAN3"),
        (lambda w: {n: t for n, t in w.items() if "b8.torgb" not in n}, "the architecture resnet or orig"),
        (lambda w: {**w, "synthesis.b16.more.weight": torch.zeros(3)}, "its weights fit none of the networks"),
        (lambda w: {n: t for n, t in w.items() if n != "mapping.fc1.bias"}, "its weights fit none of the networks"),
    ],
)
def test_what_cannot_be_read_is_said(change: Any, says: str, tmp_path: Path) -> None:
    path = saved({"G_ema": change(nvidia_generator())}, tmp_path)
    with pytest.raises(inference.CheckpointError, match=says):
        inference.load_reference(path)
