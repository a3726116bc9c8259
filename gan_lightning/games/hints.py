"""Colours that a user sets: at points of an image, and as the palette of another one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_MOST_HINTS = 64  # of an image in training; the geometric law of 1/8 has more in 2 images of 10,000
_PALETTE_BINS = 512


class Hint(NamedTuple):
    """A colour at a point of an image.

    Attributes:
        x: Column in pixels, from the left, counted from 0.
        y: Row in pixels, from the top, counted from 0.
        color: Red, green, blue, 0 to 255.
    """

    x: int
    y: int
    color: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.x},{self.y},#{bytes(self.color).hex()}"

    def check_inside(self, height: int, width: int) -> None:
        """Raise a ValueError if the point is outside an image, or the hint is none."""
        color = [*self.color] if isinstance(self.color, tuple | list) else []
        if not (
            all(isinstance(number, int) for number in (self.x, self.y, *color))
            and len(color) == 3
            and all(0 <= level <= 255 for level in color)
        ):
            raise ValueError(
                f"Hint({self.x}, {self.y}, {self.color}) is none: x and y are whole numbers of pixels, the colour is "
                "(red, green, blue), whole numbers from 0 to 255."
            )
        if not (0 <= self.x < width and 0 <= self.y < height):
            raise ValueError(
                f"The hint {self} lies outside the image of {width} x {height} pixels: x is 0 to {width - 1}, from the "
                f"left, and y 0 to {height - 1}, from the top."
            )


def draw_hints(images: Tensor, probability: float, largest_side: int, reveal_probability: float) -> Tensor:
    """Draw hints from the colours of images, as Zhang et al., 2017 (arXiv 1705.02999, section 3.2).

    The number k of an image's hints is geometric, ``P(k) = p (1 - p)^k``. A hint is a square whose side is uniform on
    1 ... ``largest_side`` and whose corner is normal about the middle, with a standard deviation of a quarter of the
    image's side; its colour is the mean there. A later one covers those before it. Of some images all is revealed.

    Args:
        images: N x C x H x W.
        probability: p of the geometric law; 1: no hints.
        largest_side: In pixels; at most the side of the image.
        reveal_probability: That of revealing an image.

    Returns:
        N x (C + 1) x H x W: the colours, 0 where there are none, and the mask, 1 where there are.
    """
    n, _, height, width = images.shape
    device, exact = images.device, torch.promote_types(images.dtype, torch.float32)
    # float32 explicitly: within a step of Lightning's "bf16-true" the default dtype is bfloat16.
    uniform = torch.rand(2, n, 1, device=device, dtype=torch.float32)
    # Inverse transform of the geometric law; 0 where p is 1.
    count = (uniform[0].log() / math.log(1 - probability)).floor() if probability < 1 else uniform[0] * 0
    # n x K squares are drawn for all, since a number read from the device would be waited for; those beyond an image's
    # number have no pixel.
    side = torch.randint(1, min(largest_side, height, width) + 1, (n, _MOST_HINTS), device=device)
    shown = torch.arange(_MOST_HINTS, device=device) < count
    rows = _extents(_corners(height, side), side, height)
    columns = _extents(_corners(width, side), side * shown, width)
    with torch.autocast(device.type, enabled=False):
        # Sums over squares, n x C x K
        total = torch.einsum("nkh,nchw,nkw->nck", rows.to(exact), images.to(exact), columns.to(exact))
    planes = _painted(rows, columns, total / side[:, None] ** 2)
    revealed = uniform[1, :, :, None, None] < reveal_probability
    whole = torch.cat([images.to(exact), torch.ones_like(planes[:, :1])], dim=1)
    return torch.where(revealed, whole, planes).to(images.dtype)


def place_hints(points: Sequence[tuple[int, int]], colors: Tensor, side: int, images: Tensor) -> Tensor:
    """Planes of hints as :func:`draw_hints` makes them, for points that a user chose.

    Args:
        points: (x, y) of each of K points.
        colors: K x C.
        side: Of the square about each point.
        images: N x any x H x W, which all get the same hints.

    Returns:
        N x (C + 1) x H x W.
    """
    n, _, height, width = images.shape
    # 1 x K corners: the point is the middle of the square.
    x, y = (torch.tensor(points, device=images.device).reshape(-1, 2) - (side - 1) // 2).T[:, None]
    squares = torch.full_like(x, side)
    planes = _painted(_extents(y, squares, height), _extents(x, squares, width), colors.T[None])
    return planes.to(images.dtype).expand(n, -1, -1, -1)


def palette_dim(channels: int) -> int:
    """Length of the palettes of images of so many channels."""
    return _bins(channels) ** channels + 1


def palettes(images: Tensor, shown: Tensor | None = None) -> Tensor:
    """Palettes of images: square roots of the shares of colours in a grid of bins, and a 1 that says that it is given.

    The square root leaves small areas of a colour visible beside a large background. Of a and b of Lab the bins are
    about 10 wide, as in Zhang et al., 2017, of red, green and blue an eighth of the range.

    Args:
        images: N x C x H x W in [-1, 1].
        shown: Which palettes are given, N, booleans; the others are zeros. None: all.

    Returns:
        N x :func:`palette_dim`.
    """
    n, channels = images.shape[:2]
    bins = _bins(channels)
    places = ((images.float() + 1) * (bins / 2)).long().clamp(0, bins - 1)
    index = torch.zeros_like(places[:, 0])
    for channel in places.unbind(1):
        index = index * bins + channel
    counts = torch.zeros(n, bins**channels, device=images.device)
    # Sums of ones are exact in any order, so that a GPU's too are the same each time.
    counts.scatter_add_(1, index.flatten(1), torch.ones_like(counts[:1, :1]).expand(n, index[0].numel()))
    palette = torch.cat([(counts / index[0].numel()).sqrt(), torch.ones_like(counts[:, :1])], dim=1)
    return (palette if shown is None else palette * shown[:, None]).to(images.dtype)


def _bins(channels: int) -> int:
    """Bins of a channel: so many that about 512 make a palette."""
    return round(_PALETTE_BINS ** (1 / channels))


def _corners(length: int, side: Tensor) -> Tensor:
    """Where squares begin along a side of the image: normal about the middle, inside of it."""
    free = length - side
    normal = torch.randn(side.shape, device=side.device, dtype=torch.float32)
    return ((free + 1) * (0.5 + 0.25 * normal)).long().clamp(min=0).minimum(free)


def _extents(first: Tensor, side: Tensor, length: int) -> Tensor:
    """Which rows, or columns, squares cover: N x K corners and sides to N x K x length booleans."""
    places = torch.arange(length, device=first.device)
    return (places >= first[..., None]) & (places < (first + side)[..., None])


def _painted(rows: Tensor, columns: Tensor, colors: Tensor) -> Tensor:
    """Paint squares one over the other.

    Args:
        rows: Those of each square, N x K x H booleans.
        columns: N x K x W.
        colors: N x C x K.

    Returns:
        N x (C + 1) x H x W: the colours, and the mask.
    """
    marked = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)
    planes = marked.new_zeros(*marked.shape[:2], rows.shape[2], columns.shape[2])
    # One by one: all N x K x H x W places at once would take sixty times the memory of the images.
    for k in range(rows.shape[1]):
        inside = rows[:, None, k, :, None] & columns[:, None, k, None, :]
        planes = torch.where(inside, marked[:, :, k, None, None], planes)
    return planes
