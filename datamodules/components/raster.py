"""Decoded images as arrays: cropping to an aspect ratio, and resizing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

Pixels = NDArray[Any]
"""uint8 or uint16."""
Size = int | tuple[int, int]
"""Height and width; a number: a square."""

_SMALL = 128  # pixels of a side; a batch of larger ones could take more memory than there is


def sides(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (int(size), int(size)) if isinstance(size, Integral) else (size[0], size[1])  # type: ignore[index]


def dtype_of(bits: int) -> np.dtype[Any]:
    """The type of the numbers of a channel of 8 or 16 bits."""
    return np.dtype(np.uint16 if bits == 16 else np.uint8)


@dataclass(frozen=True)
class Raster:
    """A decoded image.

    Attributes:
        pixels: Uint8 or uint16, H x W x C; not to be written to.
        alpha: Whether the last channel is the opacity of the others. Where it is 0 they are white.
    """

    pixels: Pixels
    alpha: bool = False

    def cropped(self, size: Size) -> "Raster":
        """The largest part in the middle that has the aspect ratio of a size."""
        return replace(self, pixels=cropped(self.pixels, size))

    def resized(self, size: Size) -> Pixels:
        """Resize to a height and a width, whatever the aspect ratio: C x H x W."""
        return resized(self.pixels[None], size, self.alpha)[0]


def cropped(pixels: Pixels, size: Size) -> Pixels:
    """The largest part in the middle of an image, H x W x C, that has the aspect ratio of a size."""
    height, width, _ = pixels.shape
    high, wide = sides(size)
    # No padding: GANs would learn to draw the border.
    if height * wide > width * high:
        h, w = max(1, round(width * high / wide)), width
    else:
        h, w = height, max(1, round(height * wide / high))
    top, left = (height - h) // 2, (width - w) // 2
    return pixels[top : top + h, left : left + w]


def resized(pixels: Pixels, size: Size, alpha: bool = False) -> Pixels:
    """Resize images (bicubic, antialiased); those of that size stay as they are.

    torch's kernel for bytes does what PIL's does, in a fifth of the time for colour. It rounds the weights to fewer
    digits: a pixel in a hundred differs, by 1 of 255, where small images are enlarged also by 2.

    Args:
        pixels: Uint8 or uint16, N x H x W x C.
        size: Height and width of the results.
        alpha: Whether the last channel is the opacity: colours then are averaged in proportion to it, as by PIL.

    Returns:
        Of the same type, N x C x height x width, contiguous.
    """
    # N x H x W x C to N x C x H x W.
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2)  # a copy, for PIL's pixels are not to be written to
    if alpha or images.dtype != torch.uint8:
        return _resized_in_floats(images.contiguous(), sides(size), alpha).numpy()
    return interpolate(images, sides(size), mode="bicubic", antialias=True).contiguous().numpy()


def _resized_in_floats(images: Tensor, size: tuple[int, int], alpha: bool) -> Tensor:
    if tuple(images.shape[2:]) == size:
        return images
    top = 255 if images.dtype == torch.uint8 else 65535
    values = images.float()
    if alpha:
        # Colours times opacity: what a transparent pixel hides does not count.
        values = torch.cat([values[:, :-1] * values[:, -1:] / top, values[:, -1:]], 1)
    values = interpolate(values, size, mode="bicubic", antialias=True)
    if alpha:
        opacity = values[:, -1:].clamp(0, top).round()
        colours = torch.where(opacity > 0, values[:, :-1] * top / values[:, -1:], top)
        values = torch.cat([colours, opacity], 1)
    return values.round().clamp(0, top).to(images.dtype).contiguous()


def resized_all(rasters: Iterable[Raster], size: Size) -> Pixels:
    """Resize images of any sizes; small ones that are alike at once, in half the time.

    Returns:
        N x C x height x width, of the type of the images.
    """
    done: list[Pixels] = []
    # Neighbours of the same size are resized in one call.
    for ((height, width, _), alpha), alike in groupby(rasters, lambda raster: (raster.pixels.shape, raster.alpha)):
        if max(height, width) <= _SMALL:
            done.append(resized(np.stack([raster.pixels for raster in alike]), size, alpha))
        else:
            done += [raster.resized(size)[None] for raster in alike]
    return np.concatenate(done)
