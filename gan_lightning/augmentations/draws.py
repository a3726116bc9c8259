"""Random numbers of a batch of images, each image's own, of which a share is drawn and the others change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Draws for the images of one call.

    Attributes:
        like: The images, N x C x H x W: numbers are on their device and of their dtype.
        p: Probability of a transformation, a tensor without dimensions.
    """

    like: Tensor
    p: Tensor

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), N x ..."""
        return torch.rand(len(self.like), *shape, dtype=self.like.dtype, device=self.like.device)

    def around(self, most: float, *shape: int) -> Tensor:
        """Numbers in [-most, most), N x ..."""
        return most * (2 * self.uniform(*shape) - 1)

    def normal(self, std: float, *shape: int) -> Tensor:
        """Normal numbers of mean 0, N x ..."""
        return std * torch.randn(len(self.like), *shape, dtype=self.like.dtype, device=self.like.device)

    def below(self, number: int) -> Tensor:
        """Whole numbers from 0 to ``number - 1``, N."""
        return (number * self.uniform()).floor()

    def some(self, values: Tensor, neutral: float, share: float) -> Tensor:
        """Each image's value with the probability ``share * p``, and elsewhere the value that changes nothing.

        Args:
            values: N x ...
            neutral: The value that changes nothing.
            share: 1: with the probability p.
        """
        return self.with_probability(share * self.p, values, neutral)

    def with_probability(self, probability: Tensor, values: Tensor, neutral: float) -> Tensor:
        """The same with a probability, a tensor without dimensions."""
        is_drawn = self.uniform() < probability
        return torch.where(is_drawn.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)


def change_some(images: Tensor, changes: Tensor, change: Callable[[Tensor, Tensor | slice], Tensor]) -> Tensor:
    """Change some images of a batch and leave the others as they are, to the bit.

    Args:
        images: N x C x H x W.
        changes: Which of them to change, N.
        change: Takes images and their places in the batch, and returns as many.
    """
    # On a CPU for those alone. Elsewhere to look which would be to wait for the device, so all are computed.
    if images.device.type != "cpu":
        return torch.where(changes[:, None, None, None], change(images, slice(None)), images)
    places = changes.nonzero()[:, 0]
    if len(places) == 0:
        return images
    if len(places) == len(images):
        return change(images, slice(None))
    return images.index_copy(0, places, change(images[places], places))
