"""Images of latents in any space, and what a generator needs to make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating, frozen
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.spaces import LatentSpace, space_of


@contextmanager
def differentiable(network: Any) -> Iterator[None]:
    """A network in evaluation mode, its weights without gradients, its inputs with them."""
    with evaluating(network), frozen(network), torch.inference_mode(False), torch.enable_grad():
        yield


def render_each(
    model: Any, space: str, latents: Tensor, condition: tuple[Tensor, ...] = (), noise: Sequence[Tensor] = ()
) -> Tensor:
    """Images of N latents, one at a time: the bits of an image are a function of its own latent.

    Args:
        model: The game.
        space: z, w or w+.
        latents: As in :class:`Inversion`.
        condition: What the generator takes beside them, N x ... each.
        noise: As in :class:`Inversion`.

    Returns:
        N x C x H x W in [-1, 1] on the model's device.
    """
    of = space_of(model, space)  # type: ignore[arg-type]
    images = [torch.empty(0, *model.image_shape, device=model.device)]
    with evaluating(of.network):
        for row in range(len(latents)):
            one = [part[row : row + 1].to(model.device) for part in (latents, *condition)]
            images.append(of.make(one[0], tuple(one[1:]), [each[row : row + 1].to(model.device) for each in noise]))
    return torch.cat(images)


def inputs_of_kept(
    model: AdversarialModule, kept: KeptLatents, label: int | None = None
) -> tuple[LatentSpace, Tensor, tuple[Tensor, ...], list[Tensor]]:
    """The space, latents, conditions and maps of noise that a game's generator makes images of.

    Args:
        model: The game that the latents are of.
        kept: The latents of N images.
        label: Class of all images, in place of their own. None: their own.

    Raises:
        ValueError: They are not of this game.
    """
    of = space_of(model, kept.space)  # type: ignore[arg-type]
    n = len(kept.latents)
    labels = [label] if label is not None else None if kept.labels is None else kept.labels.tolist()
    condition = of.condition(n, labels, None if kept.text is None else [kept.text])
    latents = of.check(kept.latents, n)
    maps = of.first_noise(0, n, 0)
    if [each.shape for each in kept.noise] != [each.shape for each in maps]:
        raise ValueError(
            f"The maps of noise are not those of this {type(model).__name__}: take the checkpoint they are of."
        )
    return of, latents, condition, [each.to(latents) for each in kept.noise]


def render_kept(model: AdversarialModule, kept: KeptLatents, label: int | None = None) -> Tensor:
    """Images of kept latents, in the bits that they had when they were found on such a processor.

    Returns:
        N x C x H x W in [-1, 1] on the model's device; the arguments and errors are those of :func:`inputs_of_kept`.
    """
    _, latents, condition, noise = inputs_of_kept(model, kept, label)
    return render_each(model, kept.space, latents, condition, noise)
