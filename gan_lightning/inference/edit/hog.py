"""Histograms of oriented gradients, differentiable, by which a sketch is compared with an image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

N_BINS = 8
_SOFTENING = 1e-3
"""Added to the squared length of a gradient, whose root has no derivative at 0."""


def cell_size(height: int, width: int) -> int:
    """Side of a cell: 8 pixels at 64 x 64, as in iGAN, and in proportion at other sides, at least 2."""
    return 2 * max(1, min(height, width) // 16)


def hog(images: Tensor, cell: int) -> Tensor:
    """Histograms of the orientations of edges, of any sign (Zhu et al., 2016, arXiv 1609.03552; the authors' code).

    The slope of the mean of the channels in eight directions, by Sobel's kernels over 4; each pixel goes to the
    directions that it is nearest to, ``max(0, (|slope| - a |gradient|) / (1 - a))`` with a = cos(pi / 8). Cells
    overlap: each sums a window of twice its side, with weights that fall linearly from the middle. They are not
    normalised by their neighbours, as HOG's are. At the border the image goes on with its last pixels, not with black.

    Args:
        images: N x C x H x W in [-1, 1].
        cell: Side of a cell in pixels, even.

    Returns:
        N x 8 x H/cell x W/cell, rounded down.
    """
    grey = (images.float().mean(dim=1, keepdim=True) + 1) / 2
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=images.device) / 4
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    # N x 2 x H x W: along x and along y
    slopes = F.conv2d(padded, torch.stack([sobel, sobel.T])[:, None])
    angles = torch.arange(N_BINS, device=images.device) * (math.pi / N_BINS)
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)
    projected = torch.einsum("bd,ndhw->nbhw", directions, slopes).abs()
    length = (slopes.square().sum(dim=1, keepdim=True) + _SOFTENING).sqrt()
    nearness = math.cos(math.pi / N_BINS)
    votes = F.relu(projected - nearness * length) / (1 - nearness)
    # A triangle of 2 cell pixels in both directions.
    side = torch.arange(2 * cell, device=images.device) + 0.5
    triangle = 1 - (side - cell).abs() / cell
    window = torch.outer(triangle, triangle).expand(N_BINS, 1, -1, -1)
    return F.conv2d(votes, window, stride=cell, padding=cell // 2, groups=N_BINS)


def touched_cells(mask: Tensor, cell: int) -> Tensor:
    """The cells of :func:`hog` whose windows have a marked pixel: N x 1 x H x W of zeros and ones to that of cells."""
    window = torch.ones(1, 1, 2 * cell, 2 * cell, device=mask.device)
    return (F.conv2d(mask.float(), window, stride=cell, padding=cell // 2) > 1e-5).float()
