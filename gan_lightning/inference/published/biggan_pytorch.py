"""Weights of BigGAN by its authors' PyTorch code, github.com/ajbrock/BigGAN-PyTorch: ``G_ema.pth``, ``D.pth``.

Their networks compute what :class:`BigGANGenerator` and :class:`BigGANDiscriminator` compute. They keep one vector of
the power iteration, ours keep both, of which the other follows. Width, classes, attention and the form of the latents
are read off the shapes, the side off the number of blocks. Running means are taken as they are, also those that their
own BatchNorm (``--mybn``) and their synchronised one keep.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.inference.published.networks import Published, PublishedDiscriminator, PublishedGenerator
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator

ABOUT = "BigGAN-PyTorch (generators and discriminators of 32 x 32 to 256 x 256)"

_TO_IMAGE, _SHARED, _FIRST = "output_layer.2.weight", "shared.weight", "blocks.0.0.conv1.weight"
_GAIN = "blocks.0.0.bn1.gain.weight"
_IN_A_BLOCK = re.compile(r"blocks\.(\d+)\.([01])\.")
_ATTENTION = {"theta": "query", "phi": "key", "g": "value", "o": "output", "gamma": "gamma"}
_UP = {"bn1": "residual.0", "conv1": "residual.3", "bn2": "residual.4", "conv2": "residual.6", "conv_sc": "shortcut"}
_DOWN = {"conv1": "residual.1", "conv2": "residual.3", "conv_sc": "shortcut"}
_STATISTIC = re.compile(r"\.(?:bn\.)?(?:stored|running)_(mean|var)$")


def recognise(weights: Weights) -> Published | None:
    """The generator or the discriminator that a state dict belongs to; None: neither.

    Raises:
        ValueError: It has layers that ours do not have, or lacks spectral normalisation.
    """
    if _FIRST not in weights or not (_TO_IMAGE in weights or "embed.weight" in weights):
        return None
    if "blocks.0.0.conv3.weight" in weights:
        raise ValueError("it is a BigGAN-deep, and we have no network for it")
    if "linear.u0" not in weights:
        raise ValueError("its layers are not spectrally normalised, and those of our BigGAN are")
    with_attention = sorted({int(name.split(".")[1]) for name in weights if name.endswith(".1.gamma")})
    if len(with_attention) > 1:
        raise ValueError("it has self-attention on several maps, and our BigGAN on one")
    is_generator = _TO_IMAGE in weights
    places = _places(weights, is_generator)
    ours: dict[str, Tensor] = {}
    for name in weights:
        ours |= _renamed(name, weights, places)
    n_blocks = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    make = _generator if is_generator else _discriminator
    return make(weights, ours, n_blocks, with_attention)


def _generator(weights: Weights, ours: Weights, n_blocks: int, with_attention: list[int]) -> PublishedGenerator:
    shared, gain = weights.get(_SHARED), weights[_GAIN]
    # classes x channels, or channels x (shared_dim + part of the latent)
    num_classes, shared_dim = gain.shape[0], None
    if shared is not None:
        num_classes, shared_dim = shared.shape
    is_hierarchical = shared_dim is not None and gain.shape[1] > shared_dim
    parts = n_blocks + 1 if is_hierarchical else 1
    times = 4 if n_blocks == 3 else 16
    options: dict[str, Any] = {
        "width": weights["linear.weight"].shape[0] // (times * 4 * 4),
        "attention": 8 * 2 ** with_attention[0] if with_attention else None,
        "shared_dim": shared_dim,
        "hierarchical": is_hierarchical,
    }
    shape = (weights[_TO_IMAGE].shape[0], 4 * 2**n_blocks, 4 * 2**n_blocks)
    latent_dim = weights["linear.weight"].shape[1] * parts
    return PublishedGenerator(partial(BigGANGenerator, **options), ours, shape, latent_dim, num_classes)


def _discriminator(weights: Weights, ours: Weights, n_blocks: int, with_attention: list[int]) -> PublishedDiscriminator:
    side = 4 * 2 ** (n_blocks - 1)
    outputs, channels = weights[_FIRST].shape[:2]
    options: dict[str, Any] = {
        "width": outputs // 4 if n_blocks == 4 else outputs,
        "attention": side // 2 ** (with_attention[0] + 1) if with_attention else None,
    }
    recipe = partial(BigGANDiscriminator, **options)
    return PublishedDiscriminator(recipe, ours, (channels, side, side), weights["embed.weight"].shape[0])


def _places(weights: Weights, is_generator: bool) -> dict[str, str]:
    """Our names of their layers that hold weights."""
    places = {"linear": "linear", "embed": "embedding", "shared": "shared"}
    places |= {f"output_layer.{number}": f"output.{number}" for number in (0, 2)}
    inside = _UP if is_generator else _DOWN
    parts = sorted({(int(match[1]), int(match[2])) for match in map(_IN_A_BLOCK.match, weights) if match})
    for number, (block, part) in enumerate(parts):
        # In our discriminator attention is a block of its own.
        ours = f"blocks.{block}.{part}" if is_generator else f"blocks.{number}"
        for theirs, name in (_ATTENTION if part else inside).items():
            places[f"blocks.{block}.{part}.{theirs}"] = f"{ours}.{name}"
    return places


def _renamed(name: str, weights: Weights, places: dict[str, str]) -> dict[str, Tensor]:
    """Our weights by our names that one of theirs becomes."""
    if re.search(r"\.(u|sv)\d+$|\.accumulation_counter$", name):
        return {}
    weight = weights[name]
    layer = max((layer for layer in places if name == layer or name.startswith(f"{layer}.")), key=len)
    place, rest = places[layer], name.removeprefix(layer)
    if statistic := _STATISTIC.search(name):
        norm = place if layer == "output_layer.0" else f"{place}.norm"
        tracked = {f"{norm}.num_batches_tracked": torch.tensor(0)} if statistic[1] == "mean" else {}
        return {f"{norm}.running_{statistic[1]}": weight, **tracked}
    if layer == "output_layer.0":
        return {f"{place}.{'weight' if rest == '.gain' else 'bias'}": weight}
    vector = weights.get(f"{name.removesuffix('.weight')}.u0")
    if not rest.endswith(".weight") or vector is None:
        return {f"{place}{rest}": weight}
    # sigma = u' W v with v = W^T u and u' = W v, both of length one
    matrix = weight.flatten(1)
    v = F.normalize(matrix.T @ vector.flatten(), dim=0)
    normalised = f"{place}{rest.removesuffix('.weight')}.parametrizations.weight"
    return {
        f"{normalised}.original": weight,
        f"{normalised}.0._u": F.normalize(matrix @ v, dim=0),
        f"{normalised}.0._v": v,
    }
