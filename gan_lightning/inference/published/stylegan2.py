"""Weights of StyleGAN2: of NVIDIA's StyleGAN2-ADA, and of rosinality's program.

github.com/NVlabs/stylegan2-ada-pytorch writes pickles of whole networks, ``G``, ``D`` and ``G_ema``, in the form that
StyleGAN3's programs also write; github.com/rosinality/stylegan2-pytorch writes the state dicts ``g``, ``d`` and
``g_ema``. Both compute what :class:`StyleGAN2Generator` and :class:`StyleGAN2Discriminator` compute. The first leaves
the scale ``1 / sqrt(fan_in)`` out of demodulated kernels, which it changes by no more than the 1e-8 under the root.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_lightning.inference.published.networks import Published, PublishedDiscriminator, PublishedStyleGenerator
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.networks.layers.styles import MappingNetwork

ABOUT = "StyleGAN2 (NVIDIA's StyleGAN2-ADA, rosinality's; generators and discriminators)"

_LEFT_OUT = ("resample_filter", ".kernel", "w_avg", "mean_style")
"""What need not be on both sides: taps of filters, [1, 3, 3, 1] in all of these files, and means of styles."""
_MEAN_OF = 10_000
"""Latents whose styles rosinality's files leave to average, for truncation."""


def recognise(weights: Weights) -> Published | None:
    """The generator or the discriminator that a state dict belongs to; None: neither."""
    if "synthesis.input.freqs" in weights:
        raise ValueError("it is a generator of StyleGAN3, whose layers are others: StyleGAN2's can be read")
    if "synthesis.b4.const" in weights:
        return _complete(_nvidia_generator(weights), weights)
    if "b4.out.weight" in weights and "b4.fc.weight" in weights:
        return _complete(_nvidia_discriminator(weights), weights)
    if "input.input" in weights and "conv1.conv.weight" in weights:
        return _complete(_rosinality_generator(weights), weights)
    if "final_linear.1.weight" in weights and "convs.0.0.weight" in weights:
        return _complete(_rosinality_discriminator(weights), weights)
    return None


def _complete(published: Published, weights: Weights) -> Published:
    """Refuse weights of which some have no place in our network.

    Raises:
        KeyError: There are such.
    """
    theirs = sum(weight.numel() for name, weight in weights.items() if not name.endswith(_LEFT_OUT))
    ours = sum(weight.numel() for name, weight in published.weights.items() if not name.endswith(_LEFT_OUT))
    if theirs != ours:
        raise KeyError("left over")
    return published


def _generator(renamed: dict[str, Tensor], shape: tuple[int, int, int]) -> PublishedStyleGenerator:
    """The generator of all of its weights under our names."""
    last = max(int(name.split(".")[1]) for name in renamed if name.startswith("to_images."))
    first_mapping = renamed["mapping.layers.0.weight"]
    style_dim = first_mapping.shape[0]
    embedding = renamed.get("mapping.embedding.weight")
    num_classes = None if embedding is None else embedding.shape[1]
    depth = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.weight", name)) for name in renamed)
    recipe = partial(
        StyleGAN2Generator,
        style_dim=style_dim,
        mapping_depth=depth,
        channel_base=renamed[f"to_images.{last}.weight"].shape[1] * shape[1],
        max_channels=renamed["constant"].shape[1],
    )
    latent_dim = first_mapping.shape[1] - (0 if num_classes is None else style_dim)
    return PublishedStyleGenerator(recipe, renamed, shape, latent_dim, num_classes)


def _discriminator(renamed: dict[str, Tensor], halvings: int) -> PublishedDiscriminator:
    """The discriminator of all of its weights under our names."""
    side = 4 * 2**halvings
    first, last = renamed["from_image.weight"], renamed["conv.weight"]
    embedding = renamed.get("mapping.embedding.weight")
    recipe: Any = partial(
        StyleGAN2Discriminator,
        channel_base=first.shape[0] * side,
        max_channels=last.shape[0],
        residual="blocks.0.skip.weight" in renamed,
        mapping_depth=sum(name.startswith("mapping.layers.") for name in renamed) // 2 or 8,
    )
    num_classes = None if embedding is None else embedding.shape[1]
    return PublishedDiscriminator(recipe, renamed, (first.shape[1], side, side), num_classes)


def _nvidia_mapping(weights: Weights) -> dict[str, Tensor]:
    renamed = {"mapping.mean_style": weights["mapping.w_avg"]} if "mapping.w_avg" in weights else {}
    for name, weight in weights.items():
        if match := re.fullmatch(r"mapping\.(embed|fc(\d+))\.(weight|bias)", name):
            layer = "embedding" if match[2] is None else f"layers.{match[2]}"
            renamed[f"mapping.{layer}.{match[3]}"] = weight
    return renamed


def _nvidia_generator(weights: Weights) -> Published:
    sides = sorted({int(match[1]) for name in weights if (match := re.match(r"synthesis\.b(\d+)\.", name))})
    renamed = _nvidia_mapping(weights)
    renamed["constant"] = weights["synthesis.b4.const"][None]
    for level, side in enumerate(sides):
        block = f"synthesis.b{side}"
        if f"{block}.torgb.weight" not in weights or f"{block}.skip.weight" in weights:
            raise ValueError("its generator has the architecture resnet or orig: skip, StyleGAN2's own, can be read")
        # The first block has one convolution, called conv1.
        for convolution in ("conv0", "conv1")[level == 0 :]:
            theirs = f"{block}.{convolution}"
            ours = f"layers.{2 * level - (convolution == 'conv0')}"
            renamed |= {
                f"{ours}.conv.weight": weights[f"{theirs}.weight"],
                f"{ours}.conv.affine.weight": weights[f"{theirs}.affine.weight"],
                f"{ours}.conv.affine.bias": weights[f"{theirs}.affine.bias"],
                f"{ours}.noise.strength": weights[f"{theirs}.noise_strength"].reshape(1, 1, 1, 1),
                f"{ours}.noise.constant": weights[f"{theirs}.noise_const"][None, None],
                f"{ours}.bias": weights[f"{theirs}.bias"],
            }
        renamed |= {
            f"to_images.{level}.weight": weights[f"{block}.torgb.weight"].flatten(1),
            f"to_images.{level}.affine.weight": weights[f"{block}.torgb.affine.weight"],
            f"to_images.{level}.affine.bias": weights[f"{block}.torgb.affine.bias"],
            f"to_images.{level}.bias": weights[f"{block}.torgb.bias"],
        }
    return _generator(renamed, (len(renamed["to_images.0.bias"]), sides[-1], sides[-1]))


def _nvidia_discriminator(weights: Weights) -> Published:
    sides = sorted({int(match[1]) for name in weights if (match := re.match(r"b(\d+)\.", name))}, reverse=True)
    if any(f"b{side}.fromrgb.weight" in weights for side in sides[1:]):
        raise ValueError("its discriminator has the architecture skip: resnet and orig can be read")
    parts = {f"b{sides[0]}.fromrgb": "from_image", "b4.conv": "conv", "b4.fc": "linear", "b4.out": "output"}
    for place, side in enumerate(sides[:-1]):
        parts |= {
            f"b{side}.conv0": f"blocks.{place}.conv1",
            f"b{side}.conv1": f"blocks.{place}.conv2",
            f"b{side}.skip": f"blocks.{place}.skip",
        }
    renamed = _renamed(weights, parts)
    classes = _nvidia_mapping(weights)
    if classes:
        classes["mapping.mean_style"] = torch.zeros(len(classes["mapping.layers.0.bias"]))
    return _discriminator(renamed | classes, len(sides) - 1)


def _rosinality_generator(weights: Weights) -> Published:
    depth = sum(bool(re.fullmatch(r"style\.\d+\.weight", name)) for name in weights)
    renamed = {
        f"mapping.layers.{layer}.{part}": weights[f"style.{layer + 1}.{part}"]
        for layer in range(depth)
        for part in ("weight", "bias")
    }
    renamed["constant"] = weights["input.input"]
    n_convolutions = sum(bool(re.fullmatch(r"convs\.\d+\.conv\.weight", name)) for name in weights)
    for layer, theirs in enumerate(["conv1", *(f"convs.{place}" for place in range(n_convolutions))]):
        renamed |= {
            f"layers.{layer}.conv.weight": weights[f"{theirs}.conv.weight"][0],
            f"layers.{layer}.conv.affine.weight": weights[f"{theirs}.conv.modulation.weight"],
            f"layers.{layer}.conv.affine.bias": weights[f"{theirs}.conv.modulation.bias"],
            f"layers.{layer}.noise.strength": weights[f"{theirs}.noise.weight"].reshape(1, 1, 1, 1),
            f"layers.{layer}.noise.constant": weights[f"noises.noise_{layer}"],
            f"layers.{layer}.bias": weights[f"{theirs}.activate.bias"],
        }
    levels = n_convolutions // 2
    for level, theirs in enumerate(["to_rgb1", *(f"to_rgbs.{place}" for place in range(levels))]):
        renamed |= {
            # 1 x C x I x 1 x 1 as C x I
            f"to_images.{level}.weight": weights[f"{theirs}.conv.weight"][0, :, :, 0, 0],
            f"to_images.{level}.affine.weight": weights[f"{theirs}.conv.modulation.weight"],
            f"to_images.{level}.affine.bias": weights[f"{theirs}.conv.modulation.bias"],
            f"to_images.{level}.bias": weights[f"{theirs}.bias"].flatten(),
        }
    renamed["mapping.mean_style"] = _mean_style(renamed, depth)
    side = 4 * 2**levels
    return _generator(renamed, (len(renamed["to_images.0.bias"]), side, side))


def _mean_style(renamed: dict[str, Tensor], depth: int) -> Tensor:
    """The mean style of latents of a fixed seed."""
    style_dim, latent_dim = renamed["mapping.layers.0.weight"].shape
    mapping = MappingNetwork(latent_dim, style_dim, depth).eval()
    layers = {name.removeprefix("mapping."): w for name, w in renamed.items() if name.startswith("mapping.layers.")}
    mapping.load_state_dict(layers, strict=False)
    latents = torch.randn(_MEAN_OF, latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return mapping(latents).mean(0)


def _rosinality_discriminator(weights: Weights) -> Published:
    halvings = sum(bool(re.fullmatch(r"convs\.\d+\.conv1\.0\.weight", name)) for name in weights)
    parts = {"convs.0.0": "from_image", "final_conv.0": "conv", "final_linear.0": "linear", "final_linear.1": "output"}
    # The bias is in the activation: the layer behind the convolution, which for the second has a blur before it.
    parts |= {"convs.0.1": "from_image", "final_conv.1": "conv"}
    for place in range(halvings):
        theirs, ours = f"convs.{place + 1}", f"blocks.{place}"
        parts |= {
            f"{theirs}.conv1.0": f"{ours}.conv1",
            f"{theirs}.conv1.1": f"{ours}.conv1",
            f"{theirs}.conv2.1": f"{ours}.conv2",
            f"{theirs}.conv2.2": f"{ours}.conv2",
            f"{theirs}.skip.1": f"{ours}.skip",
        }
    return _discriminator(_renamed(weights, parts), halvings)


def _renamed(weights: Weights, parts: dict[str, str]) -> dict[str, Tensor]:
    """Weights and biases of some layers, under other names of the layers."""
    return {
        f"{ours}.{part}": weights[f"{theirs}.{part}"]
        for theirs, ours in parts.items()
        for part in ("weight", "bias")
        if f"{theirs}.{part}" in weights
    }
