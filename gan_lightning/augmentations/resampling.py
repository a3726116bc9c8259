"""Geometric transformations of images as one resampling without aliasing (Karras et al., 2020, appendix B.2)."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_SYM6 = (
    *(0.0154041093270274, 0.0034907120842175, -0.1179901111481906, -0.0483117425856330),
    *(0.4910559419267470, 0.7876411410301940, 0.3379294217276220, -0.0726375227864625),
    *(-0.0210602925123006, 0.0447249017706658, 0.0017677118642428, -0.0078007083250341),
)
"""Low-pass filter of the wavelet sym6 (Daubechies, 1992, table 6.3)."""
_DELAY = sum(tap * weight for tap, weight in enumerate(_SYM6)) / sum(_SYM6) - 5
"""Samples of the doubled resolution by which the filter, centred at its tap 5, moves an image: 0.098. The authors' code
takes it for 1/2, whence what it flips or turns is moved by 0.4 pixels."""
_MARGIN = 6
"""Samples of the doubled resolution beyond each border that the filter needs."""


def warp(images: Tensor, to_source: Tensor) -> Tensor:
    """Resample images under affine maps: double the resolution by sym6, interpolate linearly, and halve it by sym6.

    Beyond its borders an image is reflected, as often as needed.

    Args:
        images: N x C x H x W, of 2 pixels or more in height and in width.
        to_source: N x 3 x 3, of the images' dtype: from the position (x, y, 1) of a pixel of the result to that in the
            image which it shows, in pixels from the centre.

    Returns:
        N x C x H x W.
    """
    height, width = images.shape[2:]
    kind = images.dtype, images.device
    # The filters as matrices, for sides up to some hundred pixels faster than convolutions, and borders are in them.
    doubled = _doubling(height, *kind).T @ images @ _doubling(width, *kind)
    # A sum of a part of each column and a part of each row: N x 1 x 2 W' x 2 and N x 2 H' x 1 x 2.
    # In grid_sample's units -1 and 1 are the outermost samples, at which images are reflected.
    unit = 2 / (torch.tensor([width, height], dtype=images.dtype, device=images.device) - 1)
    matrix = to_source[:, :2]
    columns = _positions(width, *kind)[:, None] * matrix[:, None, :, 0] + (matrix[:, None, :, 2] + _DELAY / 2)
    rows = _positions(height, *kind)[:, None] * matrix[:, None, :, 1]
    grid = (columns * unit)[:, None] + (rows * unit)[:, :, None]
    moved = F.grid_sample(doubled, grid, padding_mode="reflection", align_corners=True)
    return _halving(height, *kind).T @ moved @ _halving(width, *kind)


def bounced(places: np.ndarray, side: int) -> np.ndarray:
    """Positions in an image that is reflected at its outermost pixels' centres, of any integers: ... 2 1 0 1 2 ..."""
    period = max(2 * (side - 1), 1)
    within = places % period
    return np.minimum(within, period - within)


@lru_cache(maxsize=32)
def _doubling(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """From ``side`` pixels to ``2 side - 1`` samples, from the first pixel to the last."""
    matrix = np.zeros((side, 2 * side))
    for tap, weight in enumerate(_SYM6):
        # Zeros between the pixels, then the filter.
        samples = np.arange(2 * side)
        places = samples + 5 - tap
        of_pixel = places % 2 == 0
        np.add.at(matrix, (bounced(places[of_pixel] // 2, side), samples[of_pixel]), 2 * weight / sum(_SYM6))
    return torch.tensor(matrix[:, :-1], dtype=dtype, device=device)


@lru_cache(maxsize=32)
def _halving(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """From ``2 side + 12`` samples, two a pixel, to ``side`` pixels: the filter reversed."""
    matrix = np.zeros((2 * (side + _MARGIN), side))
    pixels = np.arange(side)
    for tap, weight in enumerate(_SYM6):
        matrix[2 * pixels + tap + 1, pixels] = weight / sum(_SYM6)
    return torch.tensor(matrix, dtype=dtype, device=device)


@lru_cache(maxsize=32)
def _positions(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Positions of the ``2 side + 12`` samples, in pixels from the centre."""
    samples = torch.arange(2 * (side + _MARGIN), dtype=dtype, device=device)
    return (samples - _MARGIN - _DELAY - (side - 1)) / 2
