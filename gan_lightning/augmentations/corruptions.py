"""Frequency bands and cut-out rectangles of images: transformations that are neither geometry nor colour."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.augmentations.resampling import bounced

_SYM2 = (-0.1294095225512604, 0.2241438680420134, 0.8365163037378079, 0.4829629131445341)
"""Low-pass filter of the wavelet sym2 (Daubechies, 1992)."""
N_BANDS = 4
_EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Shares of the bands in the power of an image: natural ones have a 1/f spectrum."""


def amplify_bands(images: Tensor, gains: Tensor) -> Tensor:
    """Multiply frequency bands of images by gains, one octave a band (Karras et al., 2020, appendix B.2).

    Args:
        images: N x C x H x W; reflected beyond the borders.
        gains: N x 4, from low to high frequencies.

    Returns:
        N x C x H x W.
    """
    n, channels, height, width = images.shape
    bands = _bands(images.dtype, images.device)
    # One kernel an image, for each of its channels, along both axes: (N C) x taps.
    kernels = (gains @ bands).repeat_interleave(channels, dim=0)[:, None]
    taps = kernels.shape[2]
    rows, columns = (_reflected(side, taps // 2, images.device) for side in (height, width))
    padded = images.index_select(2, rows).index_select(3, columns).reshape(1, n * channels, len(rows), len(columns))
    filtered = F.conv2d(padded, kernels[:, :, None], groups=n * channels)
    return F.conv2d(filtered, kernels[..., None], groups=n * channels).reshape(images.shape)


def balanced(gains: Tensor) -> Tensor:
    """Gains, N x 4, over their root mean square in the bands' expected power, so that images keep theirs."""
    power = torch.tensor(_EXPECTED_POWER, dtype=gains.dtype, device=gains.device)
    return gains / (power * gains.square()).sum(dim=1, keepdim=True).sqrt()


def cut_rectangles(images: Tensor, centres: Tensor, sides: Tensor) -> Tensor:
    """Set a rectangle of each image to 0.

    Args:
        images: N x C x H x W.
        centres: N x 2, x and y, as shares of width and height.
        sides: N, as shares of both.
    """
    inside = []
    for axis, side in enumerate((images.shape[3], images.shape[2])):
        places = (torch.arange(side, dtype=images.dtype, device=images.device) + 0.5) / side
        inside.append((places - centres[:, axis, None]).abs() < sides[:, None] / 2)
    return images * ~(inside[1][:, :, None] & inside[0][:, None])[:, None]


def _reflected(side: int, margin: int, device: torch.device) -> Tensor:
    return torch.from_numpy(bounced(np.arange(-margin, side + margin), side)).to(device)


@lru_cache(maxsize=8)
def _bands(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Filters of the bands, 4 x 43, whose sum passes everything: a wavelet's filter bank without decimation."""
    low = np.array(_SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    # Analysis and synthesis in one: zero-phase filters whose sum is 1.
    low, high = (np.convolve(each, each[::-1]) / 2 for each in (low, high))
    bands = [np.ones(1)]
    for _ in range(N_BANDS - 1):
        # An octave lower: a zero after each tap; then the low pass of this octave, beside which its high pass is new.
        stretched = [np.insert(band, np.arange(1, len(band)), 0.0) for band in bands]
        bands = [np.convolve(band, low) for band in stretched] + [high]
    length = max(map(len, bands))
    centred = [np.pad(band, (length - len(band)) // 2) for band in bands]
    return torch.tensor(np.array(centred), dtype=dtype, device=device)
