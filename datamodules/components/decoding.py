"""Decoding of image files: by PIL, 16-bit colour by torchvision, arrays by NumPy. Every image file is opened here."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile

from datamodules.components.arrays import SUFFIX as ARRAY_SUFFIX
from datamodules.components.arrays import channels_of, is_array, read_array
from datamodules.components.raster import Pixels, Raster, Size, dtype_of, sides

DECODER = f"3 PIL {PIL.__version__} torch {torch.__version__}"
"""What the pixels of a file depend on beside the file: raise the number when ``decode`` gives others."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", *(["AVIF"] if find_spec("PIL.AvifImagePlugin") else []))
# PIL knows forty more, and starts programs of the system for some of them. AVIF came with PIL 11.3.

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jfif", ARRAY_SUFFIX)
"""What the names of image files end with, in small letters."""

FORMATS = "PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or .npy"
"""The formats that are read, in words; of several pictures in a file the first, see ``read_raster``."""

MOST_PIXELS = 89_478_485
"""An image of more is refused: as a small file it may be made to fill the memory."""

# PIL warns of the same images, and the refusal is enough.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_LUMA = (0.299, 0.587, 0.114)  # of RGB, as PIL has it
_ORIENTATION = 0x0112  # EXIF's tag; from 5 on, width and height are exchanged
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF's tags
_DEEP_COLOUR = ("RGB;16B", "LA;16B", "RGBA;16B")  # what PIL calls a PNG of 16 bits of which it keeps 8
_STEPS = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}  # how PIL scales the pixels of a PNG, but not its key colour


@contextmanager
def open_image(file: str | Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image file without reading its pixels: the only place where PIL is given one.

    Raises:
        UnidentifiedImageError: It is in none of the formats that we read.
        ValueError: It has more than ``MOST_PIXELS``, or is a pipe or a device.
        Exception: Of any kind that PIL raises for a broken file.
    """
    _refuse_no_file(file)
    too_large = f"more than {MOST_PIXELS // 10**6} million pixels: make it smaller, or cut it to pieces"
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(too_large) from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, {too_large}")
        yield image


def _refuse_no_file(file: str | Path | IO[bytes]) -> None:
    if isinstance(file, str | Path) and not S_ISREG(os.stat(file).st_mode):
        raise ValueError("no file, but a pipe, a device or a folder")  # to open a pipe is to wait for its writer


def read_raster(file: str | Path | IO[bytes], channels: int = 3, bits: int = 8, at_least: int | None = None) -> Raster:
    """Read an image of any size and mode, upright.

    =====  =================================================================================================
    1      grey, a colour image its luma; over white where it is transparent
    2      grey and opacity
    3      RGB, a grey image three times the same; over white where it is transparent
    4      RGB and opacity; white where it is fully transparent
    other  only of ``.npy`` and of TIFF
    =====  =================================================================================================

    The channels of an array (``.npy``) are never converted: it must have as many. A TIFF of exactly as many grey pages
    as channels, except 1 and 3, has a channel in each.

    Of 16 bits a channel the upper 8 are kept if 8 are asked for, and 255 becomes 65535 if 16 are. Floating-point
    pixels (TIFF, arrays) are 0 for black to 1 for white.

    Args:
        file: In one of the ``FORMATS``.
        channels: See above.
        bits: Of each channel of the result, 8 or 16.
        at_least: A JPEG may be decoded at a half, a quarter or an eighth of its size, while both sides stay at least
            so long; None: at its own size.

    Raises:
        ValueError: It is too large, or has other channels, numbers that are no brightness, or, where 16 bits are asked
            for, more bits than can be read.
        Exception: Of any kind that PIL raises for a broken file.
    """
    if is_array(file):
        _refuse_no_file(file)
        return Raster(read_array(file, channels, bits, MOST_PIXELS))
    with open_image(file) as image:
        if channels not in (1, 3) and (pages := _pages(image, channels, bits)) is not None:
            return Raster(pages)
        if channels not in _MODES:
            raise ValueError(
                f"{channels} channels are asked for, which only .npy and a TIFF of so many grey pages have"
            )
        alpha = channels in (2, 4)
        if bits == 16 and (deep := _sixteen_bits(image, file)) is not None:
            return Raster(_of_channels(deep, channels), alpha)
        _load(image, at_least)
        pixels = _with_opacity(image, channels) if alpha else pixels_of(_without_opacity(image, channels))
    return Raster(pixels if bits == 8 else pixels * np.uint16(257), alpha)


def own_channels(file: str | Path) -> int:
    """The channels at which a file is read unless others are asked for: an array's own, 3 of any other."""
    _refuse_no_file(file)
    return channels_of(file) if is_array(file) else 3


def read_pixels(
    file: str | Path | IO[bytes], channels: int, at_least: int | None = None, bits: int = 8
) -> NDArray[Any]:
    """Read an image as ``read_raster`` does.

    Returns:
        uint8 or uint16, H x W x channels; not to be written to.
    """
    return read_raster(file, channels, bits, at_least).pixels


def read(file: str | Path | IO[bytes], channels: int, at_least: int | None = None) -> Image.Image:
    """Read an image as ``read_raster`` does, in 1 or 3 channels of 8 bits, as PIL's image."""
    with open_image(file) as image:
        _load(image, at_least)
        return _without_opacity(image, channels)


def decode(file: str | Path | IO[bytes], size: Size, channels: int, draft: bool = False, bits: int = 8) -> Pixels:
    """Read an image, crop it to the aspect ratio of a size and resize it to that.

    Args:
        file: As in ``read_raster``.
        size: Height and width of the result; see ``raster.resized``.
        channels: As in ``read_raster``.
        draft: Decode a JPEG of four times that size or more at a fraction of its own, at least twice the result.
        bits: As in ``read_raster``.

    Returns:
        uint8 or uint16, channels x height x width.

    Raises:
        Exception: Of any kind that PIL raises for a broken file.
    """
    return central_part(file, size, channels, draft, bits).resized(size)


def central_part(file: str | Path | IO[bytes], size: Size, channels: int, draft: bool = False, bits: int = 8) -> Raster:
    """The largest part in the middle of an image that has the aspect ratio of a size, before ``decode`` resizes it."""
    return read_raster(file, channels, bits, at_least=2 * max(sides(size)) if draft else None).cropped(size)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an image: uint8, H x W x C; not to be written to."""
    return np.asarray(image).reshape(image.height, image.width, -1)


def check(file: str | Path | IO[bytes], channels: int = 3, bits: int = 8) -> tuple[int, int]:
    """Read an image to its end, as cheaply as its format allows.

    Args:
        file: In one of the ``FORMATS``.
        channels: As in ``read_raster``.
        bits: As in ``read_raster``.

    Returns:
        Width and height of the upright image.

    Raises:
        Exception: Of any kind that ``read_raster`` raises.
    """
    if channels not in (1, 3) or bits != 8 or is_array(file):
        height, width, _ = read_pixels(file, channels, bits=bits).shape
        return width, height
    with open_image(file) as image:
        width, height = image.size
        # Checking needs no full resolution.
        image.draft(None, (max(1, width // 8), max(1, height // 8)))  # JPEG only: skips most of the arithmetic
        image.load()
        lies = image.getexif().get(_ORIENTATION, 1) >= 5  # PIL has turned a TIFF already, and says so now
        if image.mode[0] in "IF":
            _grey_levels(image, 8)  # its numbers may be no brightness
    return (height, width) if lies else (width, height)


def _load(image: Image.Image, at_least: int | None = None) -> None:
    if at_least is not None:
        # libjpeg decodes at a fraction of the size, before the expensive inverse DCT.
        image.draft(None, (at_least, at_least))  # other formats ignore it
    _scale_key_colour(image)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)  # else it copies also what is upright


def _scale_key_colour(image: Image.Image) -> None:
    """Scale the transparent colour of a PNG to 8 bits, as PIL scales the pixels but not this colour.

    Of 16-bit RGB, which PIL reads as 8 bits, all colours that share the upper 8 bits are transparent then.
    """
    key = image.info.get("transparency")
    step = _STEPS.get(_raw_mode(image))
    if step and isinstance(key, int | tuple):
        scaled = [int(part * step) for part in (key if isinstance(key, tuple) else [key])]
        image.info["transparency"] = tuple(scaled) if isinstance(key, tuple) else scaled[0]


def _raw_mode(image: Image.Image) -> str:
    """What PIL calls the pixels of a PNG in its file; empty for others, and once they have been loaded."""
    return str(image.tile[0][3]) if isinstance(image, PngImageFile) and image.tile else ""


def _without_opacity(image: Image.Image, channels: int) -> Image.Image:
    """Grey or RGB, over white where it is transparent."""
    mode = _MODES[channels]
    # White first, mode second: alpha would be lost in a conversion to RGB, with whatever colour lies beneath.
    opaque = _opaque(image)
    return opaque if opaque.mode == mode else opaque.convert(mode)


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        return Image.fromarray(_of_channels(_grey_levels(image, 8), 1)[..., 0])
    if image.mode == "LAB":
        return image.convert("RGB")  # the only way to grey
    if not image.has_transparency_data:
        return image
    # Transparent pixels become white.
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, _straight(image).convert("RGBA"))


def _with_opacity(image: Image.Image, channels: int) -> Pixels:
    """Grey or RGB, and the opacity: H x W x 2 or 4."""
    if image.mode[0] in "IF":
        return _of_channels(_grey_levels(image, 8), channels)
    # By way of RGBA, since PIL knows no other from a palette to grey and opacity.
    straight = image.convert("RGB") if image.mode == "LAB" else _straight(image)
    return _white_where_transparent(pixels_of(straight.convert("RGBA").convert(_MODES[channels])))


def _straight(image: Image.Image) -> Image.Image:
    return image.convert("LA") if image.mode == "La" else image  # PIL knows no shorter way


def _white_where_transparent(pixels: Pixels) -> Pixels:
    hidden = pixels[..., -1] == 0
    if hidden.any():
        pixels = pixels.copy()
        # What programs leave beneath is anything, and a generator would have to learn it.
        pixels[hidden, :-1] = np.iinfo(pixels.dtype).max
    return pixels


def _grey_levels(image: Image.Image, bits: int) -> Pixels:
    """A grey image of 12 or 16 bits, or of floating-point pixels, scaled where PIL would clip it.

    Returns:
        H x W x 1; with the opacity, H x W x 2, where one of its colours is transparent.

    Raises:
        ValueError: Its numbers have no black and white.
    """
    tags = getattr(image, "tag_v2", {})
    pixels, kind = np.asarray(image), dtype_of(bits)
    top = kind.type(np.iinfo(kind).max)
    if image.mode == "F":
        if not (pixels.min() >= 0 and pixels.max() <= 1):
            raise ValueError("its floating-point pixels are not all from 0 (black) to 1 (white): scale them")
        grey = (pixels * np.float32(top)).round().astype(kind)
    elif image.mode == "I":
        raise ValueError("its pixels are whole numbers with a sign or of 32 bits: save it with 8 or 16 bits a channel")
    else:
        depth = int(tags.get(_BITS, (16,))[0])
        # The upper 8 bits, or all of them, stretched from black to white.
        grey = (pixels >> (depth - 8) if bits == 8 else _stretched(pixels, depth)).astype(kind)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # PIL inverts only those of 8 bits
        grey = top - grey
    key = image.info.get("transparency")
    return grey[..., None] if key is None else np.dstack([grey, np.where(pixels == key, kind.type(0), top)])


def _stretched(pixels: Pixels, depth: int) -> Pixels:
    full = (1 << depth) - 1
    return pixels if full == 65535 else (pixels.astype(np.uint32) * 65535 + full // 2) // full


def _sixteen_bits(image: Image.Image, file: str | Path | IO[bytes]) -> Pixels | None:
    """The pixels of an image of more than 8 bits, H x W x 1 to 4; None if it has no more.

    Raises:
        ValueError: It has them, and no reader of ours keeps them.
    """
    if _raw_mode(image) in _DEEP_COLOUR:
        return _deep_png(image, file)
    if image.mode[0] in "IF":
        _load(image)
        return _grey_levels(image, 16)
    if max(getattr(image, "tag_v2", {}).get(_BITS, (8,))) > 8:
        raise ValueError(
            "it is a TIFF of colours of 16 bits, of which 8 would be lost: save it as PNG or .npy, or set bits to 8"
        )
    return None


def _deep_png(image: Image.Image, file: str | Path | IO[bytes]) -> Pixels:
    """A PNG of 16-bit colours, of which PIL keeps 8 bits; PIL has checked its size."""
    from torchvision.io import ImageReadMode, decode_png

    if not isinstance(file, str | Path):
        file.seek(0)
    content = Path(file).read_bytes() if isinstance(file, str | Path) else file.read()
    channels_first = decode_png(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.UNCHANGED)
    pixels = channels_first.permute(1, 2, 0).numpy()
    key = image.info.get("transparency")
    if isinstance(key, tuple):
        opacity = np.where((pixels == np.array(key)).all(2), np.uint16(0), np.uint16(65535))
        pixels = np.dstack([pixels, opacity])
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1), lambda upright: upright)(pixels)


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
"""What turns an image upright, by EXIF's number of its orientation."""


def _of_channels(pixels: Pixels, channels: int) -> Pixels:
    """Convert grey or RGB, with or without opacity, to as many channels, 1 to 4, as ``read_raster`` says."""
    kind, top = pixels.dtype, int(np.iinfo(pixels.dtype).max)
    has_opacity = pixels.shape[2] in (2, 4)
    colour = pixels[..., :-1] if has_opacity else pixels
    opacity = pixels[..., -1:] if has_opacity else np.full_like(pixels[..., :1], top)
    if channels <= 2 and colour.shape[2] == 3:
        colour = np.rint(colour @ np.array(_LUMA))[..., None]
    if channels in (1, 3) and has_opacity:
        # Over white
        colour = np.rint(top - (top - colour.astype(np.float64)) * (opacity / top))
    colour = np.broadcast_to(colour.astype(kind), (*pixels.shape[:2], 1 if channels <= 2 else 3))
    return colour if channels in (1, 3) else _white_where_transparent(np.concatenate([colour, opacity], 2))


def _pages(image: Image.Image, channels: int, bits: int) -> Pixels | None:
    """The pages of a TIFF that has exactly as many grey ones as channels: H x W x channels; None if it has not."""
    if image.format != "TIFF":
        return None
    # Seeking, and not counting: a file may claim any number of pages.
    if not _has_page(image, channels - 1) or _has_page(image, channels):
        image.seek(0)
        return None
    image.seek(0)
    size, pages = image.size, []
    for number in range(channels):
        image.seek(number)
        # Before it is loaded: only the size of the first has been checked.
        if image.mode not in ("1", "L", "F") and not image.mode.startswith("I"):
            image.seek(0)
            return None
        if image.size != size:
            raise ValueError(f"its pages are {size[0]} x {size[1]} and {image.width} x {image.height} pixels large")
        image.load()
        if image.mode[0] in "IF":
            pages.append(_grey_levels(image, bits))
        else:
            pages.append(pixels_of(image.convert("L")) * dtype_of(bits).type(257 if bits == 16 else 1))
    return np.concatenate(pages, 2)


def _has_page(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True
