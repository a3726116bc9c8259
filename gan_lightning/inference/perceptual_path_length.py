"""Perceptual path length: how abruptly images change along a path between two samples (Karras et al., 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.randomness import fold, slerp
from gan_lightning.inference.styles import check_styles

Distance = Callable[[Tensor, Tensor], Tensor]
"""Maps two batches of images (N, C, H, W) in [-1, 1] to N distances, such as LPIPS's."""

_STREAM = 5  # places on the paths, drawn apart from the latents


@torch.no_grad()
def perceptual_path_length(
    model: AdversarialModule,
    distance: Distance,
    n: int = 50_000,
    space: Literal["z", "w"] = "w",
    ends: bool = False,
    epsilon: float = 1e-4,
    batch_size: int = 32,
    seed: int = 0,
) -> float:
    """``E d(G(t), G(t + epsilon)) / epsilon^2`` over paths between pairs of samples: arXiv 1812.04948, section 4.1.

    As in the authors' code the values below the 1st and above the 99th percentile are left out of the mean, and both
    images of a pair have the same noise, the model's constant one. Classes are as frequent as in the data.

    Args:
        model: An image game; a game of styles for ``space="w"``.
        distance: d. The published values are of LPIPS with VGG16, of images averaged down to 256 pixels. It must be
            quadratic where it is small, as a squared difference of features is.
        n: Pairs.
        space: "z": latents, interpolated on the sphere; "w": styles, interpolated linearly.
        ends: Whether t is 0, "end" in the paper; otherwise it is uniform on [0, 1], "full".
        epsilon: Step along the path.
        batch_size: Pairs at a time.
        seed: Seed of the latents.

    Returns:
        At least 0.

    Raises:
        ValueError: The model has no styles, or a number is out of its range.
    """
    check_whole(1, n=n, batch_size=batch_size)
    if not epsilon > 0:
        raise ValueError(f"epsilon is {epsilon:g}: it must be greater than 0.")
    game: Any = model
    network: Any = check_styles(model) if space == "w" else game.image_generator
    places = torch.rand(n, generator=torch.Generator().manual_seed(fold(seed, _STREAM)))
    values = []
    with evaluating(network), tqdm(total=n, desc="Path length", unit=" pairs") as bar:
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            t = (torch.zeros(stop - start) if ends else places[start:stop])[:, None].to(game.device)
            latents = game.indexed_latents(2 * start, 2 * stop, seed).to(game.device)
            labels = []
            if getattr(game, "num_classes", None) is not None:
                labels = [game.indexed_labels(start, stop, seed).to(game.device)]
            ways = (t, t + epsilon)
            if space == "w":
                a, b = (network.styles(each, *labels) for each in (latents[::2], latents[1::2]))
                images = [network.synthesise(torch.lerp(a, b, way[..., None].to(a))) for way in ways]
            else:
                images = [network(slerp(latents[::2], latents[1::2], way), *labels) for way in ways]
            values.append(distance(*images).double().flatten().cpu() / epsilon**2)
            bar.update(stop - start)
    lengths = torch.cat(values).sort().values
    # The 1st percentile rounded down and the 99th rounded up, both left in
    low, high = int(0.01 * (n - 1)), -int(-0.99 * (n - 1) // 1)
    return lengths[low : high + 1].mean().item()
