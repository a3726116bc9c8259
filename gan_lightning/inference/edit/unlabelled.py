"""Directions that are found without labels, as they are kept in files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from gan_lightning.inference.edit.directions import DEVIATIONS, Direction, digest_of_generator
from gan_lightning.inference.edit.finding import affine_map, first_features, ganspace, in_deviations, sefa
from gan_lightning.inference.edit.spaces import SpaceName

Layers = tuple[int, int]


def unlabelled_directions(
    space: Any,
    method: Literal["sefa", "ganspace"],
    n: int,
    latents: Tensor,
    layers: Layers | None = None,
    seed: int = 0,
) -> list[Direction]:
    """SeFa or GANSpace: directions ``sefa_00``, ``sefa_01``, ... by falling eigenvalue or variance.

    Args:
        space: z or w of a game.
        method: How they are found; see :mod:`~gan_lightning.inference.edit.finding`.
        n: How many.
        latents: Those of samples, N x ...; SeFa looks at none in z: see :func:`looks_at_samples`.
        layers: First layer and the one after the last that they change, in w. None: all.
        seed: Of GANSpace's random projections.

    Raises:
        ValueError: There are not so many directions, or no such layers.
    """
    name, shape = in_layers(space, layers)
    if method == "sefa":
        vectors = sefa(affine_map(space, layers), n).cpu()
        if looks_at_samples(space, method):
            vectors = torch.stack([in_deviations(vector, latents) for vector in vectors])
    else:
        features = first_features(space, latents) if space.name == "z" else None
        vectors = ganspace(latents.flatten(1), n, features, seed).cpu()
    source = method + (f" of layers {layers[0]}:{layers[1]}" if layers else "")
    digest = digest_of_generator(space.game)
    return [
        Direction(f"{method}_{number:02d}", name, shape(vector.view(space.shape())), DEVIATIONS, source, digest)
        for number, vector in enumerate(vectors)
    ]


def looks_at_samples(space: Any, method: str) -> bool:
    """Whether a method needs the latents of samples: in z SeFa does not, where a unit is a standard deviation."""
    return method == "ganspace" or space.name == "w"


def in_layers(space: Any, chosen: Layers | None) -> tuple[SpaceName, Callable[[Tensor], Tensor]]:
    """The space that directions are in, and what makes a direction of chosen layers of one of all.

    Raises:
        ValueError: There are no layers, or not these.
    """
    if chosen is None:
        return space.name, lambda vector: vector
    first, last = chosen
    if space.name == "z":
        raise ValueError(f"--layers: {type(space.game).__name__} has no styles of layers in z: leave it out.")
    n = space.network.n_styles
    if not 0 <= first < last <= n:
        raise ValueError(f"--layers {first}:{last}: the layers are 0 to {n - 1}, the first below the last.")

    def of_layers(vector: Tensor) -> Tensor:
        every = vector.expand(n, -1).clone()
        every[:first], every[last:] = 0, 0
        return every

    return "w+", of_layers
