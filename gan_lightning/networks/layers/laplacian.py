"""Laplacian pyramids of images: the residual of each doubling. Pure functions.

Burt, Adelson, *The Laplacian Pyramid as a Compact Image Code*, IEEE Transactions on Communications 1983. Images
are N x C x side x side. All lists begin with the coarsest level.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


def down(images: Tensor, side: int) -> Tensor:
    """Blur images and make them smaller: bilinear, with a kernel as wide as the step; (1, 3, 3, 1) / 8 to halve them.

    It keeps centres where they are, as :func:`up` does, so that a residual has no shifted image in it.
    """
    # On a CPU torch does this in no half precision.
    exact = images.to(torch.promote_types(images.dtype, torch.float32))
    return F.interpolate(exact, (side, side), mode="bilinear", antialias=True).to(images.dtype)


def up(images: Tensor, side: int) -> Tensor:
    """Make images larger, bilinearly."""
    return F.interpolate(images, (side, side), mode="bilinear")


def gaussian_pyramid(images: Tensor, sides: Sequence[int]) -> list[Tensor]:
    """The images at growing sides, the last of which is their own: ``I_k = down(I_{k+1})``."""
    # From fine to coarse, then reversed
    levels = [images]
    for side in reversed(sides[:-1]):
        levels.append(down(levels[-1], side))
    return levels[::-1]


def laplacian_pyramid(images: Tensor, sides: Sequence[int]) -> list[Tensor]:
    """The coarsest images, then what each larger level adds: ``h_k = I_k - up(I_{k-1})``.

    Of images in [-1, 1] the residuals are in [-2, 2].
    """
    levels = gaussian_pyramid(images, sides)
    return [levels[0], *(fine - up(coarse, fine.shape[-1]) for coarse, fine in pairwise(levels))]


def collapse(pyramid: Sequence[Tensor]) -> Tensor:
    """Reconstruct the images of a Laplacian pyramid."""
    images = pyramid[0]
    for residual in pyramid[1:]:
        # I_k = up(I_{k-1}) + h_k
        images = up(images, residual.shape[-1]) + residual
    return images
