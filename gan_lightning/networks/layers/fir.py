"""Resampling by a factor of 2 with a separable low-pass filter (FIR), as in StyleGAN2 and R3GAN.

Upsampling puts zeros between the pixels and filters, downsampling filters and drops every second pixel. With the taps
``1, 3, 3, 1`` (``1, 2, 1`` after pixels are copied, or before they are averaged in pairs) it is bilinear interpolation
inside the map; beyond its edge the map is zero. Results have a second derivative on every device.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BINOMIAL_TAPS = (1.0, 3.0, 3.0, 1.0)


class _FIR(nn.Module):
    """A filter of its own for each channel.

    Args:
        taps: Of the filter along one side, an even number of them, so that the image is not shifted; they are scaled to
            keep a constant map constant.

    Raises:
        ValueError: The number of taps is odd, or they add up to 0.
    """

    kernel: Tensor
    shifts_by_odd: bool = True
    """Whether an odd number of taps would shift the image by half a pixel."""

    def __init__(self, taps: Sequence[float] = BINOMIAL_TAPS) -> None:
        super().__init__()
        if len(taps) < 2 or (self.shifts_by_odd and len(taps) % 2) or sum(taps) == 0:
            raise ValueError(f"taps is {list(taps)}: it must be an even number of weights that do not add up to 0.")
        row = torch.tensor(taps, dtype=torch.float32) / sum(taps)
        # A constant, not a weight: in no checkpoint.
        self.register_buffer("kernel", torch.outer(row, row), persistent=False)
        self.padding = len(taps) // 2 - 1

    def _kernel_of(self, x: Tensor) -> Tensor:
        # C x 1 x taps x taps, without copies
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)


class FIRUpsample(_FIR):
    """Filtered upsampling by 2.

    Args:
        taps: Of the filter along one side, an even number of them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        # Times 4, for three of four pixels are zeros before they are filtered.
        return F.conv_transpose2d(x, 4 * self._kernel_of(x), stride=2, padding=self.padding, groups=x.shape[1])


class FIRDownsample(_FIR):
    """Filtered downsampling by 2.

    Args:
        taps: Of the filter along one side, an even number of them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, 2H, 2W) to (N, C, H, W)."""
        return F.conv2d(x, self._kernel_of(x), stride=2, padding=self.padding, groups=x.shape[1])


class FIRBlur(_FIR):
    """The filter alone, for a strided convolution after it or a transposed one before it.

    Args:
        padding: Zeros around the map; it grows by twice that, less the number of taps but one.
        gain: Factor of the result: 4 after a transposed convolution of stride 2.
        taps: Of the filter along one side.
    """

    shifts_by_odd = False

    def __init__(self, padding: int, gain: float = 1.0, taps: Sequence[float] = BINOMIAL_TAPS) -> None:
        super().__init__(taps)
        self.padding = padding
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H', W')."""
        return F.conv2d(x, self.gain * self._kernel_of(x), padding=self.padding, groups=x.shape[1])
