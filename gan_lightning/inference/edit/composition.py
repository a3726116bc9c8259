"""Images composed of two in all layers of a generator of styles, which is trained no further.

Chong, Lee and Forsyth, *StyleGAN of All Trades: Image Manipulation with Only Pretrained StyleGAN*, 2021, arXiv
2111.01619. Every function takes latents that :func:`~gan_lightning.inference.edit.invert` has found, or those of
samples, each of one image, and returns 1 x C x H x W in [-1, 1] on the model's device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.inference.edit.brushes import Dab, check_brush
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.layers import Layered, image_of, layered, merge, synthesis
from gan_lightning.inference.styles import check_styles
from gan_lightning.networks.layers.styles import Maps

Axis = Literal["horizontal", "vertical"]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels; right and bottom are excluded."""

_POSE_LAYERS = 3
_LEVEL_OF_16 = 2


def kept_samples(
    model: Any,
    numbers: Sequence[int],
    seed: int = 0,
    labels: Sequence[int] | None = None,
    truncation: float | None = None,
) -> list[KeptLatents]:
    """The styles of samples, one by one, as latents in w+.

    Args:
        model: A game of styles.
        numbers: Of the samples in the sequence that ``generate`` writes.
        seed: Seed of the sequence.
        labels: Classes of the sequence in turn. None: as frequent as in the data.
        truncation: psi. None: 1.
    """
    styles = [model.indexed_styles(number, number + 1, seed, labels, truncation) for number in numbers]
    return [KeptLatents("w+", each) for each in styles]


def blend(
    model: Any,
    first: KeptLatents,
    second: KeptLatents,
    weights: Tensor,
    layers: tuple[int, int | None] = (0, None),
) -> Tensor:
    """Blend two images by a map of weights in all layers, or in some.

    Args:
        model: A game of styles.
        first: The image where the weight is 0.
        second: The image where it is 1.
        weights: H x W from 0 to 1, averaged down to the maps of each layer.
        layers: The first layer that is blended, from 0, and the one after the last; None: to the end. The others are of
            the first image.

    Raises:
        ValueError: The latents are not of this model, the weights are not of its images, or there are no such layers.
    """
    height, width = model.image_shape[1:]
    if weights.shape != (height, width) or not (weights.min() >= 0 and weights.max() <= 1):
        raise ValueError(f"weights must be {height} x {width} numbers from 0 to 1, as the images of the model.")
    n_styles = check_styles(model).n_styles
    begin, end = layers[0], n_styles if layers[1] is None else layers[1]
    if not 0 <= begin < end <= n_styles:
        raise ValueError(f"layers is {begin}:{end}: this {type(model).__name__} has the layers 0 to {n_styles - 1}.")
    known: dict[tuple[int, int], Tensor] = {}

    def weight(layer: int, x: Tensor) -> Tensor | float:
        if not begin <= layer < end:
            return 0.0
        size = (x.shape[2], x.shape[3])
        if size not in known:
            known[size] = F.adaptive_avg_pool2d(weights.to(x)[None, None], size)
        return known[size]

    with synthesis(model):
        return merge(layered(model, first), layered(model, second), weight)


def ramp(height: int, width: int, axis: Axis = "horizontal") -> Tensor:
    """Weights from one side to the other, H x W: 0 in the first quarter, then a line, 1 in the last quarter."""
    length = width if axis == "horizontal" else height
    positions = (torch.arange(length) + 0.5) / length
    line = ((positions - 0.25) * 2).clamp(0, 1)
    return line.expand(height, width) if axis == "horizontal" else line[:, None].expand(height, width)


def box_weights(height: int, width: int, box: Box, softness: float = 0.5) -> Tensor:
    """Weights of a part of the image, H x W: 1 within and 0 outside, blurred across the edges.

    By a Gaussian whose deviation is ``softness`` times the box's side, cut off at half of that, so that the middle of
    the box is 1: the integral of it in closed form.

    Args:
        height: Of the image.
        width: Of the image.
        box: The part.
        softness: 0: hard edges.

    Raises:
        ValueError: The box has no area or does not lie in the image, or ``softness`` is not from 0 to 1.
    """
    check_box(box, height, width)
    _check_softness(softness)
    left, top, right, bottom = box
    return torch.outer(_profile(height, top, bottom, softness), _profile(width, left, right, softness))


def painted_weights(height: int, width: int, dabs: Sequence[Dab], softness: float = 0.5) -> Tensor:
    """Weights that are painted, H x W: 1 at the middle of each dab, 0 a pixel beyond its radius, a line in between.

    Where dabs overlap, the larger weight counts; their colours do not.

    Args:
        height: Of the image.
        width: Of the image.
        dabs: At least one.
        softness: Share of the radius on which the weight falls. 0: the whole disc is 1.

    Raises:
        ValueError: There is no dab, one lies outside of the image, or ``softness`` is not from 0 to 1.
    """
    if not dabs:
        raise ValueError("No weight is painted: give a dab.")
    _check_softness(softness)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    weights = torch.zeros(height, width)
    for dab in dabs:
        check_brush(dab, height, width)
        distance = ((rows - dab.y) ** 2 + (columns - dab.x) ** 2).sqrt()
        weights = weights.maximum(((dab.radius + 1 - distance) / (1 + softness * dab.radius)).clamp(0, 1))
    return weights


def _check_softness(softness: float) -> None:
    if not 0 <= softness <= 1:
        raise ValueError(f"softness is {softness:g}: it must be from 0, hard edges, to 1.")


def check_box(box: Box, height: int, width: int) -> None:
    """Refuse a box that is not a part of an image.

    Raises:
        ValueError: It is not.
    """
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"The box {' '.join(f'{side:g}' for side in box)} is no part of an image of {width} x {height} pixels: "
            "give left, top, right and bottom."
        )


def _profile(length: int, start: float, end: float, softness: float) -> Tensor:
    """A box along one side, blurred, at the middles of its pixels."""
    positions = torch.arange(length, dtype=torch.float64) + 0.5
    deviation = softness * (end - start)
    if deviation == 0:
        return ((positions >= start) & (positions < end)).float()

    def share(distance: Tensor) -> Tensor:
        """Share of the Gaussian, cut off at half a deviation, below a distance."""
        below = torch.special.ndtr((distance / deviation).clamp(-0.5, 0.5))
        ends = torch.special.ndtr(torch.tensor([-0.5, 0.5], dtype=torch.float64))
        return (below - ends[0]) / (ends[1] - ends[0])

    return (share(positions - start) - share(positions - end)).float()


def transfer_box(
    model: Any,
    first: KeptLatents,
    second: KeptLatents,
    box: Box,
    softness: float = 0.5,
    layers: tuple[int, int | None] = (_POSE_LAYERS, None),
) -> Tensor:
    """Transfer what a box of the second image shows, such as its hair or its smile, to the first, whose pose stays.

    :func:`blend` by :func:`box_weights`. The coarsest layers, which decide the pose, are the first image's.

    Args:
        model: A game of styles.
        first: The image that is changed.
        second: The image that it is changed after.
        box: Where.
        softness: As of :func:`box_weights`.
        layers: As of :func:`blend`. The authors' code, for faces of 1024 pixels: (3, 6).

    Raises:
        ValueError: As of both.
    """
    _, height, width = model.image_shape
    return blend(model, first, second, box_weights(height, width, box, softness), layers)


def swap_patch(
    model: Any,
    first: KeptLatents,
    second: KeptLatents,
    box: Box,
    to: tuple[float, float] | None = None,
    level: int = _LEVEL_OF_16,
) -> Tensor:
    """Put a box of the second image's features into the first's, whose later layers are its own.

    Args:
        model: A game of styles.
        first: The image that is changed.
        second: The image that the box is taken of.
        box: Where, rounded to the maps of the level.
        to: Left and top of where it is put; None: where it was.
        level: Whose maps are changed: 0 are the coarsest, mostly 4 x 4, and 2 of 16 x 16. Earlier ones blend more,
            later ones copy more exactly.

    Raises:
        ValueError: There is no such box or level, or it is put outside.
    """
    height, width = model.image_shape[1:]
    check_box(box, height, width)
    target = (box[0], box[1]) if to is None else to
    check_box((*target, target[0] + box[2] - box[0], target[1] + box[3] - box[1]), height, width)
    with synthesis(model):
        one, other = layered(model, first), layered(model, second)
        end = one.end_of_level(level)
        maps = one.steps(one.begin(), 0, end)
        theirs = other.steps(other.begin(), 0, end)
        scale = maps.features.shape[3] / width
        left, top, right, bottom = (round(side * scale) for side in box)
        if left == right or top == bottom:
            raise ValueError(
                f"The box is smaller than a pixel of the maps of level {level}, which are {1 / scale:g} pixels large: "
                "give a larger box or a later level."
            )
        x, y = (round(side * scale) for side in target)
        x, y = min(x, maps.features.shape[3] - right + left), min(y, maps.features.shape[2] - bottom + top)

        def put(into: Tensor, taken: Tensor) -> Tensor:
            into = into.clone()
            into[..., y : y + bottom - top, x : x + right - left] = taken[..., top:bottom, left:right]
            return into

        image = None if maps.image is None or theirs.image is None else put(maps.image, theirs.image)
        return image_of(one.steps(Maps(put(maps.features, theirs.features), image), end, one.network.n_steps))


def between(model: Any, finetuned: Any, kept: KeptLatents, weight: float, first_layer: int = 4) -> Tensor:
    """The image of latents between a model and one that was trained on from it, such as on drawings.

    The coarse layers are the first model's, so that the picture stays; the maps of both are mixed in the others.

    Args:
        model: A game of styles.
        finetuned: The game that was trained on from it.
        kept: Latents of the first model.
        weight: 0: the image of the first model; 1: that of the other from ``first_layer`` on. 0.7 in the authors' code.
        first_layer: First layer that is mixed; 0: all are.

    Raises:
        ValueError: The two have other networks, or the weight is not from 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight:g}: it must be from 0, the first model, to 1, the other.")
    with synthesis(model, finetuned):
        one, other = layered(model, kept), layered(finetuned, kept)
        shapes = [{name: each.shape for name, each in part.network.named_parameters()} for part in (one, other)]
        if shapes[0] != shapes[1] or one.network.n_steps != other.network.n_steps:
            raise ValueError(
                f"The two generators have other layers or sizes, so that {type(finetuned).__name__} was not trained on "
                f"from this {type(model).__name__}."
            )
        # Both take the first model's styles: the mapping network of the other may have moved too.
        theirs = Layered(other.network, one.styles, one.noises)
        return merge(one, theirs, lambda layer, x: weight if layer >= first_layer else 0.0)
