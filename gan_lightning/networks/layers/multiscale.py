"""Multiscale dilated convolutions (Brock et al., 2017, arXiv 1609.07093, section 3.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiscaleDilatedConv2d(nn.Module):
    """One 3 x 3 kernel W applied at several dilations: ``sum_j c_j * (W dilated by d_j)``, without a bias.

    The dilation 1 is always among them. A scale of 0 stands for a 1 x 1 convolution with the mean of W over its nine
    places, as in the authors' code. The coefficients c_j are learned, one for each output channel, and start equal with
    the sum 1. Sides stay as they are.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        scales: The d_j beside 1.
    """

    def __init__(self, inputs: int, outputs: int, scales: Sequence[int] = (0, 2)) -> None:
        super().__init__()
        self.scales = (1, *scales)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * 0.02)
        self.coefficients = nn.Parameter(torch.full((len(self.scales), outputs), 1 / len(self.scales)))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, inputs, H, W) to (N, outputs, H, W)."""
        maps = []
        for scale, coefficient in zip(self.scales, self.coefficients, strict=True):
            # Kernels are scaled and not maps, which are larger: the sum is the same.
            weight = coefficient[:, None, None, None] * self.weight
            if scale == 0:
                maps.append(F.conv2d(features, weight.mean(dim=(2, 3), keepdim=True)))
            else:
                maps.append(F.conv2d(features, weight, padding=scale, dilation=scale))
        return torch.stack(maps).sum(dim=0)


class MultiscaleBlock(nn.Module):
    """A residual block of two multiscale dilated convolutions, each behind BatchNorm and LeakyReLU; both follow it too.

    Args:
        width: Channels in and out.
        scales: Of both convolutions; see :class:`MultiscaleDilatedConv2d`.
    """

    def __init__(self, width: int, scales: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            MultiscaleDilatedConv2d(width, width, scales),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            MultiscaleDilatedConv2d(width, width, scales),
        )
        self.after = nn.Sequential(nn.BatchNorm2d(width), nn.LeakyReLU(0.2))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, H, W) to as many."""
        return self.after(features + self.layers(features))
