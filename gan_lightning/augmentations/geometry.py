"""Matrices of affine maps of the plane in homogeneous coordinates, N x 3 x 3."""

import torch
from torch import Tensor


def translations(x: Tensor, y: Tensor) -> Tensor:
    """By x and y, N each."""
    return _matrices(1, 0, x, 0, 1, y)


def scalings(x: Tensor, y: Tensor) -> Tensor:
    """By factors of x and y, N each."""
    return _matrices(x, 0, 0, 0, y, 0)


def rotations(angle: Tensor) -> Tensor:
    """By an angle in radians, N."""
    cosine, sine = angle.cos(), angle.sin()
    return _matrices(cosine, -sine, 0, sine, cosine, 0)


def _matrices(*numbers: Tensor | int) -> Tensor:
    """Of the numbers of the first two rows, row by row; the last one is (0, 0, 1)."""
    like = next(one for one in numbers if isinstance(one, Tensor))
    all_numbers = [torch.full_like(like, one) if isinstance(one, int) else one for one in (*numbers, 0, 0, 1)]
    return torch.stack(all_numbers, dim=-1).reshape(-1, 3, 3)
