"""Laplacian pyramids of images: the residual of each doubling. Pure functions.

Burt, Adelson, *The Laplacian Pyramid as a Compact Image Code*, IEEE Transactions on Communications 1983. Images
are N x C x H x W; a size is H and W, or one number for both. All lists begin with the coarsest level.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

Size = int | tuple[int, int]


def down(images: Tensor, size: Size) -> Tensor:
    """Blur images and make them smaller: bilinear, with a kernel as wide as the step; (1, 3, 3, 1) / 8 to halve them.

    It keeps centres where they are, as :func:`up` does, so that a residual has no shifted image in it.
    """
    # On a CPU torch does this in no half precision.
    exact = images.to(torch.promote_types(images.dtype, torch.float32))
    return F.interpolate(exact, size, mode="bilinear", antialias=True).to(images.dtype)


def up(images: Tensor, size: Size) -> Tensor:
    """Make images larger, bilinearly."""
    return F.interpolate(images, size, mode="bilinear")


def gaussian_pyramid(images: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """The images at growing sizes, the last of which is their own: ``I_k = down(I_{k+1})``."""
    # From fine to coarse, then reversed
    levels = [images]
    for size in reversed(sizes[:-1]):
        levels.append(down(levels[-1], size))
    return levels[::-1]


def laplacian_pyramid(images: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """The coarsest images, then what each larger level adds: ``h_k = I_k - up(I_{k-1})``.

    Of images in [-1, 1] the residuals are in [-2, 2].
    """
    levels = gaussian_pyramid(images, sizes)
    return [levels[0], *(fine - up(coarse, _size(fine)) for coarse, fine in pairwise(levels))]


def collapse(pyramid: Sequence[Tensor]) -> Tensor:
    """Reconstruct the images of a Laplacian pyramid."""
    images = pyramid[0]
    for residual in pyramid[1:]:
        # I_k = up(I_{k-1}) + h_k
        images = up(images, _size(residual)) + residual
    return images


def _size(images: Tensor) -> tuple[int, int]:
    height, width = images.shape[-2:]
    return height, width
