"""Decoding of image files by PIL, resizing by torch. Every image file is opened here."""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from stat import S_ISREG
from typing import IO

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from torch.nn.functional import interpolate

DECODER = f"3 PIL {PIL.__version__} torch {torch.__version__}"
"""What the pixels of a file depend on beside the file: raise the number when ``decode`` gives others."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", *(["AVIF"] if find_spec("PIL.AvifImagePlugin") else []))
# PIL knows forty more, and starts programs of the system for some of them. AVIF came with PIL 11.3.

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jfif")
"""What the names of image files end with, in small letters."""

FORMATS = "PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF"
"""The formats that are read, in words; of several pictures in a file the first."""

MOST_PIXELS = 89_478_485
"""An image of more is refused: as a small file it may be made to fill the memory."""

# PIL warns of the same images, and the refusal is enough.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_SMALL = 128  # pixels of a side; a batch of larger ones could take more memory than there is
_ORIENTATION = 0x0112  # EXIF's tag; from 5 on, width and height are exchanged
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF's tags
_STEPS = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}  # how PIL scales the pixels of a PNG, but not its key colour


@contextmanager
def open_image(file: str | Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image file without reading its pixels: the only place where PIL is given one.

    Raises:
        UnidentifiedImageError: It is in none of the formats that we read.
        ValueError: It has more than ``MOST_PIXELS``, or is a pipe or a device.
        Exception: Of any kind that PIL raises for a broken file.
    """
    if isinstance(file, str | Path) and not S_ISREG(os.stat(file).st_mode):
        raise ValueError("no file, but a pipe, a device or a folder")  # to open a pipe is to wait for its writer
    too_large = f"more than {MOST_PIXELS // 10**6} million pixels: make it smaller, or cut it to pieces"
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(too_large) from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, {too_large}")
        yield image


def read(file: str | Path | IO[bytes], channels: int, at_least: int | None = None) -> Image.Image:
    """Read an image of any size and mode: upright, over white where it is transparent.

    Of 16 bits a channel it keeps the upper 8. Floating-point pixels (TIFF) are 0 for black to 1 for white.

    Args:
        file: In one of the ``FORMATS``.
        channels: 3: RGB, a grey image three times the same; 1: grey, a colour image its luma.
        at_least: A JPEG may be decoded at a half, a quarter or an eighth of its size, while both sides stay at least
            so long; None: at its own size.

    Raises:
        ValueError: It has more than ``MOST_PIXELS``, or numbers that are no brightness.
        Exception: Of any kind that PIL raises for a broken file.
    """
    mode = "RGB" if channels == 3 else "L"
    with open_image(file) as image:
        if at_least is not None:
            # libjpeg decodes at a fraction of the size, before the expensive inverse DCT.
            image.draft(None, (at_least, at_least))  # other formats ignore it
        _scale_key_colour(image)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # else it copies also what is upright
    # White first, mode second: alpha would be lost in a conversion to RGB, with whatever colour lies beneath.
    opaque = _opaque(image)
    return opaque if opaque.mode == mode else opaque.convert(mode)


def decode(file: str | Path | IO[bytes], size: int, channels: int, draft: bool = False) -> NDArray[np.uint8]:
    """Read an image, crop it to its central square and resize it.

    Args:
        file: As in ``read``.
        size: Height and width of the result; see ``resized``.
        channels: As in ``read``.
        draft: Decode a JPEG of four times that size or more at a fraction of its own, at least twice the result.

    Returns:
        uint8, channels x size x size.

    Raises:
        Exception: Of any kind that PIL raises for a broken file.
    """
    return resized(central_square(file, size, channels, draft)[None], size)[0]


def central_square(file: str | Path | IO[bytes], size: int, channels: int, draft: bool = False) -> NDArray[np.uint8]:
    """The largest square in the middle of an image, before ``decode`` resizes it: uint8, side x side x channels."""
    return square(read_pixels(file, channels, at_least=2 * size if draft else None))


def square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of an image, H x W x C."""
    height, width, _ = pixels.shape
    # No padding: GANs would learn to draw the border.
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def read_pixels(file: str | Path | IO[bytes], channels: int, at_least: int | None = None) -> NDArray[np.uint8]:
    """Read an image as ``read`` does.

    Returns:
        uint8, H x W x channels; not to be written to.
    """
    return pixels_of(read(file, channels, at_least))


def resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize images to squares (bicubic, antialiased); those of that size stay as they are.

    torch's kernel for bytes does what PIL's does, in a fifth of the time for colour. It rounds the weights to fewer
    digits: a pixel in a hundred differs, by 1 of 255, where small images are enlarged also by 2.

    Args:
        pixels: Uint8, N x H x W x C.
        size: Height and width of the results.

    Returns:
        uint8, N x C x size x size, contiguous.
    """
    # N x H x W x C to N x C x H x W.
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2)  # a copy, for PIL's pixels are not to be written to
    return interpolate(images, (size, size), mode="bicubic", antialias=True).contiguous().numpy()


def resized_all(squares: Iterable[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Resize square images of any sizes, H x W x C each; small ones that are alike at once, in half the time.

    Returns:
        uint8, N x C x size x size.
    """
    done: list[NDArray[np.uint8]] = []
    # Neighbours of the same size are resized in one call.
    for (side, _, _), alike in groupby(squares, np.shape):
        if side <= _SMALL:
            done.append(resized(np.stack([*alike]), size))
        else:
            done += [resized(square[None], size) for square in alike]
    return np.concatenate(done)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey or RGB image: uint8, H x W x C; not to be written to."""
    return np.asarray(image).reshape(image.height, image.width, -1)


def check(file: str | Path | IO[bytes]) -> tuple[int, int]:
    """Read an image to its end, as cheaply as its format allows.

    Returns:
        Width and height of the upright image.

    Raises:
        Exception: Of any kind that PIL raises for a broken file.
    """
    with open_image(file) as image:
        width, height = image.size
        # Checking needs no full resolution.
        image.draft(None, (max(1, width // 8), max(1, height // 8)))  # JPEG only: skips most of the arithmetic
        image.load()
        lies = image.getexif().get(_ORIENTATION, 1) >= 5  # PIL has turned a TIFF already, and says so now
        if image.mode[0] in "IF":
            _eight_bits(image)  # its numbers may be no brightness
    return (height, width) if lies else (width, height)


def _scale_key_colour(image: Image.Image) -> None:
    """Scale the transparent colour of a PNG to 8 bits, as PIL scales the pixels but not this colour.

    Of 16-bit RGB, which PIL reads as 8 bits, all colours that share the upper 8 bits are transparent then.
    """
    key = image.info.get("transparency")
    step = _STEPS.get(str(image.tile[0][3])) if isinstance(image, PngImageFile) and image.tile else None
    if step and isinstance(key, int | tuple):
        scaled = [int(part * step) for part in (key if isinstance(key, tuple) else [key])]
        image.info["transparency"] = tuple(scaled) if isinstance(key, tuple) else scaled[0]


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        return _eight_bits(image)
    if image.mode == "LAB":
        return image.convert("RGB")  # the only way to grey
    if not image.has_transparency_data:
        return image
    # Transparent pixels become white.
    white = Image.new("RGBA", image.size, "white")
    straight = image.convert("LA") if image.mode == "La" else image  # PIL knows no shorter way
    return Image.alpha_composite(white, straight.convert("RGBA"))


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of 12 or 16 bits, or of floating-point pixels, scaled to 8 where PIL would clip it.

    Raises:
        ValueError: Its numbers have no black and white.
    """
    tags = getattr(image, "tag_v2", {})
    pixels = np.asarray(image)
    if image.mode == "F":
        if not (pixels.min() >= 0 and pixels.max() <= 1):
            raise ValueError("its floating-point pixels are not all from 0 (black) to 1 (white): scale them")
        grey = (pixels * 255).round().astype(np.uint8)
    elif image.mode == "I":
        raise ValueError("its pixels are whole numbers with a sign or of 32 bits: save it with 8 or 16 bits a channel")
    else:
        bits = tags.get(_BITS, (16,))[0]
        # The upper 8 bits
        grey = (pixels >> (bits - 8)).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # PIL inverts only those of 8 bits
        grey = 255 - grey
    key = image.info.get("transparency")
    return Image.fromarray(grey if key is None else np.where(pixels == key, np.uint8(255), grey))
