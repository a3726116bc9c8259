"""Curves of one number against another, with a name at each point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_SIDE, _MARGIN = 400, 70
_TICKS = 4
_LINE, _AXIS, _TEXT = (31, 78, 158), (150, 158, 170), (40, 40, 40)


@dataclass(frozen=True)
class Curve:
    """Points in the order in which they are joined.

    Attributes:
        x_name: What is on the horizontal axis.
        y_name: What is on the vertical one, which grows upwards.
        points: Pairs of both.
        names: Of the points.
    """

    x_name: str
    y_name: str
    points: Sequence[tuple[float, float]]
    names: Sequence[str]


def plot_curves(curves: Sequence[Curve]) -> Tensor:
    """Plot curves side by side, each on axes of its own that reach from its smallest to its largest numbers.

    Points with a number that is infinite or NaN are left out.

    Returns:
        uint8, 3 x 400 x (400 for each curve).
    """
    picture = Image.new("RGB", (_SIDE * len(curves), _SIDE), "white")
    draw = ImageDraw.Draw(picture)
    for number, curve in enumerate(curves):
        _plot(draw, curve, number * _SIDE)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _plot(draw: ImageDraw.ImageDraw, curve: Curve, left: int) -> None:
    font, small = ImageFont.load_default(14), ImageFont.load_default(11)
    start, end = _MARGIN, _SIDE - _MARGIN // 2
    draw.line([(left + start, _SIDE - end), (left + start, _SIDE - start), (left + end, _SIDE - start)], _AXIS)
    draw.text((left + (start + end) / 2, _SIDE - 18), curve.x_name, _TEXT, font, "mm")
    draw.text((left + start, 18), curve.y_name, _TEXT, font, "mm")
    shown = [
        (point, name) for point, name in zip(curve.points, curve.names, strict=True) if all(map(math.isfinite, point))
    ]
    if not shown:
        return
    places = []
    for axis in (0, 1):
        values = [point[axis] for point, _ in shown]
        low, high = min(values), max(values)
        # A single value lies in the middle.
        span = high - low or 1.0
        low = low if high > low else low - 0.5
        places.append([start + 12 + (value - low) / span * (end - start - 24) for value in values])
        for tick in range(_TICKS):
            way = tick / (_TICKS - 1)
            place, text = start + 12 + way * (end - start - 24), f"{low + way * span:.3g}"
            if axis == 0:
                draw.text((left + place, _SIDE - start + 12), text, _TEXT, small, "mm")
            else:
                draw.text((left + start - 6, _SIDE - place), text, _TEXT, small, "rm")
    pixels = [(left + x, _SIDE - y) for x, y in zip(*places, strict=True)]
    draw.line(pixels, _LINE, width=2)
    for (x, y), (_, name) in zip(pixels, shown, strict=True):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), _LINE)
        draw.text((x + 5, y - 6), name, _TEXT, small, "lb")
