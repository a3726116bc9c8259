"""Points in the plane to a picture a person can look at."""

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
        """A window with room to spare on all sides of the points, N x 2; those that are no numbers do not matter."""
        points = points[points.isfinite().all(dim=1)]
        if not len(points):
            return cls((0.0, 0.0), 1.0)
        low, high = points.amin(dim=0), points.amax(dim=0)
        x, y = ((low + high) / 2).tolist()
        return cls((x, y), max((high - low).max().item() / 2, 1e-3) * margin)

    def cells(self) -> Tensor:
        """The middles of the cells of a grid over the window, row by row from the top, _CELLS ** 2 x 2."""
        ways = self.half * ((torch.arange(_CELLS) + 0.5) * 2 / _CELLS - 1)
        return torch.cartesian_prod(self.centre[1] - ways, self.centre[0] + ways).flip(1)


def draw_scatter(samples: Tensor, window: Window, real: Tensor | None = None, verdicts: Tensor | None = None) -> Tensor:
    """Samples in blue over real points in orange, over bands of the discriminator's verdict, the lighter the more real.

    Args:
        samples: N x 2. What is outside the window lies on its edge; what is no number is left out.
        window: What is shown; y grows upwards.
        real: M x 2, if they are to be shown.
        verdicts: Of the window's ``cells()``, if they are to be shown.

    Returns:
        uint8, 3 x 512 x 512.
    """
    picture = _bands(verdicts)
    for points, colour in [(real, _REAL), (samples, _SAMPLE)]:
        if points is not None:
            layer = Image.new("RGBA", picture.size, (*colour[:3], 0))
            _dots(ImageDraw.Draw(layer), points, window, colour)
            picture.alpha_composite(layer)
    small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def _bands(verdicts: Tensor | None) -> Image.Image:
    """A background, the lines between whose shades are contours."""
    size = (_SIDE * _FINE, _SIDE * _FINE)
    if verdicts is None or not verdicts.isfinite().all():
        return Image.new("RGBA", size, "white")
    values = verdicts.double().view(_CELLS, _CELLS).cpu().numpy()
    way = (values - values.min()) / max(values.max() - values.min(), 1e-12)
    smooth = np.asarray(Image.fromarray(way.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    band = np.floor(smooth * _BANDS).clip(0, _BANDS - 1)[..., None] / (_BANDS - 1)
    return Image.fromarray((_LOW + band * (_HIGH - _LOW)).round().astype(np.uint8)).convert("RGBA")


def _dots(draw: ImageDraw.ImageDraw, points: Tensor, window: Window, colour: tuple[int, int, int, int]) -> None:
    side, radius = _SIDE * _FINE, 2.5 * _FINE
    points = points.detach().double().cpu()
    ways = (points[points.isfinite().all(dim=1)] - torch.tensor(window.centre)) / window.half
    for x, y in ((1 + ways.clamp(-1, 1) * torch.tensor([1, -1])) * side / 2).tolist():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
