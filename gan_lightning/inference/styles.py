"""What only generators of styles can do: tables of mixed styles, tables of noise, louder and softer noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.randomness import fold
from gan_lightning.games.style import StyleGame
from gan_lightning.networks.layers.styles import Noise, mix

_NOISE_STREAM = 4  # no latents are drawn of it


def check_styles(model: AdversarialModule) -> Any:
    """The network of a model that makes images of styles.

    Raises:
        ValueError: It does not.
    """
    if not isinstance(model, StyleGame):
        raise ValueError(f"{type(model).__name__} has no styles: StyleGAN and StyleGAN2 have.")
    return model.image_generator


@torch.no_grad()
def scale_noise(model: AdversarialModule, factor: float) -> None:
    """Multiply the noise of samples by a factor: 0 turns it off, 1 leaves it.

    Args:
        model: A game of styles, changed in place.
        factor: At least 0.

    Raises:
        ValueError: The model has no styles, or the factor is negative.
    """
    if not factor >= 0:
        raise ValueError(f"noise is {factor:g}: it must be a factor from 0, which turns it off.")
    for part in check_styles(model).modules():
        if isinstance(part, Noise):
            # And not the constant noise: that of a table of noise is another.
            part.strength.mul_(factor)


@torch.no_grad()
def mixing_table(
    model: AdversarialModule,
    n: int,
    first: int,
    last: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    truncation: float | None = None,
) -> Tensor:
    """Samples with the layers of others: figure 3 of Karras et al., 2019, and 15.20 of Understanding Deep Learning.

    The first row shows samples 0 to n - 1, the first column samples n to 2 n - 1, and each other image is of the style
    of its row's sample, but for layers ``first`` to ``last - 1``, which are those of its column's.

    Args:
        model: A game of styles.
        n: Samples in a row and in a column.
        first: First layer that is taken, from 0, the coarsest.
        last: The layer after the last that is taken.
        seed: Seed of the samples.
        labels: Classes of the samples in turn. None: as frequent as in the data.
        truncation: psi of all styles. None: 1.

    Returns:
        (n + 1) x (n + 1) images in one batch, row by row, in [-1, 1]; the first is white.

    Raises:
        ValueError: The model has no styles, not so many layers, or none of these at the level that it has grown to.
    """
    network = check_styles(model)
    game: Any = model
    if not 0 <= first < last <= network.n_styles:
        raise ValueError(
            f"mix is {first}:{last}: this {type(model).__name__} has the layers 0 to {network.n_styles - 1}, and the "
            f"first layer is below the last, such as 0:{max(1, network.n_styles // 3)}."
        )
    used = getattr(network, "n_used_styles", network.n_styles)
    if first >= used:
        raise ValueError(
            f"mix is {first}:{last}: this {type(model).__name__} has grown to level {model.level:g} so far, whose "
            f"images are of the layers 0 to {used - 1}."
        )
    styles = game.indexed_styles(0, 2 * n, seed, labels, truncation)
    above, beside = styles[:n], styles[n:]
    with evaluating(network):
        rows = [torch.cat([torch.ones_like(top := network.synthesise(above))[:1], top])]
        for one in beside.split(1):
            mixed = mix(one.expand(n, -1, -1), above, first, last)
            rows.append(network.synthesise(torch.cat([one, mixed])))
    return torch.cat(rows)


@torch.no_grad()
def noise_table(
    model: AdversarialModule,
    rows: int,
    columns: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    truncation: float | None = None,
) -> Tensor:
    """The same samples with other noise: figure 4 of Karras et al., 2019.

    Args:
        model: A game of styles.
        rows: Samples.
        columns: Images of each, at least 2, every one with noise of its own; the last column is their standard
            deviation over these, from black, none, to white, the largest in the table.
        seed: Seed of the samples and of the noise.
        labels: Classes of the samples in turn. None: as frequent as in the data.
        truncation: psi of all styles. None: 1.

    Returns:
        rows x (columns + 1) images in one batch, row by row, in [-1, 1].

    Raises:
        ValueError: The model has no styles, or a number is too small.
    """
    network = check_styles(model)
    game: Any = model
    check_whole(1, rows=rows)
    check_whole(2, columns=columns)  # One image has no deviation.
    maps = [part.constant for part in network.modules() if isinstance(part, Noise)]
    styles = game.indexed_styles(0, rows, seed, labels, truncation)
    rng = torch.Generator().manual_seed(fold(seed, _NOISE_STREAM, 0))
    images = []
    with evaluating(network):
        for style in styles.split(1):
            noises = [torch.randn(columns, *each.shape[1:], generator=rng).to(each) for each in maps]
            images.append(network.synthesise(style.expand(columns, -1, -1), noises))
    table = torch.stack(images)
    deviation = table.std(1, keepdim=True)
    deviation = 2 * deviation / deviation.max().clamp_min(1e-12) - 1
    return torch.cat([table, deviation], dim=1).flatten(0, 1)
