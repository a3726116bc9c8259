"""What a user paints on an image: dabs of colour, lines of a sketch, patches that are moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.inference.edit.hog import cell_size, hog, touched_cells

_LEAST_SIDE = 4
"""Pixels of a cell's window."""


class Dab(NamedTuple):
    """A disc of colour.

    Attributes:
        x: Column of its middle in pixels of the image, from the left, counted from 0.
        y: Row of its middle, from the top, counted from 0.
        radius: In pixels; 0: a single one.
        color: Red, green, blue, 0 to 255.
    """

    x: int
    y: int
    radius: int
    color: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.radius},#{bytes(self.color).hex()}"


class Line(NamedTuple):
    """A straight line of a sketch: an edge between two points.

    Attributes:
        x: Column of its start in pixels of the image, counted from 0.
        y: Row of its start.
        to_x: Column of its end.
        to_y: Row of its end.
    """

    x: int
    y: int
    to_x: int
    to_y: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


class Warp(NamedTuple):
    """A square patch of the image that is to be somewhere else.

    Attributes:
        x: Column of its middle in pixels of the image, counted from 0.
        y: Row of its middle.
        radius: Half of its side, without the middle: 1 is 3 x 3 pixels.
        right: By how many pixels it moves to the right; negative: to the left.
        down: By how many it moves down; negative: up.
    """

    x: int
    y: int
    radius: int
    right: int
    down: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


Brush = Dab | Line | Warp


def check_brush(brush: Brush, height: int, width: int) -> None:
    """Raise a ValueError if a brush is none, or any of its middles or ends lies outside the image."""
    kind = type(brush).__name__
    levels = brush.color if isinstance(brush, Dab) else ()
    numbers = [*(brush[:3] if isinstance(brush, Dab) else brush), *levels]
    if (
        not all(isinstance(number, int) for number in numbers)
        or (isinstance(brush, Dab) and (len(levels) != 3 or not all(0 <= level <= 255 for level in levels)))
        or (not isinstance(brush, Line) and brush.radius < 0)
    ):
        raise ValueError(
            f"{kind}{tuple(brush)} is none: places and sizes are whole numbers of pixels, a radius at least 0, and a "
            "colour is (red, green, blue), whole numbers from 0 to 255."
        )
    places = {(brush.x, brush.y)}
    if isinstance(brush, Line):
        places.add((brush.to_x, brush.to_y))
    elif isinstance(brush, Warp):
        places.add((brush.x + brush.right, brush.y + brush.down))
    for x, y in places:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"The {kind.lower()} {brush} reaches {x},{y}, outside the image of {width} x {height} pixels: x is 0 "
                f"to {width - 1}, from the left, and y 0 to {height - 1}, from the top."
            )


@dataclass(frozen=True)
class Constraints:
    """What an image is to show at some of its places.

    Attributes:
        colors: Wanted colours, N x C x H x W in [-1, 1].
        colored: Where they are wanted, 1 x 1 x H x W of zeros and ones.
        edges: Wanted histograms of gradients, N x 8 x h x w; see :func:`~gan_lightning.inference.edit.hog.hog`.
        edged: Where they are wanted, 1 x 1 x h x w.
        cell: Side of their cells.
    """

    colors: Tensor
    colored: Tensor
    edges: Tensor
    edged: Tensor
    cell: int

    def terms(self, made: Tensor) -> dict[str, Tensor]:
        """Mean squared differences of images, N x C x H x W, from the constraints: ``color`` and ``edges``, N each."""
        return {
            "color": _masked_square(made - self.colors, self.colored),
            "edges": _masked_square(hog(made, self.cell) - self.edges, self.edged),
        }


def constraints_of(images: Tensor, brushes: Sequence[Brush]) -> Constraints:
    """What brushes ask of images; a later one covers those before it.

    A dab asks for its colour, a line for an edge, and a warp for both at the patch's new place, as the image has them
    at the old one.

    Args:
        images: The images painted on, N x C x H x W in [-1, 1].
        brushes: At least one.

    Raises:
        ValueError: There is none, one lies outside, the images are points in the plane, or a colour is painted on
            images that are neither grey nor RGB.
    """
    n, channels, height, width = images.shape
    if not brushes:
        raise ValueError("Nothing is painted: give a dab, a line or a warp.")
    if min(height, width) < _LEAST_SIDE:
        raise ValueError(
            f"Images of {width} x {height} pixels cannot be painted on: their sides must be {_LEAST_SIDE} at least."
        )
    cell = cell_size(height, width)
    colors, colored = torch.zeros_like(images), torch.zeros_like(images[:1, :1])
    edges = torch.zeros_like(hog(images, cell))
    edged = torch.zeros_like(edges[:1, :1])
    for brush in brushes:
        check_brush(brush, height, width)
        shape = _shape(brush, height, width).to(images)[None, None]
        if isinstance(brush, Line):
            wanted, drawn = None, (2 * shape - 1).expand(n, channels, -1, -1)
        elif isinstance(brush, Warp):
            wanted = drawn = _shifted(images, brush.down, brush.right)
        else:
            wanted, drawn = _color(brush, channels).to(images)[None, :, None, None].expand_as(images), None
        if wanted is not None:
            colors, colored = torch.where(shape > 0, wanted, colors), torch.maximum(colored, shape)
        if drawn is not None:
            cells = touched_cells(shape, cell)
            edges, edged = torch.where(cells > 0, hog(drawn, cell), edges), torch.maximum(edged, cells)
    return Constraints(colors, colored, edges, edged, cell)


def painted_places(images: Tensor, brushes: Sequence[Brush]) -> Tensor:
    """Where brushes have been, 1 x 1 x H x W of zeros and ones: dabs, lines, and patches at their new places."""
    shapes = [_shape(brush, *images.shape[2:]) for brush in brushes]
    return torch.stack(shapes).amax(0).to(images)[None, None]


def _shape(brush: Brush, height: int, width: int) -> Tensor:
    """Pixels of a brush, H x W of zeros and ones."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    if isinstance(brush, Dab):
        return ((rows - brush.y) ** 2 + (columns - brush.x) ** 2 <= brush.radius**2).float()
    if isinstance(brush, Warp):
        down, right = rows - brush.y - brush.down, columns - brush.x - brush.right
        return ((down.abs() <= brush.radius) & (right.abs() <= brush.radius)).float()
    shape = torch.zeros(height, width)
    # A pixel for each step along the longer side, as Bresenham's algorithm has them.
    steps = max(abs(brush.to_x - brush.x), abs(brush.to_y - brush.y), 1)
    for step in range(steps + 1):
        way = step / steps
        shape[
            math.floor(brush.y + way * (brush.to_y - brush.y) + 0.5),
            math.floor(brush.x + way * (brush.to_x - brush.x) + 0.5),
        ] = 1
    return shape


def _color(dab: Dab, channels: int) -> Tensor:
    """The colour in [-1, 1], of as many channels as the image has; grey is the luminance of ITU-R BT.601."""
    if channels not in (1, 3):
        raise ValueError(f"Colours are painted on grey and RGB images, and these have {channels} channels.")
    color = torch.tensor(dab.color) / 127.5 - 1
    return color if channels == 3 else color @ torch.tensor([[0.299], [0.587], [0.114]])


def _shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Images moved down and to the right; what comes in is the border's last row and column."""
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - right).clamp(0, width - 1)
    return images[:, :, rows][:, :, :, columns]


def _masked_square(difference: Tensor, mask: Tensor) -> Tensor:
    """Mean square over the marked places and all channels, N; 0 where nothing is marked."""
    return (mask * difference.square()).mean(dim=1).sum((1, 2)) / (mask.sum() + 1e-5)
