"""Decoding image files: by PIL, and resized by torch."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import IO

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

DECODER = f"2 PIL {PIL.__version__} torch {torch.__version__}"
"""What the pixels of a file depend on beside the file: raise the number when `decode` gives others."""

_FORMATS = ("PNG", "JPEG", "WEBP")
_SMALL = 128  # pixels of a side; a batch of larger ones could take more memory than there is
_ORIENTATION = 0x0112  # EXIF's tag; from 5 on, width and height are exchanged


def read(file: str | Path | IO[bytes], channels: int, at_least: int | None = None) -> Image.Image:
    """Reads an image of any size and mode: upright, over white where it is transparent.

    Args:
        file: PNG, JPEG or WebP.
        channels: 3: RGB, a grey image three times the same; 1: grey, a colour image its luma.
        at_least: a JPEG may be decoded at a half, a quarter or an eighth of its size, while both sides stay at least
            so long; None: at its own size.

    Raises:
        Exception: of any kind that PIL raises for a broken file.
    """
    mode = "RGB" if channels == 3 else "L"
    with Image.open(file, formats=_FORMATS) as image:
        if at_least is not None:
            image.draft(None, (at_least, at_least))  # other formats ignore it
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # else it copies also what is upright
    opaque = _opaque(image)
    return opaque if opaque.mode == mode else opaque.convert(mode)


def decode(file: str | Path | IO[bytes], size: int, channels: int, draft: bool = False) -> NDArray[np.uint8]:
    """Reads an image, crops it to its central square and resizes it.

    Args:
        file: as in `read`.
        size: height and width of the result; see `resized`.
        channels: as in `read`.
        draft: decode a JPEG of four times that size or more at a fraction of its own, at least twice the result.

    Returns:
        uint8, channels x size x size.

    Raises:
        Exception: of any kind that PIL raises for a broken file.
    """
    return resized(central_square(file, size, channels, draft)[None], size)[0]


def central_square(file: str | Path | IO[bytes], size: int, channels: int, draft: bool = False) -> NDArray[np.uint8]:
    """The largest square in the middle of an image, before `decode` resizes it: uint8, side x side x channels."""
    pixels = read_pixels(file, channels, at_least=2 * size if draft else None)
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def read_pixels(file: str | Path | IO[bytes], channels: int, at_least: int | None = None) -> NDArray[np.uint8]:
    """Reads an image as `read` does.

    Returns:
        uint8, H x W x channels; not to be written to.
    """
    return pixels_of(read(file, channels, at_least))


def resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resizes images to squares (bicubic, antialiased); those of that size stay as they are.

    torch's kernel for bytes does what PIL's does, in a fifth of the time for colour. It rounds the weights to fewer
    digits: a pixel in a hundred differs, by 1 of 255, where small images are enlarged also by 2.

    Args:
        pixels: uint8, N x H x W x C.
        size: height and width of the results.

    Returns:
        uint8, N x C x size x size, contiguous.
    """
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2)  # a copy, for PIL's pixels are not to be written to
    return interpolate(images, (size, size), mode="bicubic", antialias=True).contiguous().numpy()


def resized_all(squares: Iterable[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Resizes square images of any sizes, H x W x C each; small ones that are alike at once, in half the time.

    Returns:
        uint8, N x C x size x size.
    """
    done: list[NDArray[np.uint8]] = []
    for (side, _, _), alike in groupby(squares, np.shape):
        if side <= _SMALL:
            done.append(resized(np.stack([*alike]), size))
        else:
            done += [resized(square[None], size) for square in alike]
    return np.concatenate(done)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey or RGB image: uint8, H x W x C; not to be written to."""
    return np.asarray(image).reshape(image.height, image.width, -1)


def check(path: str | Path) -> tuple[int, int]:
    """Reads an image to its end, as cheaply as its format allows.

    Returns:
        Width and height of the upright image.

    Raises:
        Exception: of any kind that PIL raises for a broken file.
    """
    with Image.open(path, formats=_FORMATS) as image:
        width, height = image.size
        lies = image.getexif().get(_ORIENTATION, 1) >= 5
        image.draft(None, (max(1, width // 8), max(1, height // 8)))  # JPEG only: skips most of the arithmetic
        image.load()
    return (height, width) if lies else (width, height)


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # PIL would clip 16 bits to 8 instead of scaling them
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))
