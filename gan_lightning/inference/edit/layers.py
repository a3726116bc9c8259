"""The synthesis of an image of kept latents, layer by layer, so that its maps can be edited in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.freezing import evaluating
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.spaces import space_of
from gan_lightning.inference.styles import check_styles
from gan_lightning.networks.layers.styles import Maps, Synthesis


@dataclass(frozen=True)
class Layered:
    """An image that is made step by step.

    Attributes:
        network: Generator of styles.
        styles: 1 x L x D.
        noises: A map for each layer, or None for the constant noise.
    """

    network: Synthesis
    styles: Tensor
    noises: list[Any]

    def begin(self) -> Maps:
        return self.network.begin(self.styles)

    def step(self, step: int, maps: Maps) -> Maps:
        return self.network.step(step, maps, self.styles, self.noises)

    def steps(self, maps: Maps, first: int, last: int) -> Maps:
        """Take steps ``first`` to ``last - 1``."""
        for step in range(first, last):
            maps = self.step(step, maps)
        return maps

    def end_of_level(self, level: int) -> int:
        """The step after the last of a level, 0 being that of the coarsest maps.

        Raises:
            ValueError: No finer level follows.
        """
        levels = [self.network.place(step)[0] for step in range(self.network.n_steps)]
        if not 0 <= level < levels[-1]:
            raise ValueError(
                f"level is {level}: this generator has the levels 0, of its coarsest maps, to {levels[-1]}, of the "
                f"image, and a finer one must follow, so give 0 to {levels[-1] - 1}."
            )
        return levels.index(level + 1)


def layered(model: Any, kept: KeptLatents) -> Layered:
    """One image of kept latents as it is made step by step.

    Args:
        model: A game of styles.
        kept: Latents in z, w or w+.

    Raises:
        ValueError: The model has no styles, these are several images or none of its own, or its network does not
            synthesise in steps.
    """
    network = check_styles(model)
    if not isinstance(network, Synthesis):
        raise ValueError(
            f"{type(network).__name__} does not make its images in steps: derive it from "
            "networks.layers.styles.Synthesis."
        )
    of = space_of(model, kept.space)  # type: ignore[arg-type]
    latents = of.check(kept.latents, 1)
    if kept.space == "z":
        mapped: Any = network
        styles = mapped.styles(latents, *of.condition(1, None if kept.labels is None else kept.labels.tolist(), None))
    else:
        # Not copied: in another order in memory it would be rounded otherwise.
        styles = latents.expand(-1, network.n_styles, -1)
    maps: list[Any] = [each.to(model.device) for each in kept.noise]
    known = [each.shape for each in space_of(model, "w").first_noise(0, 1, 0)]
    if maps and [each.shape for each in maps] != known:
        raise ValueError(
            f"The maps of noise are not those of this {type(model).__name__}: take the checkpoint they are of."
        )
    return Layered(network, styles, maps or [None] * network.n_styles)


@contextmanager
def synthesis(*models: Any) -> Iterator[None]:
    """Networks in evaluation mode, without gradients."""
    with torch.no_grad(), evaluating(check_styles(models[0])), evaluating(check_styles(models[-1])):
        yield


def merge(first: Layered, second: Layered, weight: Callable[[int, Tensor], Tensor | float]) -> Tensor:
    """Make two images as one: each step takes the same maps, and its two results are mixed before the next.

    ``f = (1 - a) f1 + a f2``, of features and of the sum of images alike (Chong et al., 2021, arXiv 2111.01619).

    Args:
        first: The image.
        second: The other one, of a network of the same shapes.
        weight: a of a layer, by its number, for maps N x C x H x W; 0 where the second takes no part.

    Returns:
        1 x C x H x W.
    """
    maps = _mixed(first.begin(), second.begin(), lambda x: weight(0, x))
    for step in range(first.network.n_steps):
        _, layer = first.network.place(step)
        one = first.step(step, maps)
        a = weight(layer, one.features)
        # The second takes no part in many layers: not computed.
        if isinstance(a, Tensor) or a:
            one = _mixed(one, second.step(step, maps), lambda x, layer=layer: weight(layer, x))  # type: ignore[misc]
        maps = one
    return image_of(maps)


def _mixed(one: Maps, other: Maps, weight: Callable[[Tensor], Tensor | float]) -> Maps:
    """Both ends are exact: lerp returns its first argument at 0 and its second at 1."""
    features = torch.lerp(one.features, other.features, weight(one.features))
    if one.image is None or other.image is None:
        return Maps(features)
    return Maps(features, torch.lerp(one.image, other.image, weight(one.image)))


def image_of(maps: Maps) -> Tensor:
    """The image after the last step."""
    assert maps.image is not None
    return maps.image
