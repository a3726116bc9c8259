"""Resizing and padding of whole uint8 datasets."""

import torch
from torch import Tensor
from torch.nn import functional as F

_CHUNK = 4096  # bounds the float copies that interpolation makes


def resize(images: Tensor, size: int) -> Tensor:
    """Resize uint8 images, N x C x H x W, to size x size: bicubic, antialiased; the same tensor if it fits already."""
    if images.shape[-2:] == (size, size):
        return images
    # float32 takes four times the memory of uint8: convert 4096 images at a time.
    chunks = [
        F.interpolate(chunk.float(), (size, size), mode="bicubic", antialias=True).round().clamp(0, 255).byte()
        for chunk in images.split(_CHUNK)
    ]
    return torch.cat(chunks)


def pad_to(images: Tensor, size: int) -> Tensor:
    """Add a border of zeros, equal on all sides, to uint8 images, N x C x H x W, up to size x size."""
    # 28 to 32: two pixels on each side.
    margin = (size - images.shape[-1]) // 2
    return F.pad(images, (margin, margin, margin, margin))


def edges(images: Tensor) -> Tensor:
    """Outlines of bright regions: 3 x 3 dilation minus the image, N x C x H x W of any type."""
    # A maximum over the neighbours is the dilation of a bright region.
    return F.max_pool2d(images, kernel_size=3, stride=1, padding=1) - images
