"""CIE Lab of sRGB images and back, differentiable (IEC 61966-2-1; CIE 15)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip
# Linear sRGB to XYZ relative to the white D65, which is the sum of a row, so that grey has a = b = 0.
_TO_RELATIVE_XYZ = _TO_XYZ / _TO_XYZ.sum(1, keepdims=True)
_AB_RANGE = 110.0
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # CIE: below epsilon the cube root is continued by a line
_BISECTIONS = 12
_SLACK = 1e-3
"""How far outside [-1, 1] a channel may be that counts as displayable: an eighth of a level of 8 bits."""


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert sRGB to Lab, scaled: ``L / 50 - 1``, ``a / 110``, ``b / 110``.

    Args:
        images: N x 3 x H x W in [-1, 1].

    Returns:
        N x 3 x H x W; L in [-1, 1], a and b of sRGB colours in [-0.98, 0.90].
    """
    levels = _exact((images + 1) / 2)
    # Each branch is computed on its own side only: the other's gradient would be infinite or NaN.
    curved = ((levels.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(levels > 0.04045, curved, levels / 12.92)
    ratio = _applied(_TO_RELATIVE_XYZ, linear)
    f = torch.where(ratio > _EPSILON, ratio.clamp(min=_EPSILON) ** (1 / 3), (_KAPPA * ratio + 16) / 116)
    x, y, z = f.unbind(1)
    lightness = (116 * y - 16) / 50 - 1
    return torch.stack([lightness, 500 / _AB_RANGE * (x - y), 200 / _AB_RANGE * (y - z)], dim=1).to(images.dtype)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert scaled Lab, see :func:`rgb_to_lab`, to sRGB; colours that sRGB does not have lie outside [-1, 1].

    Args:
        lab: N x 3 x H x W.

    Returns:
        N x 3 x H x W.
    """
    lightness, a, b = _exact(lab).unbind(1)
    y = (50 * (lightness + 1) + 16) / 116
    f = torch.stack([y + a * _AB_RANGE / 500, y, y - b * _AB_RANGE / 200], dim=1)
    ratio = torch.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)
    linear = _applied(np.linalg.inv(_TO_RELATIVE_XYZ), ratio)
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return (2 * torch.where(linear > 0.0031308, curved, 12.92 * linear) - 1).to(lab.dtype)


def lab_to_displayable(lab: Tensor) -> Tensor:
    """Convert scaled Lab to sRGB in [-1, 1] of the same lightness.

    A colour that sRGB does not have loses chroma until it has it: a and b shrink by one factor. To clip red, green and
    blue would change the lightness. In levels of 8 bits the lightness differs by rounding alone, at most 0.3 of 100.

    Args:
        lab: N x 3 x H x W, L in [-1, 1].

    Returns:
        N x 3 x H x W.
    """
    lightness, colours = _exact(lab).split([1, 2], dim=1)
    low, high = torch.zeros_like(lightness), torch.ones_like(lightness)
    whole = _has_it(lab_to_rgb(torch.cat([lightness, colours], 1)))
    # The largest factor: grey, of factor 0, is always displayable.
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        inside = _has_it(lab_to_rgb(torch.cat([lightness, middle * colours], 1)))
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    factor = torch.where(whole, torch.ones_like(low), low)
    return lab_to_rgb(torch.cat([lightness, factor * colours], 1)).clamp(-1, 1).to(lab.dtype)


def _has_it(images: Tensor) -> Tensor:
    """Whether sRGB has a colour: N x 1 x H x W."""
    return (images.abs() <= 1 + _SLACK).all(dim=1, keepdim=True)


def _exact(values: Tensor) -> Tensor:
    """At least float32: bfloat16 has two digits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _applied(matrix: NDArray[np.float64], images: Tensor) -> Tensor:
    """A 3 x 3 matrix of every pixel's channels: N x 3 x H x W."""
    first, second, third = images.unbind(1)
    # By numbers, and no product of matrices: autocast would compute that in bfloat16.
    return torch.stack([a * first + b * second + c * third for a, b, c in matrix.tolist()], dim=1)
