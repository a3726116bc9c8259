"""Bicubic resizing as MATLAB's ``imresize`` does it, by which super-resolution is measured.

torch's antialiased bicubic has MATLAB's kernel (a = -0.5, stretched by the factor when it shrinks), unlike its plain
one (a = -0.75). They differ at the borders only: torch cuts the kernel there, MATLAB mirrors the image.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def downscale(images: Tensor, scale: int) -> Tensor:
    """Shrink images by an integer factor.

    Args:
        images: Uint8, N x C x H x W; H and W are multiples of ``scale``.
        scale: At least 1.

    Returns:
        uint8, N x C x H / scale x W / scale.
    """
    height, width = (side // scale for side in images.shape[-2:])
    return _resize(images, 2 * scale, (height, width), 2)


def upscale(images: Tensor, scale: int) -> Tensor:
    """Enlarge images by an integer factor: the baseline that every super-resolution network is to beat.

    Args:
        images: Uint8, N x C x H x W.
        scale: At least 1.

    Returns:
        uint8, N x C x H * scale x W * scale.
    """
    height, width = (side * scale for side in images.shape[-2:])
    return _resize(images, 2, (height, width), 2 * scale)


def _resize(images: Tensor, border: int, size: tuple[int, int], border_after: int) -> Tensor:
    """Resize with a mirrored border as wide as the kernel reaches, and cut the border off again."""
    around = ((0, 0), (0, 0), (border, border), (border, border))
    # In float64: a value that MATLAB rounds up from exactly one half must not fall below it.
    mirrored = torch.from_numpy(np.pad(images.numpy(), around, mode="symmetric")).double()
    height, width = size
    larger = (height + 2 * border_after, width + 2 * border_after)
    # Interpolate with the mirrored border, then cut it off again.
    resized = F.interpolate(mirrored, larger, mode="bicubic", antialias=True)
    inner = resized[..., border_after : border_after + height, border_after : border_after + width]
    return (inner + 0.5).floor().clamp(0, 255).byte()  # MATLAB rounds halves up; round() would round them to even
