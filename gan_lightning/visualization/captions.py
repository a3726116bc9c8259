"""Captions of the columns and rows of a picture."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_lightning.visualization.images import drawable, enlarge, grid, to_pil, to_uint8

_SIZE, _SMALLEST = 14, 9
_LEAST_CELL = 20
"""Pixels; names of smaller columns and rows would not be legible."""
_MARGIN = 3


def captioned(picture: Tensor, columns: Sequence[str] = (), rows: Sequence[str] = ()) -> Tensor:
    """Write names above the columns and beside the rows of a picture, in white on black.

    Args:
        picture: uint8, C x H x W, of columns and rows of equal sizes.
        columns: A name for each column; none: no strip above.
        rows: A name for each row; none: no strip at the left.

    Returns:
        C x H' x W', the picture at the bottom right. A name that is wider than its column, or has more than
        48 characters beside a row, is cut; columns and rows narrower than 20 pixels are left without names.
    """
    columns = columns if columns and picture.shape[2] >= _LEAST_CELL * len(columns) else ()
    rows = [_shortened(name) for name in rows] if rows and picture.shape[1] >= _LEAST_CELL * len(rows) else ()
    if not columns and not rows:
        return picture
    channels, height, width = picture.shape
    # About five characters a column.
    size = _SIZE if not columns else max(_SMALLEST, min(_SIZE, width // len(columns) // 5))
    font = ImageFont.load_default(size)
    left = max((_length(name, font) for name in rows), default=-2 * _MARGIN) + 2 * _MARGIN
    top = size + 2 * _MARGIN if columns else 0
    # Grey pictures stay grey, and the names on them white.
    canvas = Image.new(to_pil(picture).mode, (left + width, top + height))
    canvas.paste(to_pil(picture), (left, top))
    pen = ImageDraw.Draw(canvas)
    for number, name in enumerate(columns):
        place = left + (number + 0.5) * width / len(columns)
        pen.text((place, top / 2), _cut(name, font, width / len(columns)), _white(channels), font, "mm")
    for number, name in enumerate(rows):
        pen.text((left - _MARGIN, top + (number + 0.5) * height / len(rows)), name, _white(channels), font, "rm")
    # PIL has H x W x C
    pixels = torch.from_numpy(np.array(canvas)).view(top + height, left + width, channels)
    return pixels.permute(2, 0, 1).contiguous()


def cells(images: Tensor, scale: int = 1) -> Tensor:
    """Cells of a :func:`table`, uint8, N x cells x C x H x W, of images, N x C x H x W in [-1, 1].

    An image that cannot be shown at once has a cell for each of its channels; see :func:`drawable`.

    Args:
        images: N x C x H x W, N at least 1.
        scale: Side of a pixel.
    """
    return enlarge(to_uint8(drawable(images)).unflatten(0, (len(images), -1)), scale)


def table(
    images: Sequence[Tensor], n_columns: int, columns: Sequence[str] = (), rows: Sequence[str] = (), gap: int = 1
) -> Tensor:
    """A picture of images row by row, with names above its columns and beside its rows; see :func:`captioned`.

    Args:
        images: cells x C x H x W each, uint8; the cells of an image, such as its channels, lie one below another.
        n_columns: Images in a row.
        columns: A name for each column.
        rows: A name for each row.
        gap: Pixels between two images.
    """
    cells = torch.stack([torch.cat([*image], dim=1) for image in images])
    return captioned(grid(cells, n_columns, gap), columns, rows)


def _shortened(text: str, length: int = 48) -> str:
    """A name as it stands beside a row: cut after a word, where it is longer."""
    if len(text) <= length:
        return text
    head, space, _ = text[: length - 3].rpartition(" ")
    return f"{head if space else text[: length - 3]}..."


def _white(channels: int) -> tuple[int, ...]:
    return (255,) * channels


def _length(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(font.getlength(name))


def _cut(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    while len(name) > 1 and _length(name, font) > width - 2:
        name = name[:-1]
    return name
