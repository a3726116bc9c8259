"""Scatter plots of points in the plane."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

_SIDE = 512
_FINE = 2  # drawn so many times as large, then shrunk: smooth edges
_CELLS = 128
_BANDS = 12
_REAL, _SAMPLE = (232, 137, 29, 150), (31, 78, 158, 150)
_LOW, _HIGH = np.array([150.0, 158.0, 170.0]), np.array([255.0, 255.0, 255.0])


@dataclass(frozen=True)
class Window:
    """A square of the plane.

    Attributes:
        centre: Its middle, x and y.
        half: Half of its side.
    """

    centre: tuple[float, float]
    half: float

    @classmethod
    def around(cls, points: Tensor, margin: float = 1.25) -> "Window":
        """Window around the finite points, N x 2, with a margin on all sides."""
        # A diverged generator makes NaN and infinite points, which would leave no scale for the others.
        points = points[points.isfinite().all(dim=1)]
        if not len(points):
            return cls((0.0, 0.0), 1.0)
        low, high = points.amin(dim=0), points.amax(dim=0)
        x, y = ((low + high) / 2).tolist()
        return cls((x, y), max((high - low).max().item() / 2, 1e-3) * margin)

    def cells(self) -> Tensor:
        """Centres of a grid of cells over the window, row by row from the top, _CELLS ** 2 x 2."""
        ways = self.half * ((torch.arange(_CELLS) + 0.5) * 2 / _CELLS - 1)
        return torch.cartesian_prod(self.centre[1] - ways, self.centre[0] + ways).flip(1)


def plot_scatter(samples: Tensor, window: Window, real: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
    """Plot samples in blue over real points in orange, over contours of the discriminator's output (light: real).

    Args:
        samples: N x 2. Points outside the window are moved to its edge, NaN and infinite ones left out.
        window: The part of the plane that is shown; y grows upwards.
        real: M x 2. None: no real points.
        outputs: Discriminator's output at the window's ``cells()``. None: a white background.

    Returns:
        uint8, 3 x 512 x 512.
    """
    picture = _bands(outputs)
    for points, colour in [(real, _REAL), (samples, _SAMPLE)]:
        if points is not None:
            # A layer for each set: overlapping points of one set do not add up their opacity.
            layer = Image.new("RGBA", picture.size, (*colour[:3], 0))
            _dots(ImageDraw.Draw(layer), points, window, colour)
            picture.alpha_composite(layer)
    # Anti-aliasing by a factor of two
    small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def draw_scatter(samples: Tensor, window: Window, real: Tensor | None = None, verdicts: Tensor | None = None) -> Tensor:
    """:func:`plot_scatter` by its name until 0.3."""
    return plot_scatter(samples, window, real, verdicts)


def _bands(outputs: Tensor | None) -> Image.Image:
    """Background in twelve shades of grey, whose borders are contours of the discriminator's output."""
    size = (_SIDE * _FINE, _SIDE * _FINE)
    if outputs is None or not outputs.isfinite().all():
        return Image.new("RGBA", size, "white")
    values = outputs.double().view(_CELLS, _CELLS).cpu().numpy()
    # To [0, 1], interpolated to pixels, then quantised: smooth contours from 128 x 128 values.
    way = (values - values.min()) / max(values.max() - values.min(), 1e-12)
    smooth = np.asarray(Image.fromarray(way.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    band = np.floor(smooth * _BANDS).clip(0, _BANDS - 1)[..., None] / (_BANDS - 1)
    return Image.fromarray((_LOW + band * (_HIGH - _LOW)).round().astype(np.uint8)).convert("RGBA")


def _dots(draw: ImageDraw.ImageDraw, points: Tensor, window: Window, colour: tuple[int, int, int, int]) -> None:
    side, radius = _SIDE * _FINE, 2.5 * _FINE
    points = points.detach().double().cpu()
    # Plane to pixels: [-half, half] to [0, side], with y downwards.
    ways = (points[points.isfinite().all(dim=1)] - torch.tensor(window.centre)) / window.half
    for x, y in ((1 + ways.clamp(-1, 1) * torch.tensor([1, -1])) * side / 2).tolist():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
