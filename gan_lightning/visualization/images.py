"""Tensors of images to grids; to PNG, GIF and .npy files."""

import io
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gan_lightning.visualization.image_sets import write_atomically

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_PNG_COLOURS = {1: 0, 3: 2, 4: 6}  # PNG's numbers for these modes
_CHECKER = 8  # pixels of a square of the board that shows through transparent images
_LIGHT, _WHITE = 0.6, 1.0  # its colours, in [-1, 1]


def to_uint8(images: Tensor) -> Tensor:
    """Map [-1, 1] to 0 ... 255, the inverse of a game's scaling of uint8 images; uint16 keeps its upper 8 bits.

    uint8 stays as it is.
    """
    if images.dtype == torch.uint8:
        return images
    if images.dtype == torch.uint16:
        return (images.to(torch.int32) >> 8).to(torch.uint8)
    # Rounded, not cut: uint8 to [-1, 1] and back is the identity.
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_uint16(images: Tensor) -> Tensor:
    """Map [-1, 1] to 0 ... 65535, the inverse of a game's scaling of uint16 images."""
    return ((images.detach().float() + 1) * 32767.5).round().clamp(0, 65535).to(torch.int32).to(torch.uint16)


def drawable(images: Tensor) -> Tensor:
    """Images of any number of channels as grey or RGB ones, which a picture can show side by side.

    Grey and RGB stay as they are. The fourth of four channels is the opacity: what shows through is a board of light
    squares. Of any other number of channels each becomes a grey image.

    Args:
        images: N x C x H x W in [-1, 1].

    Returns:
        N x 1 or 3 x H x W in [-1, 1]; (N C) x 1 x H x W for 2 channels or more than 4, those of an image in a row.
    """
    channels, height, width = images.shape[1:]
    if channels in (1, 3):
        return images
    if channels != 4:
        return images.flatten(0, 1)[:, None]
    rows, columns = (torch.arange(side, device=images.device) // _CHECKER for side in (height, width))
    board = torch.where((rows[:, None] + columns) % 2 == 0, _WHITE, _LIGHT).to(images.dtype)
    opacity = ((images[:, 3:] + 1) / 2).clamp(0, 1)
    return images[:, :3] * opacity + board * (1 - opacity)


def are_points(image_shape: Sequence[int]) -> bool:
    """Whether images of this shape (C, H, W) are points in the plane, drawn as a scatter plot."""
    return tuple(image_shape) == (2, 1, 1)


def stack(images: Sequence[Tensor]) -> Tensor:
    """Stack images, C x H x W of any sizes: centre-cropped to the smallest, grey ones repeated to RGB."""
    channels = max(len(image) for image in images)
    height, width = (min(image.shape[axis] for image in images) for axis in (1, 2))
    cut = []
    for image in images:
        top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
        cut.append(image[:, top : top + height, left : left + width].expand(channels, -1, -1))
    return torch.stack(cut)


def grid(images: Tensor, columns: int | None = None, gap: int = 1) -> Tensor:
    """Arrange images in a grid, row by row, with black gaps.

    Args:
        images: N x C x H x W, N at least 1.
        columns: Images in a row; as many as rows unless given.
        gap: Pixels between two images.

    Returns:
        One image, C x H' x W'.
    """
    n, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    # Each cell has its gap above and at the left; empty cells at the end stay black.
    cells = images.new_zeros(rows * columns, channels, height + gap, width + gap)
    cells[:n, :, gap:, gap:] = images
    cells = cells.view(rows, columns, channels, height + gap, width + gap)
    # rows x columns x C x h x w to C x (rows h) x (columns w)
    whole = cells.permute(2, 0, 3, 1, 4).reshape(channels, rows * (height + gap), columns * (width + gap))
    return torch.nn.functional.pad(whole, (0, gap, 0, gap))


def enlarge(images: Tensor, scale: int) -> Tensor:
    """Make every pixel of images, ... x H x W, ``scale`` x ``scale`` pixels large."""
    if scale == 1:
        return images
    return images.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)


def to_pil(image: Tensor) -> Image.Image:
    """Convert a uint8 image, C x H x W, to PIL: grey, RGB or RGBA by its number of channels.

    Raises:
        ValueError: No picture has that many channels.
    """
    channels = image.shape[0]
    if channels not in _MODES:
        raise ValueError(f"An image of {channels} channels cannot be drawn: it takes 1 (grey), 3 (RGB) or 4 (RGBA).")
    # C x H x W to H x W x C
    pixels = image.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def file_suffix(channels: int) -> str:
    """What the file of an image of so many channels ends with where none is asked for: .png, or .npy."""
    return ".png" if channels in _MODES else ".npy"


def write_image(path: Path, image: Tensor) -> None:
    """Write an image, C x H x W of uint8 or uint16, as PNG or, H x W x C, as .npy, by the end of the name."""
    if path.suffix == ".npy":
        content = io.BytesIO()
        np.save(content, np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy()), allow_pickle=False)
        write_atomically(path, content.getvalue())
    elif image.dtype == torch.uint16:
        if len(image) not in _PNG_COLOURS:
            raise ValueError(f"A PNG has 1, 3 or 4 channels, and the image {len(image)}: write it as .npy.")
        write_atomically(path, _deep_png(image.permute(1, 2, 0).cpu().numpy()))
    else:
        write_png(path, image)


def _deep_png(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel, which PIL writes of grey images alone; H x W x 1, 3 or 4."""
    height, width, channels = pixels.shape
    # Every row begins with the number of its filter: 2 is the difference to the row above, byte by byte.
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.full((height, 1 + rows.shape[1]), 2, np.uint8)
    filtered[:, 1:] = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOURS[channels], 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": zlib.compress(filtered.tobytes()), b"IEND": b""}
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_png(path: Path, image: Tensor) -> None:
    """Write a uint8 image, C x H x W. The file appears when it is complete."""
    # zlib's strategy for PNG rows: a photograph of 256 x 256 in 0.3 of the time that the default takes, and 3 % larger.
    _write(path, to_pil(image), format="PNG", compress_type=zlib.Z_RLE)


def write_gif(path: Path, frames: Sequence[Image.Image], durations: Sequence[int]) -> None:
    """Write an endless animation of at least one frame; durations are in milliseconds.

    GIF has 256 colours a frame. The file appears when it is complete.
    """
    rest = list(frames[1:])
    _write(path, frames[0], format="GIF", save_all=True, append_images=rest, duration=list(durations), loop=0)


def _write(path: Path, picture: Image.Image, **options: Any) -> None:
    # Encode in memory first: the file appears complete or not at all.
    content = io.BytesIO()
    picture.save(content, **options)
    write_atomically(path, content.getvalue())
