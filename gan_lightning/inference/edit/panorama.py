"""Images wider than those of a generator of styles, which is trained no further.

Chong, Lee and Forsyth, *StyleGAN of All Trades*, 2021, arXiv 2111.01619, as in
:mod:`gan_lightning.inference.edit.composition`, whose functions take and return the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.games.randomness import fold, indexed_normal
from gan_lightning.inference.edit.composition import Axis
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.layers import Layered, image_of, layered, synthesis
from gan_lightning.networks.layers.styles import Maps, Noise

Filling = Literal["reflect", "replicate", "circular", "stretch"]

_STREAM = 9
_LEVEL_OF_8 = 1


def panorama(model: Any, kept: Sequence[KeptLatents], overlap: float = 0.5, smoothing: float = 0.7) -> Tensor:
    """Several images side by side as one.

    In every layer each image takes its own window of the wide maps, of the size that the generator was trained for, and
    where windows overlap their results are mixed, with weights that fall to 0 at the windows' edges. The authors merge
    two images at a time and lay the results over each other.

    Args:
        model: A game of styles.
        kept: From left to right, without maps of noise or with them.
        overlap: Share of a window that it has in common with the next, above 0 and at most 0.5; a whole number of
            columns of the coarsest maps, such as 0.25 or 0.5 of 4 columns.
        smoothing: Deviation, in images, of the Gaussian by which styles are averaged along the panorama; 0: none.

    Returns:
        1 x C x H x (W + (n - 1) (1 - overlap) W).

    Raises:
        ValueError: There are no images, or a number is out of its range.
    """
    if not kept:
        raise ValueError("A panorama is of at least one image.")
    if not 0 <= smoothing < math.inf:
        raise ValueError(f"smoothing is {smoothing:g}: it must be at least 0.")
    with synthesis(model):
        each = _smoothed([layered(model, one) for one in kept], smoothing)
        columns = each[0].begin().features.shape[3]
        shared = overlap * columns
        if not 0 < overlap <= 0.5 or shared != int(shared):
            steps = ", ".join(f"{share / columns:g}" for share in range(1, columns // 2 + 1))
            raise ValueError(f"overlap is {overlap:g}: this generator's images can overlap by {steps} of their width.")
        windows = _Windows(len(each), columns, int(shared))
        maps = windows.joined([one.begin() for one in each])
        for step in range(each[0].network.n_steps):
            maps = windows.joined([one.step(step, windows.of(maps, place)) for place, one in enumerate(each)])
    return image_of(maps)


def _smoothed(each: list[Layered], deviation: float) -> list[Layered]:
    if deviation == 0 or len(each) == 1:
        return each
    places = torch.arange(len(each), dtype=torch.float32)
    kernel = torch.exp(-((places[:, None] - places) ** 2) / (2 * deviation**2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    styles = torch.cat([one.styles for one in each])
    # n x n, n x L x D
    smooth = torch.einsum("ij,jld->ild", kernel.to(styles), styles)
    return [Layered(one.network, smooth[i : i + 1], one.noises) for i, one in enumerate(each)]


class _Windows:
    """Windows on wide maps, each of ``columns`` of the coarsest, of which two neighbours have ``shared`` in common."""

    def __init__(self, n: int, columns: int, shared: int) -> None:
        self.n, self.columns, self.shared = n, columns, shared
        self.stride = columns - shared

    def of(self, maps: Maps, place: int) -> Maps:
        """The maps in a window."""

        # Of the features and of the image, which lags behind them by a doubling.
        def within(x: Tensor) -> Tensor:
            times = x.shape[3] // (self.columns + (self.n - 1) * self.stride)
            first = place * self.stride * times
            return x[..., first : first + self.columns * times]

        return maps.map(within)

    def joined(self, maps: list[Maps]) -> Maps:
        features, images = zip(*maps, strict=True)
        return Maps(self._joined(features), None if images[0] is None else self._joined(images))

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        width = parts[0].shape[3]
        times = width // self.columns
        weights = self._weights(width, times).to(parts[0])
        wide = parts[0].new_zeros(*parts[0].shape[:3], weights.shape[1])
        for place, part in enumerate(parts):
            at = slice(place * self.stride * times, place * self.stride * times + width)
            wide[..., at] += weights[place, at] * part
        return wide

    def _weights(self, width: int, times: int) -> Tensor:
        """Of each window in each column, n x W; they add up to 1."""
        edge = self.shared * times
        rise = ((torch.arange(width) + 0.5) / edge).clamp(max=1)
        bump = torch.minimum(rise, rise.flip(0))
        weights = torch.zeros(self.n, width + (self.n - 1) * self.stride * times)
        for place in range(self.n):
            first = place * self.stride * times
            weights[place, first : first + width] = bump
        return weights / weights.sum(0)


def extend(
    model: Any,
    kept: KeptLatents,
    axis: Axis = "horizontal",
    filling: Filling = "reflect",
    level: int = _LEVEL_OF_8,
    seed: int = 0,
) -> Tensor:
    """More of a single image: its maps are made twice as wide or high, and the layers that follow fill them.

    Args:
        model: A game of styles.
        kept: The image.
        axis: horizontal: twice as wide; vertical: twice as high.
        filling: How half of the size is added at each side: reflected, the edge again, or the other side; or stretch:
            every pixel twice.
        level: Of the maps: 0 are the coarsest, mostly 4 x 4, and 1 of 8 x 8.
        seed: Of the noise in the layers that follow, whose own maps are of the trained size.

    Raises:
        ValueError: There is no such level.
    """
    with synthesis(model):
        one = layered(model, kept)
        end = one.end_of_level(level)
        maps = one.steps(one.begin(), 0, end)
        wider = maps.map(lambda x: _extended(x, axis, filling))
        noisy = Layered(one.network, one.styles, _fresh_noise(one.network, axis, seed))
        return image_of(noisy.steps(wider, end, one.network.n_steps))


def _extended(x: Tensor, axis: Axis, filling: Filling) -> Tensor:
    dimension = 3 if axis == "horizontal" else 2
    if filling == "stretch":
        return x.repeat_interleave(2, dim=dimension)
    length = x.shape[dimension]
    before, after = length // 2, length - length // 2
    sides = (before, after, 0, 0) if dimension == 3 else (0, 0, before, after)
    return F.pad(x, sides, mode=filling)


def _fresh_noise(network: Any, axis: Axis, seed: int) -> list[Tensor]:
    """A normal map for each layer, of twice its size along an axis."""
    maps = []
    for place, part in enumerate(part for part in network.modules() if isinstance(part, Noise)):
        height, width = part.constant.shape[2:]
        height, width = (height, 2 * width) if axis == "horizontal" else (2 * height, width)
        normal = indexed_normal(0, 1, height * width, fold(seed, _STREAM, place))
        maps.append(normal.view(1, 1, height, width).to(part.constant))
    return maps
