"""Colours of images: which channels are colours, and affine transformations of them."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def map_colors(images: Tensor, channels: Sequence[int], change: Callable[[Tensor, bool], Tensor]) -> Tensor:
    """Change the colours of several images that are joined along axis 1, each by itself.

    An image of 3 channels is red, green and blue; one of 4 has its transparency after them, which is left as it is. In
    images of other numbers of channels none is a colour: they have brightness and contrast, but no saturation and hue.

    Args:
        images: N x C x H x W.
        channels: Numbers of channels of the joined images; their sum is C.
        change: Takes the channels to be changed, and whether they are red, green and blue.

    Returns:
        N x C x H x W.
    """
    parts: list[Tensor] = []
    for image in images.split([*channels], dim=1) if len(channels) > 1 else [images]:
        is_rgb, has_alpha = image.shape[1] in (3, 4), image.shape[1] == 4
        parts.append(change(image[:, :3] if has_alpha else image, is_rgb))
        if has_alpha:
            parts.append(image[:, 3:])
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def color_matrix(luma: Tensor, chroma: Tensor, hue: Tensor) -> Tensor:
    """Matrices that act on the grey part of a colour and on what is left of it apart.

    With the luma axis ``v = (1, 1, 1) / sqrt(3)``: ``luma v v^T + chroma R (1 - v v^T)``, where R rotates about v.

    Args:
        luma: Factors of the grey part, N.
        chroma: Factors of the rest, N.
        hue: Angles of R, in radians, N.

    Returns:
        N x 3 x 3.
    """
    grey = torch.full((3, 3), 1 / 3, dtype=luma.dtype, device=luma.device)
    rest = torch.eye(3, dtype=luma.dtype, device=luma.device) - grey
    # The cross product with v: a quarter turn of what is orthogonal to it.
    quarter = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=luma.dtype, device=luma.device) / math.sqrt(3)
    luma, chroma, hue = (each[:, None, None] for each in (luma, chroma, hue))
    return luma * grey + chroma * (hue.cos() * rest + hue.sin() * quarter)
