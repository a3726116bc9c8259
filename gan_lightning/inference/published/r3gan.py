"""Weights of R3GAN by its authors, github.com/brownvc/R3GAN: files with ``G_ema``, ``G`` and ``D``.

Their networks compute what :class:`R3GANGenerator` and :class:`R3GANDiscriminator` compute. Some of their stages do so
in bfloat16, where ours keep the number type that they are given. Widths, blocks, groups and classes are read off the
shapes, the side off the number of stages, which begin at 4 x 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_lightning.inference.published.networks import Published, PublishedDiscriminator, PublishedGenerator
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.layers.fir import FIRDownsample

ABOUT = "R3GAN (the authors' generators and discriminators of any width)"

_TO_IMAGE, _FROM_IMAGE, _CLASSES = (
    "AggregationLayer.Layer.weight",
    "ExtractionLayer.Layer.weight",
    "EmbeddingLayer.weight",
)
_ENDS = {_TO_IMAGE: "to_image.weight", _FROM_IMAGE: "from_image.weight", _CLASSES: "embedding.weight"}
_OF_A_STAGE = re.compile(r"MainLayers\.(\d+)\.Layers\.(\d+)\.(.+)")
_CHANGE_OF_WIDTH = "LinearLayer.Layer.weight"
_FILTER = "Resampler.Kernel"
_OF_A_BLOCK = {
    # Their activations have the biases.
    "LinearLayer1.Layer.weight": "layers.0.weight",
    "NonLinearity1.Bias": "layers.0.bias",
    "LinearLayer2.Layer.weight": "layers.2.weight",
    "NonLinearity2.Bias": "layers.2.bias",
    "LinearLayer3.Layer.weight": "layers.4.weight",
}


def recognise(weights: Weights) -> Published | None:
    """The generator or the discriminator that a state dict belongs to; None: neither.

    Raises:
        ValueError: It has another resampling filter than the published ones.
    """
    theirs = {name.removeprefix("Model."): weight for name, weight in weights.items()}
    if (_TO_IMAGE in theirs) == (_FROM_IMAGE in theirs):
        return None
    for name, weight in theirs.items():
        if name.endswith(_FILTER) and not torch.allclose(weight, FIRDownsample().kernel):
            raise ValueError("its resampling filter is none of [1, 2, 1], and we have no other for R3GAN")
    ours = {ours: theirs[name] for name in theirs if (ours := _renamed(name, theirs)) is not None}
    classes = theirs.get(_CLASSES)  # Length x classes: a linear layer of one-hot labels.
    if classes is not None:
        ours["embedding.weight"] = classes.t()
    num_classes = None if classes is None else classes.shape[1]
    if _TO_IMAGE in theirs:
        image = theirs[_TO_IMAGE]  # channels x width x 1 x 1
        options, side = _read_off(ours, coarsest_first=True)
        given = ours["linear.weight"].shape[1]
        latent_dim = given if classes is None else given - classes.shape[0]
        generator = partial(R3GANGenerator, **options)
        return PublishedGenerator(generator, ours, (image.shape[0], side, side), latent_dim, num_classes)
    options, side = _read_off(ours, coarsest_first=False)
    discriminator = partial(R3GANDiscriminator, **options)
    return PublishedDiscriminator(discriminator, ours, (theirs[_FROM_IMAGE].shape[1], side, side), num_classes)


def _renamed(name: str, theirs: Weights) -> str | None:
    """Our name of a weight; None: a constant, which is no weight of ours."""
    if name in _ENDS:
        return _ENDS[name]
    match = _OF_A_STAGE.fullmatch(name)
    if match is None:
        raise KeyError(name)
    stage, layer, part = int(match[1]), int(match[2]), match[3]
    if part == _FILTER:
        return None
    if part in ("Basis", "Basis.weight"):
        return part.lower()
    if part == "LinearLayer.weight":
        return "linear.weight"
    if _TO_IMAGE not in theirs:
        # Ours have the filter in a place of its own, before the change of width.
        place = layer + (part == _CHANGE_OF_WIDTH)
    elif part == _CHANGE_OF_WIDTH:
        place = 0
    else:
        # Their first layer of a stage is none of ours in the first stage, and in others one or, with the filter, two.
        changes = f"MainLayers.{stage}.Layers.0.{_CHANGE_OF_WIDTH}" in theirs
        place = layer - 1 if stage == 0 else layer + changes
    return f"stages.{stage}.{place}.{'weight' if part == _CHANGE_OF_WIDTH else _OF_A_BLOCK[part]}"


def _read_off(ours: Mapping[str, Tensor], coarsest_first: bool) -> tuple[dict[str, Any], int]:
    """Our arguments of a network, and the side of its images."""
    # width of each stage, as often as it has blocks
    widths: dict[int, list[int]] = {}
    for name, weight in ours.items():
        if name.startswith("stages.") and name.endswith("layers.0.weight"):
            widths.setdefault(int(name.split(".")[1]), []).append(weight.shape[1])
    width = [widths[stage][0] for stage in sorted(widths, reverse=not coarsest_first)]
    grouped = next(weight for name, weight in ours.items() if name.endswith("layers.2.weight"))
    options = {"width": width, "n_blocks": len(widths[0]), "group_width": grouped.shape[1]}
    return options, 4 * 2 ** (len(width) - 1)
